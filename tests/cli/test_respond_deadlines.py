"""``immure respond deadlines`` as a person uses it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from cli.responding import Desk


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Desk:
    return Desk(tmp_path, monkeypatch, capsys)


def test_the_presets_and_their_sources(desk: Desk) -> None:
    made = desk.run("deadlines", "--presets")
    assert made.code == 0
    assert made.out.startswith("gdpr-33: 72 hours; ")
    assert "nis2-final-report: 1 month after nis2-notification; " in made.out
    assert "SEC Form 8-K, Item 1.05" in made.out
    rules = json.loads(desk.run("deadlines", "--presets", "-f", "json").out)["rules"]
    assert {one["id"] for one in rules} >= {"gdpr-33", "nis2-early-warning", "sec-8k"}


def test_counted_down(desk: Desk) -> None:
    assert desk.run("deadlines", "incident").out.startswith("no deadline runs")
    made = desk.run(
        "deadlines", "incident", "--start", "gdpr-33", "--start", "nis2-final-report", "--from", "0"
    )
    assert made.code == 0
    assert re.match(r"gdpr-33: (2 d 23|3 d 0) h left: due ", made.out)
    assert "nis2-final-report: waits until nis2-notification is met" in made.out
    made = desk.run("deadlines", "incident", "--at", "2099-01-01")
    assert made.code == 1
    assert made.out.startswith("gdpr-33: OVERDUE by ")
    made = desk.run("deadlines", "incident", "--met", "gdpr-33", "--reference", "form 4711")
    assert made.code == 0
    assert ": form 4711" in made.out
    assert desk.run("deadlines", "incident", "--at", "2099-01-01").code == 0


def test_a_doubt_is_no_clean_answer(desk: Desk) -> None:
    incident = desk.incident()
    entry = incident.add("fact", {"says": "we knew on Friday"}, actor="bo").sequence
    desk.run("deadlines", "incident", "--start", "gdpr-33", "--from", str(entry))
    incident.add("correction", {"says": "on Thursday"}, actor="bo", corrects=entry)
    made = desk.run("deadlines", "incident")
    assert made.code == 3
    assert f"NOT SURE: entry {entry}, from which it counts, was corrected" in made.out


def test_rules_of_one_s_own(desk: Desk) -> None:
    Path("own.toml").write_text(
        'version = 1\n[deadlines.contoso]\ntitle = "Tell them"\nhours = 4\nsource = "contract, 9.2"\n'
    )
    made = desk.run("deadlines", "incident", "--rules", "own.toml", "--start", "contoso", "--from", "0")
    assert re.match(r"contoso: (3 h 59|4 h 0) min left", made.out)
    Path("own.toml").unlink()  # the record has the whole rule
    assert desk.run("deadlines", "incident").out.splitlines()[1] == "  Tell them: contract, 9.2"


def test_what_does_not_apply(desk: Desk) -> None:
    desk.run("deadlines", "incident", "--start", "sec-8k", "--from", "0")
    made = desk.run("deadlines", "incident", "--void", "sec-8k", "--reference", "not listed in the US")
    assert made.out.startswith("sec-8k: does not apply: not listed in the US")


def test_as_json(desk: Desk) -> None:
    made = desk.run(
        "deadlines",
        "incident",
        "--start",
        "gdpr-33",
        "--from",
        "0",
        "--since",
        "2026-01-01T00:00:00Z",
        "-f",
        "json",
    )
    (one,) = json.loads(made.out)["deadlines"]
    assert (one["state"], one["due"], one["from_entry"]) == ("overdue", "2026-01-04T00:00:00Z", 0)
    assert made.code == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "which incident?"),
        (
            ("incident", "--start", "gdpr-99", "--from", "0"),
            "no deadline is called gdpr-99; there are gdpr-33",
        ),
        (("incident", "--start", "gdpr-33"), "from which entry does it count?"),
        (("incident", "--start", "gdpr-33", "--from", "99"), "there is no entry 99"),
        (
            ("incident", "--start", "gdpr-33", "--from", "0", "--since", "2999-01-01"),
            "written before that moment",
        ),
        (
            ("incident", "--start", "gdpr-33", "--from", "0", "--since", "soon"),
            "a time as 2026-11-25T01:02:03Z",
        ),
        (("incident", "--met", "gdpr-33"), "no deadline 'gdpr-33' runs"),
        (("incident", "--void", "gdpr-33"), "--reference"),
        (("incident", "--rules", "gone.toml"), "gone.toml: cannot be read"),
    ],
)
def test_what_cannot_be_done(desk: Desk, arguments: tuple[str, ...], words: str) -> None:
    made = desk.run("deadlines", *arguments)
    assert made.code == 2
    assert words in made.err


def test_writing_needs_the_key(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("IMMURE_INCIDENT_KEY")
    made = desk.run("deadlines", "incident", "--start", "gdpr-33", "--from", "0")
    assert made.code == 2
    assert "needs the incident's key" in made.err
