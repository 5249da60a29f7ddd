"""How many tokens a second one core validates: Immure, the usual libraries, and the floor, which is
``cryptography`` verifying the same signatures and doing nothing else.

    python benchmarks/token_speed.py            # writes results/token_speed.json

Every program gets the same tokens, one after another and each of them different, a JWKS of ten keys, and
checks issuer, audience and expiry. Only Immure checks what the key may sign for. Rounds are interleaved, so
that a busy neighbour hits all alike; the best round counts, as CPU time of this process.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import measure
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, utils

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from immure.keymaterial.key import b64url
from immure.tokens.errors import TokenError
from immure.tokens.policy import IssuerRule, Policy
from immure.tokens.sources.static import StaticSource
from immure.tokens.validator import Validator
from tokens.minting import Mint, jwk, key_set, private, sign

ISSUER, AUDIENCE = "https://login.example/", "https://api.example"
KINDS = {"RS256": "RS", "ES256": "ES256", "EdDSA": "Ed25519"}
TOKENS, ROUNDS = 400, 9
Check = Callable[[str], Any]


def payload(number: int) -> dict[str, Any]:
    """Sixteen claims."""
    scopes = "mail.read mail.send"
    now = int(time.time())
    return {
        "iss": ISSUER, "aud": AUDIENCE, "sub": f"user-{number:08}", "exp": now + 36000, "iat": now,
        "nbf": now,
        "jti": f"{number:032x}", "client_id": "mail", "scope": scopes,
        "azp": "mail",
        "name": "Ada Example", "email": f"user{number}@mail.example", "email_verified": True,
        "roles": ["reader", "writer"], "auth_time": now - 100, "ver": "2.0",
    }  # fmt: skip


def tokens(kind: str, alg: str) -> list[str]:
    return [Mint(kind, alg, payload=json.dumps(payload(n)).encode()).token() for n in range(TOKENS)]


def jwks(kind: str, alg: str, count: int) -> dict[str, Any]:
    """One key that signs, and others of its kind."""
    others = [f"{kind}:{number}" for number in range(min(count, 10) - 1)]
    keys = [jwk(name, issuer=None, alg=alg, use="sig") for name in [*others, kind]]
    keys += [{**keys[n % 9], "kid": f"more-{n}"} for n in range(count - len(keys))]
    return {"keys": keys}


def floor(kind: str, alg: str, given: list[str]) -> Check:
    """Only the signature; the bytes were taken out of the token beforehand."""
    key = private(kind).public_key()
    made: dict[str, tuple[bytes, bytes]] = {}
    for token in given:
        signed = token.rpartition(".")[0].encode()
        signature = sign(kind, alg, signed)
        if alg == "ES256":
            r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
            signature = utils.encode_dss_signature(r, s)
        made[token] = signature, signed
    if alg == "RS256":
        fill, sha = padding.PKCS1v15(), hashes.SHA256()
        return lambda token: key.verify(*made[token], fill, sha)
    if alg == "ES256":
        how = ec.ECDSA(hashes.SHA256())
        return lambda token: key.verify(*made[token], how)
    return lambda token: key.verify(*made[token])


def immure(keys: dict[str, Any], alg: str) -> Check:
    source = StaticSource(key_set(*keys["keys"], issuer=ISSUER))
    rule = IssuerRule(source, "enterprise", algorithms=frozenset({alg}))
    return Validator(Policy({ISSUER: rule}, {AUDIENCE: frozenset({"enterprise"})})).validate


def pyjwt(keys: dict[str, Any], alg: str) -> Check:
    import jwt

    by_kid = {key.key_id: key.key for key in jwt.PyJWKSet.from_dict(keys).keys}

    def check(token: str) -> Any:
        key = by_kid[jwt.get_unverified_header(token)["kid"]]
        return jwt.decode(token, key, algorithms=[alg], audience=AUDIENCE, issuer=ISSUER)

    return check


def joserfc(keys: dict[str, Any], alg: str) -> Check:
    from joserfc import jwt
    from joserfc.jwk import KeySet

    known = KeySet.import_key_set(keys)
    wanted = {"iss": {"essential": True, "value": ISSUER}, "aud": {"essential": True, "value": AUDIENCE}}
    registry = jwt.JWTClaimsRegistry(**wanted, exp={"essential": True})
    names = [alg] if alg != "EdDSA" else ["EdDSA", "Ed25519"]

    def check(token: str) -> Any:
        found = jwt.decode(token, known, algorithms=names)
        registry.validate(found.claims)
        return found

    return check


def authlib(keys: dict[str, Any], alg: str) -> Check:
    import warnings

    warnings.simplefilter("ignore")  # it warns that it will go
    from authlib.jose import JsonWebKey, JsonWebToken

    known, reader = JsonWebKey.import_key_set(keys), JsonWebToken([alg])
    wanted = {"iss": {"essential": True, "value": ISSUER}, "aud": {"essential": True, "value": AUDIENCE}}

    def check(token: str) -> Any:
        found = reader.decode(token, known, claims_options=wanted)
        found.validate()
        return found

    return check


def jwcrypto(keys: dict[str, Any], alg: str) -> Check:
    from jwcrypto.jwk import JWKSet
    from jwcrypto.jwt import JWT

    known = JWKSet.from_json(json.dumps(keys))
    wanted = {"iss": ISSUER, "aud": AUDIENCE, "exp": None}
    return lambda token: (
        JWT(jwt=token, key=known, algs=[alg], check_claims=wanted, expected_type="JWS").claims
    )


def python_jose(keys: dict[str, Any], alg: str) -> Check:
    from jose import jwt

    return lambda token: jwt.decode(token, keys, algorithms=[alg], audience=AUDIENCE, issuer=ISSUER)


PEERS = {
    "joserfc": joserfc,
    "PyJWT": pyjwt,
    "Authlib": authlib,
    "jwcrypto": jwcrypto,
    "python-jose": python_jose,
}


def programs(kind: str, alg: str, given: list[str]) -> Iterator[tuple[str, Check | None, str]]:
    """Name, check, and why there is none."""
    keys = jwks(kind, alg, 10)
    yield "floor", floor(kind, alg, given), ""
    yield "immure", immure(keys, alg), ""
    yield "immure, 10,000 keys", immure(jwks(kind, alg, 10_000), alg), ""
    for name, make in PEERS.items():
        try:
            check = make(keys, alg)
            check(given[0])
        except Exception as error:  # noqa: BLE001 - a peer may be missing, or not know the algorithm
            yield name, None, f"{type(error).__name__}: {error}"[:120]
        else:
            yield name, check, ""


def timed(check: Check, given: list[str]) -> float:
    """CPU seconds for all tokens."""
    begun = time.process_time()
    for token in given:
        check(token)
    return time.process_time() - begun


def measured(kind: str, alg: str) -> dict[str, Any]:
    given = tokens(kind, alg)
    listed = list(programs(kind, alg, given))
    best: dict[str, float] = {}
    for _ in range(ROUNDS):
        for name, check, _why in listed:
            if check is not None:
                best[name] = min(best.get(name, 1e9), timed(check, given))
    result: dict[str, Any] = {name: {"missing": why} for name, check, why in listed if check is None}
    for name, seconds in best.items():
        result[name] = {
            "per_second": round(TOKENS / seconds),
            "times_floor": round(seconds / best["floor"], 2),
        }
    return result


def junk() -> float:
    """CPU milliseconds until 8 MiB of junk are refused."""
    refuse = immure(jwks("Ed25519", "EdDSA", 10), "EdDSA")
    begun = time.process_time()
    for _ in range(1000):
        try:
            refuse(JUNK)
        except TokenError:
            continue
        raise AssertionError("junk was accepted")
    return time.process_time() - begun  # seconds for a thousand: milliseconds for one


JUNK = ".".join(b64url(b"x" * (8 << 18)) for _ in range(3))


def main() -> None:
    results = {alg: measured(kind, alg) for alg, kind in KINDS.items()}
    for alg, rows in results.items():
        print(alg)
        for name, row in rows.items():
            print(
                f"  {name:<20} {row.get('per_second', row.get('missing'))!s:>10} {row.get('times_floor', '')}"
            )
    waste = junk()
    print(f"8 MiB of junk refused in {waste:.4f} ms")
    path = measure.save("token_speed", {"tokens": TOKENS, "junk_ms": waste, "results": results})
    print(path)


if __name__ == "__main__":
    main()
