"""``immure respond approve`` as a person uses it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli.responding import Desk
from response.notification.making import CONTOSO


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Desk:
    return Desk(tmp_path, monkeypatch, capsys, CONTOSO)


def test_two_people(desk: Desk) -> None:
    digest = desk.letters()
    made = desk.run("approve", "incident", digest, "--by", "bo")
    assert (made.code, made.out) == (0, "letters 1: approved by bo (1 of 2)\n")
    made = desk.run("approve", "incident", digest, "--by", "cleo", "-f", "json")
    value = json.loads(made.out)
    assert value["approved_by"] == ["bo", "cleo"]
    assert (value["kind"], value["actor"], value["body"]["subject"]) == ("approval", "cleo", digest)


@pytest.mark.parametrize(
    ("person", "words"),
    [
        ("ann", "ann is no approver"),
        ("mallory", "mallory is no approver"),
        ("bo", "two times one is not two"),
    ],
)
def test_who_cannot(desk: Desk, person: str, words: str) -> None:
    digest = desk.letters()
    desk.run("approve", "incident", digest, "--by", "bo")
    made = desk.run("approve", "incident", digest, "--by", person)
    assert made.code == 2
    assert words in made.err
    assert made.out == ""


@pytest.mark.parametrize(
    ("digest", "words"),
    [
        ("0" * 64, "the newest letters are letters 1"),
        ("0" * 63, "64 hexadecimal digits"),
        ("Z" * 64, "64 hexadecimal digits"),
    ],
)
def test_what_is_no_digest_of_the_newest_letters(desk: Desk, digest: str, words: str) -> None:
    desk.letters()
    made = desk.run("approve", "incident", digest, "--by", "bo")
    assert made.code == 2
    assert words in made.err


def test_letters_that_were_changed(desk: Desk) -> None:
    digest = desk.letters()
    Path("incident/work/letters-0001/00001-contoso.txt").write_text("other words")
    made = desk.run("approve", "incident", digest, "--by", "bo")
    assert made.code == 3
    assert "it was changed" in made.err


def test_something_else(desk: Desk) -> None:
    made = desk.run("approve", "incident", "1" * 64, "--what", "statement to the press", "--by", "dan")
    assert (made.code, made.out) == (0, "statement to the press: approved by dan (1 of 2)\n")
