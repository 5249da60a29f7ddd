"""An incident to test with: its key, a clock, and processes that are killed."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from immure.custody import open_signer
from immure.custody.generate import generate
from immure.custody.signer import Signer
from immure.response.finding import Finding
from immure.response.incident import Incident

FOUND = Finding("key-in-dump", kid="k1", issuer="https://login.example", summary="found in app.core")
BEGIN = 1_790_000_000


class Clock:
    """A second more each time it is asked."""

    def __init__(self, at: int = BEGIN) -> None:
        self.at = at

    def __call__(self) -> datetime:
        self.at += 1
        return datetime.fromtimestamp(self.at, UTC)


def make_key(directory: Path, name: str = "incident.key") -> Signer:
    generate(directory / name)
    return open_signer(f"file:{directory / name}")


def opened(folder: Path, key: Signer, *, finding: Finding = FOUND) -> Incident:
    return Incident.open_new(folder, finding=finding, actor="ann", key=key, clock=Clock(), name="test-1")


def in_child(work: Callable[[], None]) -> int:
    """Do ``work`` in a process of its own; the signal that has ended it, or 0."""
    child = os.fork()
    if child == 0:
        try:
            work()
            os._exit(0)
        finally:  # nothing of the tests goes on in the child
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.waitstatus_to_exitcode(status) == 0
    return os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
