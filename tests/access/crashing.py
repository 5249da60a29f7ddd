"""A process that lets events happen in a room until it is killed, and says what was acknowledged.

    python crashing.py ROOM SEED TIME

Responses to ceremonies come on standard input, one JSON object on a line; the outcome of each goes to
standard output when it was acknowledged.
"""

from __future__ import annotations

import json
import sys
from datetime import datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from access.rooms import Clock, Signer
from immure.access import Door


def signer_of(seed: bytes) -> Signer:
    made = Signer.__new__(Signer)
    key = Ed25519PrivateKey.from_private_bytes(seed)
    made._key, made.public_key = key, key.public_key().public_bytes_raw()
    return made


def main() -> None:
    room, seed, at = sys.argv[1:]
    door = Door.open(room, signer=signer_of(bytes.fromhex(seed)), clock=Clock(datetime.fromisoformat(at)))
    print("ready", flush=True)
    for line in sys.stdin:
        done = door.complete(line)
        print(json.dumps({"id": done.id, "state": done.state, "entry": done.entry}), flush=True)


if __name__ == "__main__":
    main()
