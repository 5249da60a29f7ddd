"""Killed at any moment, a front end loses no token that it released, and invents none.

A few dozen here; a thousand on SQLite, and as many on PostgreSQL, in ``tests/drill/test_ledger_crashes.py``.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from immure.ledger.ledger import Ledger
from immure.ledger.row import Issued
from ledger import crashing
from ledger.crashing import Crashes, crash_often


@pytest.mark.parametrize(
    ("kind", "count", "together"), [("sqlite", 40, 1), ("sqlite", 16, 2), ("postgresql", 40, 2)]
)
def test_killed_at_any_moment(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str, count: int, together: int
) -> None:
    place = str(tmp_path / "ledger.db") if kind == "sqlite" else request.getfixturevalue("postgres").url()
    crashes = Crashes(place, tmp_path / "log")
    crash_often(crashes, count, together=together)
    assert crashes.count == count
    assert len(crashes.released) > count  # they were at work
    assert crashes.sealed > 0


def test_a_front_end_that_releases_too_early_is_found_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The test can fail: tokens that leave before their row is on the disk are missed."""
    real = Ledger.record

    def early(self: Ledger, row: Issued, **more: Any) -> int:
        os.write(crashing_pipe(), b"r" + row.digest)
        return real(self, row, **more)

    crashes = Crashes(str(tmp_path / "ledger.db"), tmp_path / "log")
    pipes: list[int] = []
    monkeypatch.setattr(Ledger, "record", early)
    crashing_pipe = pipes_of(monkeypatch, pipes)
    with pytest.raises(AssertionError):
        crash_often(crashes, 100, every=1)


def pipes_of(monkeypatch: pytest.MonkeyPatch, pipes: list[int]) -> Callable[[], int]:
    """The pipe of the front end in whose process it is asked."""
    real = crashing.front_end

    def front_end(place: str, logs: Path, signer: Any, pipe: int, seals: bool) -> None:
        pipes.append(pipe)
        real(place, logs, signer, pipe, seals)

    monkeypatch.setattr(crashing, "front_end", front_end)
    return lambda: pipes[-1]
