// A token service with ordinary data in its heap: "token_service.js DIRECTORY MEGABYTES KIND...". Seeded data.
"use strict";
const crypto = require("node:crypto");
const fs = require("node:fs");
const path = require("node:path");
const zlib = require("node:zlib");

const [directory, megabytes, ...kinds] = process.argv.slice(2);
let state = 20;

/** The next of a sequence of 32-bit numbers that is the same every time (xorshift). */
function random() {
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  return state >>> 0;
}

const hex = () => Array.from({ length: 4 }, () => random().toString(16).padStart(8, "0")).join("");

function session(number) {
  const claims = {};
  for (let claim = 0; claim < 4; claim++) claims[`claim${claim}`] = `value ${random() % 100000} of user ${number}`;
  return {
    id: hex(),
    user: `user${number}@example.com`,
    seen: 1700000000 + random() / 50000,
    claims,
    counts: Array.from({ length: random() % 40 }, () => random() % 1000),
    sealed: Buffer.from(Array.from({ length: random() % 100 }, () => random() & 255)),
  };
}

function sign(key, number) {
  const text = Buffer.from(JSON.stringify({ sub: `user${number}@example.com`, iat: 1700000000 + number }));
  const digest = key.asymmetricKeyType === "ed25519" ? null : "sha256";
  return `${text.toString("base64url")}.${crypto.sign(digest, text, key).toString("base64url")}`;
}

const sessions = new Map();
const documents = [];
for (let number = 0; number < Number(megabytes) * 500; number++) {
  const made = session(number);
  sessions.set(made.id, made);
  if (number % 20 === 0) {
    const text = JSON.stringify(made);
    documents.push(text, zlib.gzipSync(text.repeat(3)));
  }
}
const keys = kinds.map((kind) => crypto.createPrivateKey(fs.readFileSync(path.join(directory, `${kind}.pem`))));
const tokens = keys.flatMap((key) => Array.from({ length: 3000 }, (_, number) => sign(key, number)));
process.stdout.write("ready\n");
process.stdin.on("data", () => {
  // keeps everything reachable
  process.stdout.write(`${sessions.size} ${documents.length} ${tokens.length} ${keys.length}\n`);
});
