"""PyJWT with a key from a JWK (over ``cryptography``)."""

from pathlib import Path

import common
import jwt

ALGORITHMS = {"rsa": "RS256", "p256": "ES256", "ed25519": "EdDSA"}


def sign(kind: str, directory: Path) -> object:
    key = jwt.PyJWK.from_json((directory / f"{kind}.jwk").read_text(), algorithm=ALGORITHMS[kind])
    claims = [{"sub": f"user{number}@example.com"} for number in range(common.ROUNDS)]
    return key, [jwt.encode(claim, key.key, ALGORITHMS[kind]) for claim in claims][-3:]


def verify(kind: str, directory: Path) -> object:
    key = jwt.PyJWK.from_json((directory / f"{kind}.pub.jwk").read_text(), algorithm=ALGORITHMS[kind])
    token = (directory / f"{kind}.token").read_text()
    return key, [jwt.decode(token, key.key, [ALGORITHMS[kind]]) for _ in range(common.ROUNDS)][-3:]


common.run(sign, verify)
