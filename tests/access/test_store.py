"""Database and log belong together: crashes, backups that were put back, alterations."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from access.crashing import signer_of
from access.rooms import Clock, World, policy_text
from immure.access import (
    AccessError,
    Approval,
    DeniedError,
    Door,
    Grant,
    HardwareKey,
    NoGrantError,
    Request,
    StaleError,
)
from immure.access.restoring import restore_room
from immure.auditlog import AuditLog, parse_checkpoint
from immure.errors import LogError

PROGRAM = Path(__file__).with_name("crashing.py")


def snapshot(world: World, name: str) -> Path:
    target = world.path.parent / name
    shutil.copytree(world.path, target)
    return target


def put_back(world: World, source: Path, *names: str) -> None:
    world.door.close()
    for name in names:
        target = world.path / name
        if target.is_dir():
            shutil.rmtree(target)
            shutil.copytree(source / name, target)
        else:
            shutil.copy(source / name, target)


# --- backups ---


def test_a_database_from_a_backup_is_noticed_and_made_anew(world: World) -> None:
    """The grant was revoked after the backup: with the old database it would be live again."""
    grant = world.granted()
    backup = snapshot(world, "backup")
    world.sign(world.door.begin_revocation("prd-barbara", grant, "not needed any more"))
    put_back(world, backup, "door.db")
    for signer in (world.signer, None):
        with pytest.raises(StaleError, match="1 entries that the database does not know"):
            world.open(signer=signer)
    assert restore_room(world.path, signer=world.signer, clock=world.clock) == 21
    assert (world.path / "door.db.before").exists()
    world.door = world.open()
    with pytest.raises(NoGrantError, match="is revoked"):
        world.door.live_grant("room:debug", "enter")
    world.door.verify()


def test_a_backup_under_a_door_that_is_open(world: World) -> None:
    """It is noticed when the next event is to be written."""
    backup = snapshot(world, "backup")
    world.ask()
    other = sqlite3.connect(backup / "door.db")
    mine = sqlite3.connect(world.path / "door.db")
    other.backup(mine)
    other.close()
    mine.close()
    with pytest.raises(StaleError, match="put back to an older state"):
        world.ask()


def test_a_log_from_a_backup_is_noticed(world: World) -> None:
    backup = snapshot(world, "backup")
    world.granted()
    put_back(world, backup, "log")
    for signer in (world.signer, None):
        with pytest.raises(StaleError, match="it was put back"):
            world.open(signer=signer)


def test_both_from_a_backup_are_noticed_by_a_checkpoint_that_was_kept(world: World) -> None:
    backup = snapshot(world, "backup")
    grant = world.granted()
    world.sign(world.door.begin_revocation("prd-barbara", grant, "not needed any more"))
    kept = parse_checkpoint(world.door.log.checkpoint().note)
    put_back(world, backup, "log", "door.db")
    world.open().close()  # nothing in the room itself tells
    with pytest.raises(LogError, match="it was put back"):
        world.open(known=kept)


def test_another_log_with_the_same_key(world: World, place: Path) -> None:
    other = World(place / "other", signer=world.signer).found("x1", "x2", "x3", "x4")
    for number in range(8):
        other.ask("prd-x1", purpose=f"to have {number} entries more")
    other.door.close()
    put_back(world, other.path, "log")
    with pytest.raises(StaleError, match=r"not the one that the database has seen|put back"):
        world.open()


# --- alterations ---


def test_a_grant_that_was_written_into_the_database(world: World) -> None:
    """Whoever can write the file can let somebody in, until somebody looks: the log does not know of it."""
    grant = world.granted()
    database = sqlite3.connect(world.path / "door.db")
    (body,) = database.execute("SELECT body FROM records WHERE kind = 'grant'").fetchone()
    forged = {**json.loads(body), "id": "a" * 16, "account": "prd-grace", "person": "P-grace"}
    text = json.dumps(forged, separators=(",", ":"), sort_keys=True)
    database.execute("INSERT INTO records VALUES ('grant', ?, 'granted', 'prd-grace', ?)", ("a" * 16, text))
    database.commit()
    database.close()
    with pytest.raises(StaleError, match="does not follow from the log"):
        world.door.verify()
    assert grant


def test_an_approval_that_the_holder_of_the_logs_key_has_made_up(world: World) -> None:
    """The key of the log signs entries; approvals are signed by hardware keys, and nothing else."""
    request = world.ask()
    shown = world.door.begin_approval("prd-grace", request)
    response = world.touch(shown, lambda made: made.but(signature=bytes.fromhex("3006020101020101")))
    log = AuditLog.open(world.path / "log", signer=world.signer, clock=world.clock)
    body: dict[str, Any] = {
        "document": dict(shown.document),
        "assertion": response,
        "at": "2026-11-30T09:00:00Z",
    }
    log.append("access.approve", body)
    world.door.close()
    with pytest.raises(StaleError):
        world.open()
    with pytest.raises(
        AccessError, match=r"entry \d+ \(access.approve\) could not have been let in: the signature"
    ):
        restore_room(world.path, signer=world.signer, clock=world.clock)


FORGED: dict[str, tuple[str, dict[str, Any]]] = {
    "an act that there is not": ("access.open-sesame", {"document": {"act": "open-sesame"}}),
    "another act than its kind": ("access.used", {"document": {"act": "founder"}}),
    "no document": ("access.used", {}),
    "a founder more": ("access.founder", {"document": {"act": "founder", "account": "prd-eve"}}),
    "a room again": ("access.create", {"document": {"act": "create", "room": "x", "policy": policy_text()}}),
    "a grant by itself": ("access.approve", {"document": {"act": "approve", "account": "prd-ada"}}),
    "a use of nothing": ("access.used", {"document": {"act": "used", "grant": "x", "action": "enter"}}),
    "a suspicion of nothing": ("access.suspect", {"document": {"act": "suspect", "credential": "x"}}),
    "metadata of a model that says nothing": (
        "access.metadata",
        {"document": {"act": "metadata", "number": 1, "models": {"x": {"roots": []}}}},
    ),
    "metadata of a model that says something else": (
        "access.metadata",
        {"document": {"act": "metadata", "number": 1, "models": {"x": {"roots": [], "statuses": [7]}}}},
    ),
    "older metadata": ("access.metadata", {"document": {"act": "metadata", "number": True, "models": {}}}),
}


@pytest.mark.parametrize("row", FORGED)
def test_entries_that_no_door_would_write(row: str, world: World) -> None:
    kind, body = FORGED[row]
    log = AuditLog.open(world.path / "log", signer=world.signer, clock=world.clock)
    log.append(kind, {"at": "2026-11-30T09:00:00Z", **body})
    world.door.close()
    with pytest.raises(AccessError):
        restore_room(world.path, signer=world.signer, clock=world.clock)


def test_time_does_not_go_back_in_a_log(world: World) -> None:
    log = AuditLog.open(world.path / "log", signer=world.signer, clock=world.clock)
    document = {"act": "refused", "of": "x", "account": "x", "rule": "x", "reason": "x"}
    log.append("access.refused", {"document": document, "at": "2026-11-29T09:00:00Z"})
    world.door.close()
    with pytest.raises(AccessError, match="is of a time before the one ahead of it"):
        restore_room(world.path, signer=world.signer, clock=world.clock)


def test_entries_of_others_in_the_same_log(place: Path) -> None:
    """A door may write to the log of the gate."""
    world = World.__new__(World)
    world.path, world.clock, world.keys, world.heard = place / "room", Clock(), {}, []
    from access.rooms import Signer

    world.signer = Signer()
    log = AuditLog.create(
        place / "decisions", origin=world.signer.name, signer=world.signer, clock=world.clock
    )
    log.append("release.denied", {"dump": "x"})
    Door.create(
        world.path, policy=policy_text(), signer=world.signer, log=place / "decisions", clock=world.clock
    ).close()
    world.door = world.open(log=place / "decisions")
    world.found()
    log.append("release.denied", {"dump": "y"})
    grant = world.granted()
    log.append("release.allowed", {"dump": "z"})
    world.door.close()
    world.door = world.open(log=place / "decisions")
    assert world.door.live_grant("room:debug", "enter").id == grant
    world.door.verify()
    world.door.close()
    with pytest.raises(AccessError, match="that of another room"):
        Door.create(place / "second", policy=policy_text(), signer=world.signer, log=place / "decisions")


# --- crashes ---


class Broken(RuntimeError):
    """The process ends here."""


def _at_append(world: World, log: AuditLog) -> None:
    def append(*_: Any) -> Any:
        raise Broken

    log.append = append  # type: ignore[method-assign]


def _behind_append(world: World, log: AuditLog) -> None:
    real = log.append

    def append(*given: Any) -> Any:
        real(*given)
        raise Broken

    log.append = append  # type: ignore[method-assign]


def _at_pending(world: World, log: AuditLog) -> None:
    def note(*_: Any) -> Any:
        raise Broken

    world.door._store._pending.note = note  # type: ignore[method-assign]


def _behind_commit(world: World, log: AuditLog) -> None:
    def forget() -> Any:
        raise Broken

    world.door._store._pending.forget = forget  # type: ignore[method-assign]


CRASHES: dict[str, tuple[Callable[[World, AuditLog], None], bool]] = {
    "before it is noted": (_at_pending, False),
    "before it is logged": (_at_append, False),
    "before it is committed": (_behind_append, True),
    "before it is forgotten that it was to be": (_behind_commit, True),
}


@pytest.mark.parametrize("row", CRASHES)
def test_an_event_happens_or_does_not(row: str, world: World) -> None:
    crash, happened = CRASHES[row]
    request = world.ask()
    world.approve(request, "prd-grace")
    response = world.touch(world.door.begin_approval("prd-edsger", request))
    crash(world, world.door.log)
    with pytest.raises(Broken):
        world.door.complete(response)
    for signer in (None, world.signer):  # also who only looks can open it meanwhile
        door = world.open(signer=signer)
        assert bool(door.records(Grant)) is happened
        assert len(door.records(Approval, about=request)) == 1 + happened
        door.verify()
        if signer is not None:
            assert not (world.path / "pending.json").exists()
        door.close()
    world.again()
    if happened:  # whoever got no answer sends it again
        with pytest.raises(DeniedError) as caught:
            world.door.complete(response)
        assert caught.value.rule in ("replayed", "challenge")
    else:
        assert world.door.complete(response).state == "done"
    assert world.door.live_grant("room:debug", "enter").id == request
    assert {key.state for key in world.door.records(HardwareKey)} == {"active"}
    assert world.heard == []
    world.door.verify()


def test_a_revocation_that_a_crash_has_broken_off_counts_for_who_only_looks(world: World) -> None:
    """It is in the log. The gate that asks cannot finish it, and does not let anybody in by what is not."""
    grant = world.granted()
    reader = world.open(signer=None)
    assert reader.live_grant("room:debug", "enter").id == grant
    response = world.touch(world.door.begin_revocation("prd-barbara", grant, "not needed any more"))
    _behind_append(world, world.door.log)
    with pytest.raises(Broken):
        world.door.complete(response)
    before = (world.path / "door.db").read_bytes()
    for door in (reader, world.open(signer=None)):
        with pytest.raises(NoGrantError, match="is revoked"):
            door.live_grant("room:debug", "enter")
        assert (world.path / "door.db").read_bytes() == before
        (world.path / "pending.json").rename(world.path / "gone")
        with pytest.raises(StaleError):
            door.live_grant("room:debug", "enter")
        (world.path / "gone").rename(world.path / "pending.json")
        door.close()


def test_one_response_to_two_doors_at_once(world: World) -> None:
    """Both have found the ceremony before the first is done; a second answer is no copy of the key."""
    other = world.open()
    response = world.touch(world.door.begin_approval("prd-grace", world.ask()))
    ceremony = other.ceremony(response)
    world.door.complete(response)
    other.ceremony = lambda _: ceremony  # type: ignore[method-assign]
    with pytest.raises(DeniedError) as caught:
        other.complete(response)
    assert caught.value.rule == "replayed"
    assert {key.state for key in other.records(HardwareKey)} == {"active"}
    other.close()


def test_a_log_that_cannot_be_written(world: World) -> None:
    """Nothing happened; and afterwards it can."""
    request = world.ask()
    real = world.door.log.append

    def full(*_: Any) -> Any:
        raise LogError("No space left on device")

    world.door.log.append = full  # type: ignore[method-assign]
    with pytest.raises(LogError, match="No space left"):
        world.approve(request, "prd-grace")
    world.door.log.append = real  # type: ignore[method-assign]
    assert not world.door.records(Approval, about=request)
    world.approve(request, "prd-grace")
    assert len(world.door.records(Approval, about=request)) == 1


def killed(
    world: World, seed: bytes, responses: list[dict[str, Any]], seconds: float
) -> list[dict[str, Any]]:
    """Let a process take the responses, and kill it after some time; what it has acknowledged."""
    process = subprocess.Popen(
        [sys.executable, str(PROGRAM), str(world.path), seed.hex(), world.clock.at.isoformat()],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.stdin.write("".join(json.dumps(one) + "\n" for one in responses))
    process.stdin.flush()
    time.sleep(seconds)
    os.kill(process.pid, signal.SIGKILL)
    rest, _ = process.communicate()
    return [json.loads(line) for line in rest.splitlines() if line.endswith("}")]


@pytest.mark.parametrize("turns", [2, pytest.param(60, marks=pytest.mark.drill)])
def test_kill_9_loses_no_approved_grant_and_creates_none(turns: int, place: Path) -> None:
    seed = random.Random(7).randbytes(32)
    world = World(place / "room", signer=signer_of(seed)).found()
    source = random.Random(11)
    for turn in range(turns):
        world.clock.pass_(minutes=6)  # what was begun and never answered has run out
        requests = [world.ask(purpose=f"turn {turn}, request {number}") for number in range(4)]
        responses = [
            world.touch(world.door.begin_approval(who, request))
            for request in requests
            for who in ("prd-grace", "prd-edsger")
        ]
        world.door.close()
        acknowledged = killed(world, seed, responses, source.uniform(0.0, 0.12))
        world.door = world.open()
        approvals = {request: len(world.door.records(Approval, about=request)) for request in requests}
        done = {one["id"] for one in acknowledged if one["state"] == "done"}
        granted = {grant.id for grant in world.door.records(Grant)} & set(requests)
        assert done <= granted, "an approved grant was lost"
        assert granted == {request for request, count in approvals.items() if count == 2}
        assert sum(approvals.values()) - len(acknowledged) in (0, 1, 2)
        for request in requests:
            assert (world.door.record(Request, request).state == "done") is (request in granted)
        world.door.verify()
    world.door.close()


def test_two_processes_at_once(world: World) -> None:
    """Two doors of one room: each takes over what the other has done."""
    other = world.open()
    request = world.ask()
    ceremony = other.begin_approval("prd-grace", request)
    world.door.complete(world.touch(ceremony))
    other.complete(world.touch(other.begin_approval("prd-edsger", request)))
    assert world.door.live_grant("room:debug", "enter").id == request
    with pytest.raises(AccessError, match="to be looked through only"):
        world.open(signer=None).begin_break_glass(
            "prd-grace", resource="room:debug", actions=["enter"], reason="nobody answers"
        )
    other.close()


# --- files that are none ---


def test_places_that_are_no_rooms(place: Path, world: World) -> None:
    with pytest.raises(LogError):
        Door.open(place / "nothing")
    with pytest.raises((AccessError, LogError), match="already"):
        Door.create(world.path, policy=policy_text(), signer=world.signer)
    world.door.close()
    (world.path / "door.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(AccessError):
        world.open()
    (world.path / "door.db").unlink()
    with pytest.raises(AccessError, match="does not exist"):
        world.open()
    sqlite3.connect(world.path / "door.db").close()
    with pytest.raises(AccessError, match="not the database of a door"):
        world.open()


def test_a_room_that_was_begun_and_never_made(place: Path) -> None:
    signer = signer_of(bytes(32))

    class Full(Clock):
        def __call__(self) -> Any:
            raise Broken

    with pytest.raises(Broken):
        Door.create(place / "room", policy=policy_text(), signer=signer, clock=Full())
    with Door.open(place / "room", signer=signer) as door, pytest.raises(AccessError, match="never made"):
        _ = door.policy


def test_a_broken_record(world: World) -> None:
    database = sqlite3.connect(world.path / "door.db")
    database.execute("UPDATE records SET body = '{' WHERE kind = 'person'")
    database.commit()
    database.close()
    with pytest.raises(AccessError, match="a person that is no JSON"):
        world.ask()
