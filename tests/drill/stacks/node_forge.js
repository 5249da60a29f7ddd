// node-forge (npm), RSA in plain JavaScript: "node node_forge.js sign|verify DIRECTORY rsa".
"use strict";
const fs = require("node:fs");
const path = require("node:path");
const forge = require("node-forge");

const [mode, directory, ...kinds] = process.argv.slice(2);

function work(kind) {
  const read = (name, how) => fs.readFileSync(path.join(directory, name), how);
  const digest = forge.md.sha256.create();
  if (mode === "sign") {
    const key = forge.pki.privateKeyFromPem(read(kind + ".pem", "utf8"));
    for (let number = 0; number < 50; number++) {
      key.sign(forge.md.sha256.create().update(`token ${number}`));
    }
    return key;
  }
  const key = forge.pki.publicKeyFromPem(read(kind + ".pub.pem", "utf8"));
  digest.update(read(kind + ".message", "latin1"));
  for (let number = 0; number < 50; number++) {
    if (!key.verify(digest.digest().bytes(), read(kind + ".sig", "latin1"))) throw new Error("bad signature");
  }
  return key;
}

const alive = kinds.map(work);
process.stdout.write("ready\n");
process.stdin.on("data", () => process.exit(alive.length ? 0 : 1));
