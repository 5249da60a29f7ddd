"""Records, state and status: what is told, and what is read back."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from immure.capture import records as recording
from immure.capture import status as looking
from immure.capture.desk import Desk
from immure.capture.keeping import Keeper, Kept
from immure.capture.pattern import Pattern
from immure.capture.records import write_record
from immure.capture.settings import Settings
from immure.capture.state import SCHEMA_ID, State, read_state
from immure.capture.status import Status, look
from immure.cli.capture_status import lines
from immure.errors import CaptureError

from .helpers import CRASH, MOMENT, MemoryVault, resources

KEPT = Kept(None, 17, signal=6, redaction={"findings": [], "redactions": []})


def test_a_record(tmp_path: Path) -> None:
    path = write_record(tmp_path / "records", CRASH, KEPT)
    record = json.loads(path.read_text())
    assert path.name == "core.signer.4711.20261125T010203Z.json"
    assert record["crash"] == CRASH.to_json()
    assert record["redaction"] == {"findings": [], "redactions": []}
    assert (record["size"], record["signal"], record["redacted"]) == (17, 6, True)
    assert path.stat().st_mode & 0o077 == 0
    assert path.parent.stat().st_mode & 0o077 == 0


def test_records_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "MOST_RECORDS", 2)
    for pid in (1, 2, 3):
        path = write_record(tmp_path, CRASH.__class__(pid, comm="x", time=MOMENT), KEPT)
        os.utime(path, (pid, pid))
    assert sorted(path.name[:8] for path in tmp_path.iterdir()) == ["core.x.2", "core.x.3"]


def test_records_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CaptureError, match="the record cannot be written"):
        write_record(tmp_path / "file", CRASH, KEPT)


def make_state(tmp_path: Path) -> State:
    desk = Desk(Keeper("sealed", MemoryVault()), resources(tmp_path))
    desk.counters.arrived = 3
    desk.counters.drop("disk")
    desk.last.append({"outcome": "dropped", "reason": "disk", **CRASH.to_json()})
    return State(desk, Settings(runtime=str(tmp_path)), clock=lambda: MOMENT)


def test_the_state_is_written_and_read(tmp_path: Path) -> None:
    state = make_state(tmp_path)
    state.update()
    found = read_state(tmp_path / "capture.json")
    assert found == json.loads(json.dumps(state.to_json()))
    assert found["counters"]["under_way"] == 2
    (tmp_path / "capture.json").unlink()
    state.update(at_once=True)
    assert not (tmp_path / "capture.json").exists()  # nothing has changed


def test_no_state(tmp_path: Path) -> None:
    assert read_state(tmp_path / "none") is None


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "[" * 5000, '{"schema": "other"}'])
def test_what_is_no_state(tmp_path: Path, text: str) -> None:
    (tmp_path / "capture.json").write_text(text)
    with pytest.raises(CaptureError):
        read_state(tmp_path / "capture.json")


@pytest.mark.parametrize(
    ("pattern", "alive", "active", "owner"),
    [
        ("@@/run/immure/core.sock", True, True, "immure"),
        ("@/run/immure/core.sock", True, True, "immure"),
        ("@@/run/immure/core.sock", False, False, "immure"),
        ("@@/run/immure/other.sock", True, False, "immure"),
        ("|/usr/bin/immure capture handle %P %s %u %g", True, True, "immure"),
        ("|/usr/lib/systemd/systemd-coredump %P", True, False, "systemd-coredump"),
        ("core", True, False, "the kernel writes files"),
        (None, True, False, "unknown"),
    ],
)
def test_who_is_active(tmp_path: Path, pattern: str | None, alive: bool, active: bool, owner: str) -> None:
    found = None if pattern is None else Pattern(pattern)
    status = Status(found, alive, make_state(tmp_path).to_json(), "/run/immure/core.sock", False)
    assert (status.is_active, status.owner) == (active, owner)
    text = "\n".join(lines(status))
    assert text.startswith("ACTIVE" if active else "NOT ACTIVE")
    assert "1: the disk is full, or cannot be written (disk)" in text
    assert "signer[4711]  dropped: disk" in text
    assert status.to_json()["active"] is active


def test_looking_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looking, "read_pattern", lambda: Pattern("core"))
    make_state(tmp_path).update()
    before = sorted(tmp_path.iterdir())
    status = look(Settings(runtime=str(tmp_path)))
    assert not status.alive
    assert status.state is not None
    assert status.state["schema"] == SCHEMA_ID
    assert sorted(tmp_path.iterdir()) == before
