// Node's crypto: "node node_crypto.js sign|verify|sign-jwk|verify-jwk DIRECTORY KIND...".
"use strict";
const crypto = require("node:crypto");
const fs = require("node:fs");
const path = require("node:path");

const ROUNDS = 200;
const [mode, directory, ...kinds] = process.argv.slice(2);
const digest = (kind) => (kind === "ed25519" ? null : "sha256");

function load(kind, isPrivate) {
  const make = isPrivate ? crypto.createPrivateKey : crypto.createPublicKey;
  const stem = path.join(directory, kind + (isPrivate ? "" : ".pub"));
  if (mode.endsWith("-jwk")) {
    return make({ key: JSON.parse(fs.readFileSync(stem + ".jwk", "utf8")), format: "jwk" });
  }
  return make(fs.readFileSync(stem + ".pem", "utf8"));
}

function sign(kind) {
  const key = load(kind, true);
  for (let number = 0; number < ROUNDS; number++) {
    crypto.sign(digest(kind), Buffer.from(`token ${number} for user${number}@example.com`), key);
  }
  return key;
}

function verify(kind) {
  const key = load(kind, false);
  const message = fs.readFileSync(path.join(directory, kind + ".message"));
  const signature = fs.readFileSync(path.join(directory, kind + ".sig"));
  for (let number = 0; number < ROUNDS; number++) {
    if (!crypto.verify(digest(kind), message, key, signature)) throw new Error("bad signature");
  }
  return key;
}

const alive = kinds.map(mode.startsWith("verify") ? verify : sign);
process.stdout.write("ready\n");
process.stdin.on("data", () => process.exit(alive.length ? 0 : 1));
