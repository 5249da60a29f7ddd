"""``immure replay``: what it prints, and what it ends with. Worlds are canned; those with real parts are in
``tests/replay`` and ``tests/drill``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from immure.cli import main
from immure.replay import matrix, stage
from immure.replay.errors import ReplayError
from immure.replay.matrix import WorldName
from immure.replay.options import Options
from immure.replay.record import Narrator, Outcome
from replay import canned

Captured = pytest.CaptureFixture[str]


class CannedStage:
    """Starts nothing."""

    stands_in: tuple[str, ...] = ()

    def __init__(self, scenario: Any, options: Options) -> None:
        self.scenario, self.options, self.top = scenario, options, Path("/tmp/rooms")

    def __enter__(self) -> CannedStage:
        if self.options.require_real:
            raise ReplayError("there is no Dovecot here: dovecot is not installed")
        return self

    def __exit__(self, *_: object) -> None:
        pass


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage, "Stage", CannedStage)
    monkeypatch.setattr(matrix, "play", _play(sham=None))


def _play(*, sham: str | None) -> Any:
    def play(stage: CannedStage, controls: frozenset[str], narrator: Narrator) -> Outcome:
        outcome = canned.outcome(WorldName("canned", controls), stage.scenario, sham=sham)
        for moment in outcome.moments:
            narrator(moment)
        return outcome

    return play


def immure(*arguments: str) -> int:
    return int(main.run(["replay", *arguments]))


def test_without_a_switch_it_is_acted_out_twice(capsys: Captured) -> None:
    assert immure("storm-0558") == 0
    printed = capsys.readouterr().out
    assert "== as in 2023 ==" in printed
    assert "== all controls ==" in printed
    assert "The mail of 25 organizations was read, and nobody knows." in printed
    assert "The chain broke at link 1" in printed


@pytest.mark.parametrize(
    ("switches", "worlds"),
    [
        (["--as-in-2023"], ["as in 2023"]),
        (["--with", "gate"], ["only gate"]),
        (["--without", "custody,redact"], ["all but custody, redact"]),
        (["--matrix"], [one.name for one in matrix.worlds(canned.STORM)]),
    ],
)
def test_which_worlds_are_played(switches: list[str], worlds: list[str], capsys: Captured) -> None:
    assert immure("storm-0558", *switches, "--format", "json") == 0
    document = json.loads(capsys.readouterr().out)
    assert [one["name"] for one in document["worlds"]] == worlds
    assert document["as_expected"] is True


def test_a_control_that_is_a_sham(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    monkeypatch.setattr(matrix, "play", _play(sham="gate"))
    assert immure("storm-0558", "--matrix", "--quiet") == 1
    assert "NOT AS IT SHOULD BE: only gate: expected a break at link 2" in capsys.readouterr().out


def test_a_page_and_the_story(tmp_path: Path, capsys: Captured) -> None:
    assert immure("storm-0558", "-o", str(tmp_path / "report.html")) == 0
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.startswith("<!DOCTYPE html>")
    captured = capsys.readouterr()
    assert "== as in 2023 ==" in captured.out
    assert "the report is in" in captured.err


def test_quiet(tmp_path: Path, capsys: Captured) -> None:
    assert immure("storm-0558", "--quiet", "--keep", "-o", str(tmp_path / "report.json")) == 0
    captured = capsys.readouterr()
    assert "==" not in captured.out
    assert "as in 2023" in captured.out
    assert "rooms and dumps are in /tmp/rooms" in captured.err
    assert json.loads((tmp_path / "report.json").read_text())["scenario"]["name"] == "storm-0558"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ([], 2, "name a scenario; --list shows which there are"),
        (["solarwinds"], 2, "there is no scenario 'solarwinds'"),
        (["golden-token", "--with", "access"], 2, "the control 'access' has nothing to do in this scenario"),
        (["storm-0558", "--without", "firewall"], 2, "there is no control 'firewall'"),
        (["storm-0558", "--with", "gate", "--as-in-2023"], 2, "contradict one another"),
        (["storm-0558", "--matrix", "--with", "gate"], 2, "--matrix has all worlds"),
        (["storm-0558", "-f", "html"], 2, "--format html needs --output FILE"),
        (["storm-0558", "-o", "report.pdf"], 2, "--format is needed"),
        (["storm-0558", "-o", "/nowhere/report.html"], 2, "cannot write the report"),
        (["storm-0558", "--mail", "exchange"], 2, "'exchange' is not one of"),
        (["storm-0558", "--custody", "paper"], 2, "'paper' is not one of"),
        (["storm-0558", "--require-real"], 3, "there is no Dovecot here"),
    ],
)
def test_what_cannot_be_done(arguments: list[str], code: int, words: str, capsys: Captured) -> None:
    assert immure(*arguments) == code
    captured = capsys.readouterr()
    assert words in captured.err
    assert "Traceback" not in captured.err


def test_what_keeps_the_key_can_be_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[Options] = []

    class Noting(CannedStage):
        def __init__(self, scenario: Any, options: Options) -> None:
            super().__init__(scenario, options)
            given.append(options)

    monkeypatch.setattr(stage, "Stage", Noting)
    assert immure("storm-0558", "--quiet", "--custody", "pkcs11") == 0
    assert immure("storm-0558", "--quiet") == 0
    assert [one.custody for one in given] == ["pkcs11", "auto"]


def test_the_list(capsys: Captured) -> None:
    assert immure("--list") == 0
    printed = capsys.readouterr().out
    assert "storm-0558\n  A consumer key reads the mail of enterprises\n" in printed
    assert (
        "controls: custody, redact, gate, scan, access, rotation, key-scope, ledger, mail-log, response"
        in printed
    )
    assert "golden-token" in printed


def test_help_names_what_can_be_done(capsys: Captured) -> None:
    assert immure("--help") == 0
    printed = capsys.readouterr().out
    for words in ("--matrix", "--as-in-2023", "--require-real", "Exit codes", "my-own.toml"):
        assert words in printed
