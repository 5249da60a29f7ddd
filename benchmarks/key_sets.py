"""Public keys for the benchmarks: ten of mixed types, and many RSA moduli."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import images  # noqa: F401  (puts tests/ on the path)
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from drill import keys

MANY = 10_000
#: 142 primes have 10,011 pairwise products. Making each key by itself would take a quarter of an hour.
PRIMES = 142


def _prime_pool(path: Path) -> list[int]:
    if not path.exists():
        made = [rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(PRIMES // 2)]
        primes = [prime for key in made for prime in (key.private_numbers().p, key.private_numbers().q)]
        path.write_text(json.dumps(primes))
    return list(json.loads(path.read_text()))


def many_rsa(planted: Path, count: int, directory: Path) -> Path:
    """A JWKS of ``count`` RSA-2048 keys: the planted one first, then products of pairs out of a pool of
    primes."""
    path = directory / f"rsa-{count}-{planted.parent.name}.jwks"
    first = [key for key in _load(planted) if key["kty"] == "RSA"]
    pool = _prime_pool(directory / "primes.json") if count > 1 else []
    products = (p * q for p, q in itertools.combinations(pool, 2))
    others = [_rsa_jwk(n, f"other-{index}") for index, n in enumerate(itertools.islice(products, count - 1))]
    path.write_text(json.dumps({"keys": [*first, *others]}))
    return path


def ten_mixed(planted: Path, directory: Path) -> Path:
    """The planted keys and, to make ten, further RSA, P-256, P-384 and Ed25519 keys."""
    path = directory / f"mixed-{planted.parent.name}.jwks"
    others = [keys.make(kind).jwk for kind in ("rsa", "rsa", "p256", "ed25519")]
    others.append(keys.make("rsa", bits=4096).jwk)
    others.append(_p384())
    others += [keys.make(kind).jwk for kind in ("rsa", "p256", "ed25519", "p256", "rsa", "ed25519", "p256")]
    fill = [{**key, "kid": f"other-{index}"} for index, key in enumerate(others)]
    path.write_text(json.dumps({"keys": (_load(planted) + fill)[:10]}))
    return path


def _load(path: Path) -> list[dict[str, Any]]:
    return list(json.loads(path.read_text())["keys"])


def _rsa_jwk(n: int, kid: str) -> dict[str, str]:
    return {
        "kty": "RSA",
        "kid": kid,
        "n": keys.b64url(n.to_bytes(-(-n.bit_length() // 8), "big")),
        "e": "AQAB",
    }


def _p384() -> dict[str, str]:
    point = ec.generate_private_key(ec.SECP384R1()).public_key().public_numbers()
    x, y = (keys.b64url(value.to_bytes(48, "big")) for value in (point.x, point.y))
    return {"kty": "EC", "kid": "", "crv": "P-384", "x": x, "y": y}
