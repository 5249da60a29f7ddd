"""Alarms sound, whatever happens to who was to sound them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from access.authenticator import Authenticator
from access.rooms import World
from access.test_store import Broken
from immure.access import Alarm, CeremonyError, Grant
from immure.access.restoring import restore_room
from immure.auditlog import AuditLog


def break_glass(world: World) -> Any:
    ceremony = world.door.begin_break_glass(
        "prd-ada", resource="room:debug", actions=["enter"], reason="nobody answers"
    )
    return world.sign(ceremony)


def interrupted(_: Alarm) -> None:
    raise KeyboardInterrupt


def by_the_keyboard(world: World) -> None:
    world.again(sounders=[("pager", interrupted)])
    with pytest.raises(KeyboardInterrupt):
        break_glass(world)


def behind_the_append(world: World) -> None:
    real = world.door.log.append

    def append(*given: Any) -> Any:
        real(*given)
        raise Broken

    world.door.log.append = append  # type: ignore[method-assign]
    with pytest.raises(Broken):
        break_glass(world)


def behind_the_commit(world: World) -> None:
    def forget() -> Any:
        raise Broken

    world.door._store._pending.forget = forget  # type: ignore[method-assign]
    with pytest.raises(Broken):
        break_glass(world)


def and_made_anew(world: World) -> None:
    by_the_keyboard(world)
    restore_room(world.path, signer=world.signer, clock=world.clock)


STOPS: dict[str, Callable[[World], None]] = {
    "interrupted while it sounds": by_the_keyboard,
    "killed behind the append": behind_the_append,
    "killed behind the commit": behind_the_commit,
    "interrupted, and the database is made anew": and_made_anew,
}


@pytest.mark.parametrize("row", STOPS)
def test_broken_glass_is_heard_when_the_door_is_opened_next(row: str, world: World) -> None:
    STOPS[row](world)
    assert world.heard == []
    world.open(signer=None).close()  # who only looks cannot log that it was heard
    assert world.heard == []
    world.again()
    (alarm,) = world.heard
    assert (alarm.kind, alarm.account, alarm.at) == ("break-glass", "prd-ada", world.clock.at)
    assert alarm.words == "prd-ada has broken the glass for room:debug: nobody answers"
    assert len(world.door.records(Grant)) == 1
    last = list(world.door.log.entries())[-1]
    document: Any = last.body["document"]
    assert (last.kind, document["of"], document["heard"]) == ("access.alarm", alarm.entry, ["pager"])
    world.again()
    assert len(world.heard) == 1, "it was heard already"
    world.door.verify()


def test_a_copy_of_a_key_is_heard_when_the_door_is_opened_next(world: World) -> None:
    copy = Authenticator(credentials=dict(world.keys["prd-grace"][0].credentials))
    before = next(iter(copy.credentials.values())).counter
    world.approve(world.ask(), "prd-grace")
    request = world.ask()
    world.again(sounders=[("pager", interrupted)])
    with pytest.raises(KeyboardInterrupt):
        world.approve(request, "prd-grace", twist=lambda made: made.but(counter=before))
    world.again()
    assert [(alarm.kind, alarm.account) for alarm in world.heard] == [("suspect-key", "prd-grace")]
    world.again()
    assert len(world.heard) == 1


def test_alarms_of_entries_that_somebody_has_made_up(world: World) -> None:
    """Whoever holds the key of the log can write that a key is suspect, without saying why."""
    key = next(iter(world.keys["prd-grace"][0].credentials))
    from access.authenticator import b64

    log = AuditLog.open(world.path / "log", signer=world.signer, clock=world.clock)
    document = {"act": "suspect", "credential": b64(key)}
    log.append("access.suspect", {"document": document, "at": "2026-11-30T09:00:00Z"})
    world.door.close()
    restore_room(world.path, signer=world.signer, clock=world.clock)
    world.door = world.open()
    assert [alarm.kind for alarm in world.heard] == ["suspect-key"]


def test_several_are_heard_in_their_order(world: World) -> None:
    by_the_keyboard(world)
    copy = Authenticator(credentials=dict(world.keys["prd-edsger"][0].credentials))
    before = next(iter(copy.credentials.values())).counter
    with pytest.raises((KeyboardInterrupt, CeremonyError)):
        world.sign(world.door.begin_sign_in("prd-edsger"), lambda made: made.but(counter=max(0, before - 1)))
    world.again()
    assert [alarm.kind for alarm in world.heard] == ["break-glass", "suspect-key"]
