"""Tokens, good and bad, for every relying party: each is refused by the rule in its row.

Keys and policy are the incident's: one key set for consumers and enterprises, of which one consumer key is
in the hands of a thief.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from immure.digest import signed_digest
from immure.keymaterial.key import b64url
from tokens.minting import CHAT, CONSUMER_ISSUER, CONSUMERS, LOGIN, OTHER_TENANT, Mint, claims

ACCEPTED = ""
ENTERPRISE_KEY, CONSUMER_KEY = "Ed25519", "Ed25519:consumer"
GOOD, THIEF = Mint(), Mint(key=CONSUMER_KEY)
_ELSEWHERE = {"iss": f"{LOGIN}/{OTHER_TENANT}/v2.0", "tid": OTHER_TENANT}
_CONSUMER = {"iss": CONSUMER_ISSUER, "tid": CONSUMERS}


def fresh(mint: Mint = GOOD, **changes: object) -> str:
    """A token of this moment that no other test has; MAIL is whom it is for, unless ``aud`` is given."""
    now = int(time.time())
    times = {"iat": now - 60, "nbf": now - 60, "exp": now + 3600, "jti": str(uuid.uuid4())}
    return mint.token(**{**times, **changes})


def digest(token: str) -> bytes | None:
    """The name that the acceptance log has for a token; None for what has not three parts."""
    parts = token.split(".")
    return signed_digest(f"{parts[0]}.{parts[1]}".encode()) if len(parts) == 3 and all(parts) else None


def long(size: int) -> str:
    """A good token of at least ``size`` characters."""
    return fresh(padding="x" * (size * 3 // 4))


def _alg_none(signature: str = "") -> str:
    now = int(time.time())
    said = claims(iat=now - 60, nbf=now - 60, exp=now + 3600, jti=str(uuid.uuid4()))
    header = {"alg": "none", "typ": "JWT"}
    return f"{b64url(json.dumps(header).encode())}.{b64url(json.dumps(said).encode())}.{signature}"


def _altered() -> str:
    head, payload, signature = fresh().split(".")
    return f"{head}.{payload}.{signature[:9]}{'A' if signature[9] != 'A' else 'B'}{signature[10:]}"


@dataclass(frozen=True)
class Case:
    """A kind of token, and the rule that refuses it."""

    name: str
    make: Callable[[], str]
    rule: str
    submitted: bool = False  # also tried where mail is submitted: the same questions go to our server


BAD = [
    Case("incident: consumer key, enterprise issuer", lambda: fresh(THIEF), "key-issuer", True),
    Case("incident, with the key's own tenant", lambda: fresh(THIEF, tid=CONSUMERS), "key-issuer"),
    Case(
        "consumer token at an enterprise audience",
        lambda: fresh(THIEF, **_CONSUMER),
        "token-audience-class",
        True,
    ),
    Case("of another tenant", lambda: fresh(**_ELSEWHERE), "token-tenant"),
    Case("of another audience", lambda: fresh(aud=CHAT), "token-audience"),
    Case("expired", lambda: fresh(exp=int(time.time()) - 3600), "token-expired", True),
    Case("altered", _altered, "token-signature"),
    Case("alg none, no signature", _alg_none, "token-form"),
    Case("alg none, some signature", lambda: _alg_none(b64url(bytes(64))), "token-alg"),
    Case("unknown key", lambda: fresh(Mint(key="Ed25519:other")), "key-unknown"),
    Case("unknown issuer", lambda: fresh(iss="https://elsewhere.example"), "token-issuer"),
    Case("DPoP-bound, without proof", lambda: fresh(cnf={"jkt": "x" * 43}), "token-confirmation"),
    Case("garbage", lambda: "not-a-token", "token-form"),
]
