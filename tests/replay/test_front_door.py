"""The door of the rooms: who has her keys comes in, who has her corporate account does not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from immure.access import AccessError, Door
from immure.replay.errors import ReplayError
from immure.replay.front_door import FrontDoor

ROOMS = ("room:debugging", "room:production")


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FrontDoor]:
    made = FrontDoor(tmp_path_factory.mktemp("door"))
    made.prepare()
    yield made
    made.close()


def test_the_engineer_comes_in_and_nobody_else(door: FrontDoor):
    before = door.entries
    assert door.engineer_enters(ROOMS[0]) == "prd-bo and prd-cy"
    assert door.entries == before + 4  # asked, approved twice, used
    attempts = door.attacks(ROOMS)
    assert len(attempts) == 6
    assert [one.refused for one in attempts if "corp.example asks" in one.words] == [
        "there is no account 'ada@corp.example'"
    ] * 2
    assert [one.refused for one in attempts if "key of his own" in one.words] == [
        "the signature is not that of the key"
    ] * 2
    assert all("no ceremony waits" in one.refused for one in attempts if "sent again" in one.words)
    entries = list(door._door.log.entries())[before + 4 :]
    kinds = [entry.kind for entry in entries]
    # in each room: his own key is refused, which is in the log; and she has asked for what an old approval
    # could be sent again for
    assert kinds == ["access.refused", "access.request"] * 2


def test_an_error_is_no_refusal(door: FrontDoor, monkeypatch: pytest.MonkeyPatch):
    """A door that breaks has not kept him out."""

    def broken(*_: object, **__: object) -> None:
        raise AccessError("cannot be read")

    monkeypatch.setattr(Door, "begin", broken)
    with pytest.raises(ReplayError, match=r"neither yes nor no: ada@corp\.example asks .*: cannot be read"):
        door.attacks(ROOMS)


def test_a_door_that_keeps_everybody_out_is_no_control(door: FrontDoor, monkeypatch: pytest.MonkeyPatch):
    def none(*_: object, **__: object) -> None:
        from immure.access import NoGrantError

        raise NoGrantError("nobody comes in", rule="grant")

    monkeypatch.setattr(Door, "live_grant", none)
    with pytest.raises(ReplayError, match="keeps the engineer out, too: nobody comes in"):
        door.engineer_enters(ROOMS[0])


def test_a_door_that_cannot_be_founded(tmp_path: Path):
    (tmp_path / "door").mkdir()
    (tmp_path / "door" / "log").write_text("")
    with pytest.raises(ReplayError, match="the door cannot be founded"):
        FrontDoor(tmp_path).prepare()
