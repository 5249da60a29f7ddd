"""The gate and a room: a dump leaves if two others have granted it, and as long as they have."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from access.rooms import World as Room
from access.rooms import founded
from immure.errors import RefusedError
from immure.transfer.gate import Step
from immure.transfer.room_grants import RoomGrants, resource
from transfer.material import DUMP, World, sha256

DEMANDED = ("[findings]", "[grant]\nrequired = true\n\n[findings]")


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    made = founded(tmp_path / "room")
    yield made
    made.door.close()


def granted(room: Room, dump: bytes = DUMP, action: str = "release", account: str = "prd-ada") -> str:
    return room.granted(account, resource=resource(sha256(dump)), actions=[action])


def test_who_was_granted_it_may(world: World, room: Room) -> None:
    world.write_policy(*DEMANDED)
    identity = granted(room)
    gate = world.gate(grants=RoomGrants(room.door, "prd-ada"))
    receipt = gate.release(world.request(grant=identity.encode() + b"\n"))
    assert receipt.evidence["grant"] == sha256(identity.encode() + b"\n")
    assert world.visible() == ["app.core"]
    entry = [one for one in room.door.log.entries() if one.kind.endswith("used")][-1]
    assert entry.body["document"]["grant"] == identity
    assert entry.body["document"]["detail"]["dump"] == sha256(DUMP)


def test_nothing_need_be_shown(world: World, room: Room) -> None:
    world.write_policy(*DEMANDED)
    granted(room)
    world.gate(grants=RoomGrants(room.door)).release(world.request())
    assert world.visible() == ["app.core"]


def suspended(room: Room) -> str:
    identity = granted(room)
    room.sign(room.door.begin_suspension("prd-grace", "prd-ada", "a workstation was stolen"))
    return identity


@pytest.mark.parametrize(
    ("prepare", "shown", "account", "words"),
    [
        (lambda room: "", None, None, "nobody was granted release on dump:"),
        (lambda room: granted(room, b"another dump"), None, None, "nobody was granted"),
        (lambda room: granted(room, b"another dump"), "id", None, "is for something else"),
        (lambda room: granted(room, action="open"), "id", None, "is for something else"),
        (lambda room: granted(room), "id", "prd-grace", "is somebody else's"),
        (lambda room: granted(room), None, "prd-grace", "nobody was granted"),
        (lambda room: granted(room), "no such", None, "not the id of a grant"),
        (lambda room: granted(room), "k3k3k3k3", None, "there is no grant"),
        (lambda room: room.ask(resource=resource(sha256(DUMP)), actions=["release"]), "id", None, "no grant"),
        (lambda room: (granted(room), room.clock.pass_(hours=3))[0], "id", None, "has ended"),
        (lambda room: (granted(room), room.clock.pass_(hours=3))[0], None, None, "has ended"),
        (suspended, "id", None, "is revoked"),
    ],
    ids=["none", "other", "other-shown", "action", "account", "account-any", "form", "unknown", "asked",
         "over", "over-any", "suspended"],
)  # fmt: skip
def test_who_was_not_may_not(
    world: World, room: Room, prepare, shown: str | None, account: str | None, words: str
) -> None:
    world.write_policy(*DEMANDED)
    identity = prepare(room)
    text = identity if shown == "id" else shown
    request = world.request(grant=None if text is None else text.encode())
    with pytest.raises(RefusedError, match=words) as refused:
        world.gate(grants=RoomGrants(room.door, account)).release(request)
    assert refused.value.rule == "grant"
    assert world.visible() == []
    assert not [one for one in room.door.log.entries() if one.kind.endswith("used")]


def test_revoked_while_it_is_sent(world: World, room: Room) -> None:
    world.write_policy(*DEMANDED)
    identity = granted(room)
    steps = world.gate(grants=RoomGrants(room.door)).steps(world.request())
    while next(steps) is not Step.HELD:
        pass
    room.sign(room.door.begin_revocation("prd-grace", identity, "not needed any more"))
    with pytest.raises(RefusedError, match="not granted any more"):
        next(steps)
    assert world.visible() == []
