"""A signer, logs to test with, and the plain twin of the tree."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from immure.auditlog import AuditLog, NoteKey
from immure.clock import Clock
from immure.errors import LogError

ORIGIN = "logs.example/gate"


class SoftwareSigner:
    """An Ed25519 key in memory; the same seed gives the same key."""

    def __init__(self, seed: int = 1, name: str = ORIGIN) -> None:
        self.name = name
        self._key = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"%d" % seed).digest())
        self.public_key = self._key.public_key().public_bytes_raw()
        self.calls = 0

    def sign(self, message: bytes) -> bytes:
        self.calls += 1
        return self._key.sign(message)


SIGNER = SoftwareSigner()
KEY = NoteKey(SIGNER.name, SIGNER.public_key)


def ticking() -> Clock:
    """A clock that goes on by a second and a half each time it is asked."""
    seconds = count(0, 1.5)
    return lambda: datetime(2026, 11, 25, tzinfo=UTC) + timedelta(seconds=next(seconds))


def make_log(directory: Path, entries: int = 0) -> AuditLog:
    """A log with so many small entries."""
    log = AuditLog.create(directory, origin=ORIGIN, signer=SIGNER, clock=ticking())
    for number in range(entries):
        log.append("gate.allow" if number % 3 else "gate.deny", {"number": number})
    return log


def numbers(log: AuditLog) -> list[object]:
    """What :func:`make_log` and the tests wrote into the entries."""
    return [entry.body["number"] for entry in log.entries()]


def error_of(call: Callable[[], object]) -> LogError | None:
    """The LogError that ``call`` raises, or None."""
    try:
        call()
    except LogError as error:
        return error
    return None


# --- the tree as RFC 9162 defines it: recursive, slow, over all leaves ---


def naive_root(leaves: list[bytes]) -> bytes:
    """Section 2.1.1."""
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    k = largest_power_below(len(leaves))
    return hashlib.sha256(b"\x01" + naive_root(leaves[:k]) + naive_root(leaves[k:])).digest()


def naive_inclusion(m: int, leaves: list[bytes]) -> list[bytes]:
    """PATH of section 2.1.3.1."""
    if len(leaves) == 1:
        return []
    k = largest_power_below(len(leaves))
    if m < k:
        return [*naive_inclusion(m, leaves[:k]), naive_root(leaves[k:])]
    return [*naive_inclusion(m - k, leaves[k:]), naive_root(leaves[:k])]


def naive_consistency(m: int, leaves: list[bytes], whole: bool = True) -> list[bytes]:
    """PROOF and SUBPROOF of section 2.1.4.1."""
    if m == len(leaves):
        return [] if whole else [naive_root(leaves)]
    k = largest_power_below(len(leaves))
    if m <= k:
        return [*naive_consistency(m, leaves[:k], whole), naive_root(leaves[k:])]
    return [*naive_consistency(m - k, leaves[k:], False), naive_root(leaves[:k])]


def largest_power_below(n: int) -> int:
    k = 1
    while 2 * k < n:
        k *= 2
    return k
