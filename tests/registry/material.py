"""Keys, records and documents for the tests; every key is made when it is first asked for."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from immure.keymaterial.key import Origin, PublicKey
from immure.registry.record import KeyRecord
from immure.registry.scope import KeyScope
from immure.registry.state import KeyState
from keymaterial.keys import key, numbers

NOW = datetime(2026, 11, 25, 1, 2, 3, tzinfo=UTC)
DAY = timedelta(days=1)
ISSUER = "https://login.example"
OTHER = "https://other.example"
TEMPLATE = "https://login.example/{tenantid}/v2.0"
TENANT = "7ab8a5a2-4c4e-4b5c-8d7c-0b7a3c9d1e2f"

#: How a key comes into each state.
WAYS = {
    KeyState.PRE_ACTIVE: (KeyState.PRE_ACTIVE,),
    KeyState.ACTIVE: (KeyState.PRE_ACTIVE, KeyState.ACTIVE),
    KeyState.SUSPENDED: (KeyState.ACTIVE, KeyState.SUSPENDED),
    KeyState.DEACTIVATED: (KeyState.ACTIVE, KeyState.DEACTIVATED),
    KeyState.COMPROMISED: (KeyState.ACTIVE, KeyState.COMPROMISED),
    KeyState.DESTROYED: (KeyState.PRE_ACTIVE, KeyState.DESTROYED),
}


def public(kind: str = "Ed25519", number: int = 0, **origin: Any) -> PublicKey:
    return PublicKey(numbers(key(kind, number)), Origin("test", **origin))


def jwk(kind: str = "Ed25519", number: int = 0, **members: Any) -> dict[str, Any]:
    return {**public(kind, number).to_jwk(), **members}


def document(*members: Any) -> bytes:
    return json.dumps({"keys": list(members)}).encode()


def record(
    kind: str = "Ed25519",
    number: int = 0,
    *,
    kid: str | None = None,
    scope: KeyScope | None = None,
    state: KeyState = KeyState.PRE_ACTIVE,
    at: datetime = NOW - 2 * DAY,
) -> KeyRecord:
    first, *rest = WAYS[state]
    made = KeyRecord.new(
        public(kind, number), kid or f"{kind}-{number}", scope, by="tester", at=at, state=first
    )
    for one in rest:
        made = made.become(one, reason="test", by="tester", at=at)
    return made
