"""jwcrypto with a key from a JWK (over ``cryptography``)."""

from pathlib import Path

import common
from jwcrypto import jwk, jws

ALGORITHMS = {"rsa": "RS256", "p256": "ES256", "ed25519": "EdDSA"}


def sign(kind: str, directory: Path) -> object:
    key = jwk.JWK.from_json((directory / f"{kind}.jwk").read_text())
    tokens = []
    for number in range(common.ROUNDS):
        token = jws.JWS(f'{{"sub": "user{number}@example.com"}}')
        token.add_signature(key, None, {"alg": ALGORITHMS[kind]})
        tokens.append(token.serialize(compact=True))
    return key, tokens[-3:]


def verify(kind: str, directory: Path) -> object:
    key = jwk.JWK.from_json((directory / f"{kind}.pub.jwk").read_text())
    text = (directory / f"{kind}.token").read_text()
    for _ in range(common.ROUNDS):
        token = jws.JWS()
        token.allowed_algs = [ALGORITHMS[kind]]
        token.deserialize(text, key)
    return key


common.run(sign, verify)
