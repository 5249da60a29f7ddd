"""The access room as it stands."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from access.rooms import World, founded
from immure.access.errors import AccessError, StaleError
from immure.console.settings import TenantSettings
from immure.console.sources import access
from immure.errors import ImmureError, UsageError


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = founded(tmp_path / "room")
    yield made
    made.door.close()


def looked(world: World) -> access.Overview:
    with access.opened(TenantSettings("a", "A", room=world.path), world.clock) as door:
        return access.overview(door)


def granted(world: World, which: str, offset: int = 0, most: int = 50) -> list[tuple[str, bool]]:
    with access.opened(TenantSettings("a", "A", room=world.path), world.clock) as door:
        found = access.grants(door, which, offset, most)
    assert found.total >= len(found.shown)
    return [(one.grant.id, not one.why) for one in found.shown]


def test_requests_wait_until_they_are_approved_or_expire(world: World) -> None:
    request = world.ask()
    world.approve(request, "prd-grace")
    (waiting,) = looked(world).waiting
    assert (waiting.request.id, waiting.approvers) == (request, ("prd-grace",))
    assert any("room:debug" in line for line in waiting.words)
    world.approve(request, "prd-edsger")
    assert looked(world).waiting == ()
    world.ask()
    assert len(looked(world).waiting) == 1
    world.clock.pass_(days=400)
    assert looked(world).waiting == ()


def test_grants_live_and_over(world: World) -> None:
    first = world.granted()
    world.clock.pass_(hours=1)
    second = world.granted("prd-grace")
    assert granted(world, "live") == [(second, True), (first, True)]
    assert granted(world, "all", 1, 1) == [(first, True)]
    world.clock.pass_(hours=1, minutes=30)
    assert granted(world, "live") == [(second, True)]
    assert granted(world, "all") == [(second, True), (first, False)]


def test_broken_glass_stays_until_it_is_reviewed(world: World) -> None:
    done = world.sign(
        world.door.begin_break_glass("prd-ada", resource="room:debug", actions=["enter"], reason="it burns")
    )
    found = looked(world)
    assert [one.id for one in found.unreviewed] == [done.id]
    assert granted(world, "glass") == [(done.id, True)]
    assert {one.what for one in found.happenings} >= {"broke the glass"}


def test_refusals_are_told(world: World) -> None:
    from immure.access import DeniedError

    ceremony = world.door.request_grant(
        "prd-ada",
        resource="room:debug",
        actions=["enter"],
        purpose="the mailer crashed",
        ticket="INC-1",
        hours=1,
    )
    response = world.touch(ceremony)
    response["response"]["signature"] = "AAAA"
    with pytest.raises((DeniedError, ImmureError)):
        world.door.complete(response)
    assert any(one.what == "refused" and "prd-ada" in one.words for one in looked(world).happenings)


def test_what_changes_is_news(world: World) -> None:
    tenant = TenantSettings("a", "A", room=world.path)
    before = access.stamp(tenant)
    assert access.stamp(tenant) == before
    world.ask()
    assert access.stamp(tenant) != before


@pytest.mark.parametrize(
    ("break_it", "error"),
    [
        (lambda path: (path / "door.db").unlink(), AccessError),
        (lambda path: (path / "log" / "checkpoint").write_bytes(b"x"), ImmureError),
        (lambda path: (path / "door.db").write_bytes(b"no database" * 99), AccessError),
    ],
    ids=["gone", "checkpoint", "broken"],
)
def test_a_room_that_cannot_be_read(world: World, break_it: object, error: type[Exception]) -> None:
    break_it(world.path)  # type: ignore[operator]
    with pytest.raises(error):
        looked(world)


def test_a_database_that_was_put_back(world: World) -> None:
    world.door.close()
    old = (world.path / "door.db").read_bytes()
    world.again()
    world.ask()
    world.door.close()
    for name in ("door.db-wal", "door.db-shm"):
        (world.path / name).unlink(missing_ok=True)
    (world.path / "door.db").write_bytes(old)
    with pytest.raises(StaleError):
        looked(world)


def test_no_room() -> None:
    with pytest.raises(UsageError, match="no access room"), access.opened(TenantSettings("a", "A")):
        raise AssertionError("there is none")
