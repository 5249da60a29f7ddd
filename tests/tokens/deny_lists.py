"""Deny-lists made for the tests, signed for real, whatever they say."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from immure.tokens.deny_list import TYPE
from immure.tokens.deny_list_guard import DenyListGuard
from immure.tokens.deny_list_store import DenyListStore
from immure.tokens.keyset import KeySet
from tokens.minting import ISSUER, jwk, sealed

NAME = "https://login.example/deny-list"
SIGNER = "Ed25519:deny-list"


def now() -> int:
    return int(datetime.now(UTC).timestamp())


def pinned(*names: str) -> KeySet:
    """Keys that may sign lists."""
    return KeySet.from_jwks({"keys": [jwk(name) for name in names or (SIGNER,)]}, "pinned")


def entry(**changes: Any) -> dict[str, Any]:
    made = {"issuer": ISSUER, "kid": "Ed25519", "since": 1790000000, "reason": "compromised"} | changes
    return {name: value for name, value in made.items() if value is not None}


def members(sequence: int = 1, **changes: Any) -> dict[str, Any]:
    """The payload of a list with one key on it; a change of None leaves a member out."""
    issued = now()
    made = {
        "v": 1,
        "iss": NAME,
        "seq": sequence,
        "iat": issued,
        "exp": issued + 3600,
        "keys": [entry()],
        "not_before": {},
    } | changes
    return {name: value for name, value in made.items() if value is not None}


def signed(payload: dict[str, Any] | bytes, key: str = SIGNER, alg: str = "EdDSA", **header: Any) -> bytes:
    head = {"alg": alg, "kid": key, "typ": TYPE} | header
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return sealed(
        json.dumps({n: v for n, v in head.items() if v is not None}).encode(), body, key, alg
    ).encode()


def listed(sequence: int = 1, **changes: Any) -> bytes:
    """A good list."""
    return signed(members(sequence, **changes))


def store(directory: Path) -> DenyListStore:
    return DenyListStore(directory / "deny-list.jwt", name=NAME, keys=pinned())


def guard(directory: Path, **options: Any) -> DenyListGuard:
    """One that looks each time that it is asked."""
    ticks = iter(range(0, 1 << 40, 1000))
    return DenyListGuard(store(directory), ticks=lambda: float(next(ticks)), **options)
