"""A token service as it looks after a day of work: sessions, documents, caches, and a few keys.

``token_service.py DIRECTORY MEGABYTES KIND...``. The data is seeded; the keys come from DIRECTORY.
"""

import array
import base64
import collections
import json
import random
import signal
import ssl
import sys
import zlib
from pathlib import Path

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

WORDS = Path(collections.__file__).read_text().split()
RANDOM = random.Random(20)
TOKENS = 3000


def load(path):
    buffer = bytearray(path.read_bytes())
    key = serialization.load_pem_private_key(buffer, None)
    buffer[:] = bytes(len(buffer))
    return key


def sign(key, text):
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(text, padding.PKCS1v15(), hashes.SHA256())
    return (
        key.sign(text, ec.ECDSA(hashes.SHA256()))
        if isinstance(key, ec.EllipticCurvePrivateKey)
        else key.sign(text)
    )


def issue(key, number):
    claims = {
        "sub": f"user{number}@example.com",
        "iat": 1700000000 + number,
        "roles": RANDOM.sample(WORDS, 3),
    }
    text = base64.urlsafe_b64encode(json.dumps(claims).encode())
    return text + b"." + base64.urlsafe_b64encode(sign(key, text))


def session(number):
    return {
        "id": f"{RANDOM.getrandbits(128):032x}",
        "user": f"user{number}@example.com",
        "address": f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}",
        "seen": 1700000000.0 + RANDOM.random() * 86400,
        "agent": "Mozilla/5.0 (X11; Linux x86_64) " + RANDOM.choice(WORDS),
        "claims": {"roles": RANDOM.sample(WORDS, 3), "level": number % 7},
        "count": number,
    }


def document(number):
    return json.dumps([session(number + offset) for offset in range(8)], indent=1)


def fill(megabytes):
    """About a gigabyte per 1000: half sessions, then documents, numbers, and some hundredths compressed or
    random."""
    part = megabytes * 1000
    store = {
        "sessions": {},
        "documents": [],
        "compressed": [],
        "numbers": [],
        "cache": collections.OrderedDict(),
    }
    for number in range(part // 2):
        entry = session(number)
        store["sessions"][entry["id"]] = entry
    for number in range(part // 18):
        store["documents"].append(document(number))
    for number in range(part // 600):
        text = "".join(
            store["documents"][(number * 7 + step) % len(store["documents"])] for step in range(16)
        )
        store["compressed"].append(zlib.compress(text.encode(), 1))
    for _ in range(part // 160):
        store["numbers"].append(array.array("d", [RANDOM.gauss(100, 15)]) * 700)
        store["numbers"].append(
            array.array("q", range(RANDOM.randrange(1 << 40), RANDOM.randrange(1 << 40, 1 << 41), 1 << 30))
        )
    for number in range(part // 200):
        store["cache"][number] = RANDOM.randbytes(RANDOM.randrange(64, 3000))  # sealed session blobs
    return store


def main():
    directory, megabytes, kinds = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
    authorities = ssl.create_default_context()
    store = fill(megabytes)
    keys = {kind: load(directory / f"{kind}.pem") for kind in kinds}
    store["tokens"] = [issue(key, number) for key in keys.values() for number in range(TOKENS)]
    print("ready", flush=True)
    while store and authorities:
        signal.pause()


main()
