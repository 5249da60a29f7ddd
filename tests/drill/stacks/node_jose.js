// jose (npm) with a key from a JWK: "node node_jose.js sign|verify DIRECTORY KIND...".
"use strict";
const fs = require("node:fs");
const path = require("node:path");
const jose = require("jose");

const ALGORITHMS = { rsa: "RS256", p256: "ES256", ed25519: "EdDSA" };
const [mode, directory, ...kinds] = process.argv.slice(2);

async function work(kind) {
  const name = path.join(directory, kind + (mode === "sign" ? ".jwk" : ".pub.jwk"));
  const key = await jose.importJWK(JSON.parse(fs.readFileSync(name, "utf8")), ALGORITHMS[kind]);
  const token = fs.readFileSync(path.join(directory, kind + ".token"), "utf8");
  for (let number = 0; number < 200; number++) {
    if (mode === "verify") {
      await jose.compactVerify(token, key);
    } else {
      const claims = new jose.SignJWT({ sub: `user${number}@example.com` });
      await claims.setProtectedHeader({ alg: ALGORITHMS[kind] }).sign(key);
    }
  }
  return key;
}

Promise.all(kinds.map(work)).then((alive) => {
  process.stdout.write("ready\n");
  process.stdin.on("data", () => process.exit(alive.length ? 0 : 1));
});
