"""Documents that people sign with their hardware keys, and the challenges that stand for them.

>>> one = make("deny", "prd-ada", "room 1", {"request": "r1"}, at=START)   # doctest: +SKIP
>>> len(challenge(one))                                                    # doctest: +SKIP
32

A challenge is the SHA-256 of the document in canonical JSON (RFC 8785): whoever has the entry of the log has
the document, and sees that the key has signed this one and no other. The nonce makes it random, as WebAuthn
asks for (section 13.4.3), and fit for one use.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from immure.access.texts import encode, spelled
from immure.auditlog import JSON
from immure.auditlog.canonical import canonical

VERSION: Final = 1
#: How long a ceremony may take, from the challenge to the response.
PATIENCE: Final = timedelta(minutes=5)


def make(
    act: str,
    account: str,
    room: str,
    particulars: Mapping[str, JSON],
    *,
    at: datetime,
    nonce: str | None = None,
) -> dict[str, JSON]:
    """A document: that ``account`` does ``act`` in the room of that id."""
    return {
        **particulars,
        "v": VERSION,
        "room": room,
        "act": act,
        "account": account,
        "issued": spelled(at),
        "nonce": nonce or encode(secrets.token_bytes(16)),
    }


def challenge(document: Mapping[str, Any]) -> bytes:
    """What is to be signed for a document: 32 bytes."""
    return hashlib.sha256(canonical(document)).digest()
