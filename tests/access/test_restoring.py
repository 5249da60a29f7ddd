"""A database that is made anew, or put back, while others have it open."""

from __future__ import annotations

import shutil
import sqlite3
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from access.rooms import World
from access.test_store import put_back, snapshot
from immure.access import AccessError, ClockError, Door, NoGrantError, StaleError
from immure.access.lock import locked
from immure.access.replaying import digest_of
from immure.access.restoring import restore_room
from immure.auditlog import AuditLog
from immure.errors import ImmureError, LogError


def restore(world: World) -> int:
    return restore_room(world.path, signer=world.signer, clock=world.clock)


def overwritten(world: World, source: Path) -> None:
    """Put a database back without another file taking its place, as ``cp`` does."""
    with sqlite3.connect(source / "door.db") as other, sqlite3.connect(world.path / "door.db") as mine:
        other.backup(mine)
    other.close()
    mine.close()


def live(door: Door) -> object:
    return door.live_grant("room:debug", "enter")


LOOKS: dict[str, Callable[[Door], object]] = {
    "a gate": live,
    "a page": lambda door: door.time(),
    "a report": lambda door: door.open_for_requests,
    "the list of revoked certificates": lambda door: door.revoked_certificates("ssh"),
}
WRITES: dict[str, Callable[[Door], object]] = {
    "a use": lambda door: door.use("x" * 16, "enter"),
    "a ceremony": lambda door: door.begin_sign_in("prd-ada"),
}


@pytest.mark.parametrize("row", [*LOOKS, *WRITES])
def test_a_door_that_is_open_notices_that_the_database_is_made_anew(row: str, world: World) -> None:
    """It would see the grants of before for as long as it lives."""
    world.granted()
    reader = world.open(signer=None)
    restore(world)
    for door in (world.door, reader) if row in LOOKS else (world.door,):
        with pytest.raises(StaleError, match="replaced, while it was open"):
            {**LOOKS, **WRITES}[row](door)
    reader.close()
    assert live(world.again())


@pytest.mark.parametrize(
    "put", [overwritten, lambda world, source: shutil.copy(source / "door.db", world.path)]
)
def test_an_older_database_under_a_door_that_is_open(
    put: Callable[[World, Path], object], world: World
) -> None:
    """The grant was revoked after the backup; no door lets anybody in by it, also if it only looks."""
    grant = world.granted()
    backup = snapshot(world, "backup")
    reader = world.open(signer=None)
    assert live(reader)
    world.sign(world.door.begin_revocation("prd-barbara", grant, "not needed any more"))
    for door in (world.door, reader):
        with pytest.raises(NoGrantError, match="is revoked"):
            live(door)
    put(world, backup)
    for door in (world.door, reader):
        with pytest.raises(AccessError):
            live(door)
    reader.close()


def test_an_older_log_under_a_door_that_is_open(world: World) -> None:
    backup = snapshot(world, "backup")
    world.granted()
    reader = world.open(signer=None)
    shutil.rmtree(world.path / "log")
    shutil.copytree(backup / "log", world.path / "log")
    for door in (world.door, reader):
        with pytest.raises((AccessError, LogError)):
            live(door)
    reader.close()


def test_a_reader_follows_what_others_write(world: World) -> None:
    with world.open(signer=None) as reader:
        grant = world.granted()
        assert reader.live_grant("room:debug", "enter").id == grant
        assert len(reader.log) == len(world.door.log)
        world.door.use(grant, "enter")
        assert live(reader)


def test_nobody_writes_while_the_database_is_made_anew(world: World) -> None:
    done = threading.Event()

    def work() -> None:
        restore(world)
        done.set()

    thread = threading.Thread(target=work)
    with locked(world.path):
        thread.start()
        assert not done.wait(0.3)
        request = (world.path / "door.db.before").exists()
    thread.join(20)
    assert done.is_set()
    assert not request


def test_an_event_that_waits_for_the_new_database_does_not_go_into_the_old_one(world: World) -> None:
    """It waits for the lock, and then it would be in the log, and in no database that anybody looks at."""
    failed: list[ImmureError] = []
    grant = world.granted()
    before = len(world.door.log)

    def work() -> None:
        try:
            world.door.use(grant, "enter")
        except ImmureError as error:
            failed.append(error)

    other = world.path.parent / "other.db"
    shutil.copy(world.path / "door.db", other)
    thread = threading.Thread(target=work)
    with locked(world.path):
        thread.start()
        time.sleep(0.3)
        other.replace(world.path / "door.db")
    thread.join(20)
    assert [type(error) for error in failed] == [StaleError]
    assert len(world.again().log) == before


