"""Rows, logs and clocks for the tests of the ledger."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from immure.auditlog import AuditLog, verify_log
from immure.clock import Clock
from immure.ledger.opening import open_ledger
from immure.ledger.row import Issued
from immure.ledger.sealing import Sealer
from immure.ledger.verify import Checked, verify_ledger

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


def make_log(directory: Path, signer: NoteKeyPair, clock: Clock = lambda: NOW) -> AuditLog:
    return AuditLog.create(directory, origin=signer.name, signer=signer, clock=clock)


class House:
    """A ledger with its log, in SQLite unless another place is given."""

    def __init__(self, directory: Path, place: str = "") -> None:
        self.directory = directory
        self.place = place or str(directory / "ledger.db")
        self.path = directory / "ledger.db"
        self.logs = directory / "log"
        self.signer = NoteKeyPair()
        self.times = Times()
        self.log = make_log(self.logs, self.signer, self.times.now)
        self.store = open_ledger(self.place, create=True)

    def sealer(self, **changes: Any) -> Sealer:
        return Sealer(self.store, self.log, time=self.times.now, monotonic=self.times.monotonic, **changes)

    def open_log(self) -> AuditLog:
        return AuditLog.open(self.logs, signer=self.signer, clock=self.times.now)

    def now(self) -> int:
        return int(self.times.moment.timestamp())

    def some(self, count: int, **changes: Any) -> list[Issued]:
        return [row(issued_at=self.now(), **changes) for _ in range(count)]

    def batch(self, *rows: Issued, sealer: Sealer | None = None) -> None:
        """Record rows, close them, and let ten seconds pass."""
        assert all(isinstance(one, int) for one in self.store.append(rows))
        (sealer or self.sealer()).seal_all()
        self.times.go(10)

    def checked(self) -> dict[str, Checked]:
        verify_log(self.logs, public_key=self.signer.public_key)
        return {one.issuer: one for one in verify_ledger(self.store, AuditLog.open(self.logs).entries())}

    def verify(self) -> dict[str, tuple[int, int, int, int]]:
        return {name: (one.batches, one.rows, one.pruned, one.open) for name, one in self.checked().items()}
