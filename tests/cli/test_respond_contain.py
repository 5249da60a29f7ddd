"""``immure respond contain`` as a person uses it: the first list, and the same list for longer."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from immure.cli.main import run as run_immure
from response.containment.light import Light, light


class Result(NamedTuple):
    code: int
    out: str
    err: str


Run = Callable[..., Result]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Light]:
    with light(tmp_path) as running:
        yield running


@pytest.fixture
def run(house: Light, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(house.directory)
    monkeypatch.setenv("IMMURE_INCIDENT_KEY", house.key)
    monkeypatch.setenv("IMMURE_ACTOR", "ann")

    def run(*arguments: str) -> Result:
        code = run_immure(["respond", "contain", "-c", "contain.toml", *arguments])
        return Result(code, *capsys.readouterr())

    return run


def held(house: Light) -> tuple[int, list[str]] | None:
    """Number and keys of the list that is in force at the relying party."""
    house.guard.look(now=True)
    found = house.guard.current
    return None if found is None else (found.sequence, [one.kid for one in found.keys])


def test_the_first_list_and_the_same_for_longer(run: Run, house: Light) -> None:
    none = run("--renew")
    assert (none.code, held(house)) == (3, None)
    assert "deny-list/deny-list.jwt: there is no list to sign anew" in none.err
    first = run("--first-list", "-f", "json")
    assert (first.code, held(house)) == (0, (json.loads(first.out)["sequence"], []))
    assert Path("copy.jwt").exists()
    assert run("--first-list").code == 2  # the copy is there
    Path("copy.jwt").unlink()
    again = run("--first-list")
    assert (again.code, "there is a list already, number" in again.err) == (3, True)
    folder = house.fresh()
    assert run(str(folder)).code == 0
    number, keys = held(house) or (0, [])
    assert keys == [house.kid]
    assert run("--renew").code == 0
    later, keys = held(house) or (0, [])
    assert (later > number, keys) == (True, [house.kid])


def test_a_lost_list_is_not_followed_by_an_empty_one(run: Run, house: Light) -> None:
    """The relying party goes on refusing what it refused; a copy brings the list back."""
    assert run(str(house.fresh())).code == 0
    before = held(house)
    shutil.rmtree("deny-list")
    lost = run("--renew")
    assert (lost.code, len(lost.err.splitlines())) == (3, 1)
    instead = run("--first-list")
    assert instead.code == 2
    assert "copy.jwt: there is a list already; if " in instead.err
    assert held(house) == before
    Path("deny-list").mkdir(exist_ok=True)
    shutil.copy("copy.jwt", "deny-list/deny-list.jwt")
    assert run("--renew").code == 0
    after = held(house)
    assert before is not None
    assert after is not None
    assert (after[0] > before[0], after[1]) == (True, before[1])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "INCIDENT is needed"),
        (("--renew", "--first-list"), "--renew or --first-list, not both"),
        (("incident", "--only", "dance"), "no step: 'dance'"),
    ],
)
def test_what_cannot_be_asked(run: Run, arguments: tuple[str, ...], words: str) -> None:
    done = run(*arguments)
    assert (done.code, words in done.err) == (2, True)