def test_what_sqlite_keeps_beside_a_database_goes_with_it(world: World) -> None:
    """A journal of the old one would be rolled back into the new one."""
    world.granted()
    world.door.close()
    beside = {
        "-journal": b"of a transaction that a crash broke off",
        "-wal": b"of another",
        "-shm": b"program",
    }
    for end, data in beside.items():
        (world.path / f"door.db{end}").write_bytes(data)
    (world.path / "door.db.before-journal").write_bytes(b"of a database that was replaced earlier")
    restore(world)
    for end, data in beside.items():
        assert not (world.path / f"door.db{end}").exists()
        assert (world.path / f"door.db.before{end}").read_bytes() == data
    world.door = world.open()
    assert live(world.door)
    world.door.verify()
    assert not list(world.path.glob("door.db.new*"))


def test_a_journal_is_never_left_to_a_new_database(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A crash between moves: until the new one is in its place there is none."""
    import os

    real, moves = os.replace, list[str]()

    class Killed(BaseException):
        pass

    def replace(source: object, target: object) -> None:
        moves.append(Path(str(target)).name)
        if len(moves) == 2:
            raise Killed
        real(source, target)  # type: ignore[arg-type]

    world.granted()
    world.door.close()
    (world.path / "door.db-journal").write_bytes(b"of a transaction that a crash broke off")
    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", replace)
        with pytest.raises(Killed):
            restore(world)
    assert moves == ["door.db.before", "door.db.before-journal"]
    with pytest.raises(AccessError, match="does not exist"):
        world.open()
    restore(world)
    assert not (world.path / "door.db-journal").exists()
    world.door = world.open()
    assert live(world.door)


def test_a_log_that_was_put_back_is_not_believed(world: World) -> None:
    """The log is put back, so that a revocation is not in it; the room then says that it is broken, and
    whoever looks after it is led to make the database anew: from the log of before."""
    grant = world.granted()
    backup = snapshot(world, "backup")
    world.sign(world.door.begin_revocation("prd-barbara", grant, "not needed any more"))
    put_back(world, backup, "log")
    kept = (world.path / "door.db").read_bytes()
    with pytest.raises(
        StaleError, match=r"it was put back\. If it is the database that is wrong, move it away"
    ):
        restore(world)
    assert (world.path / "door.db").read_bytes() == kept
    assert not list(world.path.glob("door.db.*"))
    (world.path / "door.db").rename(world.path / "evidence")
    restore(world)
    world.door = world.open()


def test_the_clock_of_a_room_that_is_made_anew_goes_on(world: World) -> None:
    """How late it was is in no entry, if nothing has happened: it is taken over from the database."""
    world.granted(hours=1)
    world.clock.pass_(hours=2)
    with pytest.raises(NoGrantError, match="has ended"):
        live(world.door)
    restore(world)
    world.clock.at -= timedelta(hours=2)
    world.door.close()
    world.door = world.open()
    with pytest.raises(ClockError):
        live(world.door)


@pytest.mark.parametrize("noise", [b"", b"no database at all" * 100])
def test_a_database_that_cannot_be_read_is_made_anew(noise: bytes, world: World) -> None:
    world.granted()
    world.door.close()
    (world.path / "door.db").write_bytes(noise)
    restore(world)
    assert (world.path / "door.db.before").read_bytes() == noise
    world.door = world.open()
    assert live(world.door)


def test_a_room_whose_directory_was_lost(world: World) -> None:
    world.granted()
    world.door.close()
    log = world.path.parent / "log"
    shutil.copytree(world.path / "log", log)
    lost = world.path.parent / "lost" / "room"
    restore_room(lost, signer=world.signer, log=log, clock=world.clock)
    with Door.open(lost, signer=world.signer, log=log, clock=world.clock) as door:
        assert live(door)
    (world.path.parent / "file").write_text("")
    with pytest.raises(AccessError):
        restore_room(world.path.parent / "file" / "room", signer=world.signer, log=log, clock=world.clock)
    world.door = world.open()


def test_the_room_can_be_used_while_it_is_verified(world: World) -> None:
    """It takes as long as all signatures take; what happens meanwhile is neither kept waiting nor taken for
    an alteration."""
    request = world.ask()
    used: list[int] = []

    def told(count: int) -> None:
        if count == 3:
            with world.open() as other:
                used.append(world.sign(other.begin_denial("prd-ada", request)).entry)

    assert world.door.verify(told) == used[0]
    assert world.door.verify() == used[0] + 1


def test_what_happens_when_the_verification_begins_is_left_out(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def late(log: AuditLog, *given: Any, **options: Any) -> str:
        world.ask()
        return digest_of(log, *given, **options)

    monkeypatch.setattr("immure.access.door.digest_of", late)
    before = len(world.door.log)
    assert world.door.verify() == before


@pytest.mark.parametrize(
    ("name", "value"),
    [("position", "x"), ("position", "[]"), ("unheard", "{"), ("unheard", "7"), ("seen", "x")],
)
def test_a_standing_that_cannot_be_understood(name: str, value: str, world: World) -> None:
    world.door.close()
    with sqlite3.connect(world.path / "door.db") as database:
        database.execute("INSERT OR REPLACE INTO standing VALUES (?, ?)", (name, value))
    database.close()
    with pytest.raises(ImmureError):
        live(world.open())
    restore(world)
    world.door = world.open()
