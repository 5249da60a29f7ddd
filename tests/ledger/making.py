"""Rows, logs and clocks for the tests of the ledger."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from immure.auditlog import AuditLog
from immure.ledger.row import Issued

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
T = int(NOW.timestamp())
ISSUER = "https://login.example/consumer"
OTHER = "https://login.example/enterprise"
_numbers = itertools.count(1)


def row(**changes: Any) -> Issued:
    """A row with a digest that no other has."""
    values: dict[str, Any] = {
        "digest": next(_numbers).to_bytes(16, "big"),
        "issuer": ISSUER,
        "kid": "k1",
        "issued_at": T,
        "expires": T + 3600,
        "subject": "ada",
        "audience": ("https://mail.example",),
        "tenant": "t",
        "client": "c",
        "session": "s",
    }
    return Issued(**{**values, **changes})


class NoteKeyPair:
    """Signs checkpoints."""

    name = "login.example/ledger"

    def __init__(self) -> None:
        self._key = Ed25519PrivateKey.generate()
        self.public_key = self._key.public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        return self._key.sign(message)


class Times:
    """A clock and a counter of seconds, which a test moves on."""

    def __init__(self) -> None:
        self.moment = NOW
        self.passed = 0.0

    def now(self) -> datetime:
        return self.moment

    def monotonic(self) -> float:
        return self.passed

    def go(self, seconds: float, *, set_by: float = 0) -> None:
        """Let time pass; ``set_by`` says by how much somebody also set the clock."""
        self.passed += seconds
        self.moment += timedelta(seconds=seconds + set_by)


def make_log(directory: Path, signer: NoteKeyPair) -> AuditLog:
    return AuditLog.create(directory, origin=signer.name, signer=signer, clock=lambda: NOW)
