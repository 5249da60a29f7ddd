"""``immure detect`` from the outside."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from immure.cli.detect import PARTS, detect


def run(*arguments: str | Path) -> Any:
    return CliRunner().invoke(detect, [str(one) for one in arguments], standalone_mode=False)


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("scenario") / "day"
    assert run("scenario", "stolen-key", place, "--tokens", "60", "--seed", "3").return_value == 0
    return place


def options(day: Path) -> list[str | Path]:
    return [
        "--accepted", day / "accepted", "--issued", day / "segments", "--log", day / "log", "--log-key",
        day / "log.vkey", "--registry", day / "keys.toml", "-q",
    ]  # fmt: skip


def test_a_day_with_a_stolen_key(day: Path) -> None:
    ran = run("run", *options(day), "-f", "json")
    assert ran.return_value == 1
    plain = json.loads(ran.stdout)
    truth = json.loads((day / "truth.json").read_text())
    forged = {digest for digest, verdict in truth.items() if verdict == "forged"}
    assert {one["keys"]["digest"] for one in plain["findings"] if one["rule"] == "token-forged"} == forged
    assert plain["acceptances"]["forged"] == 3 * len(forged)


def test_exit_codes(day: Path, tmp_path: Path) -> None:
    quiet = tmp_path / "quiet"
    assert run("scenario", "quiet", quiet, "--tokens", "60", "-q").return_value == 0
    assert run("run", *options(quiet), "-f", "json").return_value == 3  # some are above the watermark
    assert run("run", *options(quiet), "-f", "json", "--fail-on", "findings").return_value == 0
    assert run("run", *options(day), "--fail-on", "never", "-f", "json").return_value == 0
    skipped = run("run", *options(quiet), "--skip", "token-forged")
    assert skipped.return_value == 0
    assert "acceptances are not held against the ledger: token-forged is not asked" in skipped.stdout
    assert skipped.stdout.endswith("no rule that was asked found anything\n")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([], "nothing to look at"),
        (["--accepted", "no-such-place"], "is not there"),
        (["--issued", "x"], "--issued needs --log and --log-key, or --unsigned"),
        (["--issued", "x", "--log", "y"], "--log and --log-key are given together"),
        (["--logs", ".", "--log", "y"], "need --issued"),
        (["--logs", ".", "--follow"], "--follow needs --state"),
        (["--logs", ".", "--webhook", "https://x.example"], "--webhook needs --state"),
        (["--logs", ".", "--mapping", "m.toml"], "given together"),
        (["--logs", ".", "--only", "nonsense"], "there is no rule"),
        (["--logs", ".", "--lifetime", "x=y"], "--lifetime is SECONDS"),
        (["--logs", ".", "--memory", "lots"], "memory is a number"),
        (["--logs", ".", "--syslog", "x", "--state", "s"], "syslog is udp://"),
        (["--logs", ".", "--rules", "none.yaml"], "cannot be read"),
    ],
)
def test_what_cannot_be_done_is_said(
    given: list[str], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ran = run("run", *given)
    assert words in str(ran.exception)


def test_rules_are_tried_listed_and_printed(tmp_path: Path) -> None:
    printed = run("rules", "mail-throttled").stdout
    mine = tmp_path / "mine.yaml"
    mine.write_text(printed.replace("mail-throttled", "mine"))
    assert "1 rules, 3 examples: none failed" in run("test", mine).stdout
    mine.write_text(mine.read_text().replace("throttled: true", "throttled: false"))
    ran = run("test", mine, "-f", "json")
    assert ran.return_value == 1
    assert json.loads(ran.stdout)["failed"] > 0
    assert "token-forged" in run("rules").stdout
    assert "there is no rule" in str(run("rules", "nonsense").exception)


def test_sigma_and_back(tmp_path: Path) -> None:
    file = tmp_path / "s.yml"
    file.write_text(run("sigma", "export", "mail-throttled").stdout)
    assert "field: throttled" in run("sigma", "import", file).stdout
    assert "Sigma cannot say it" in str(run("sigma", "export", "token-forged").exception)


def test_sql_and_scenarios() -> None:
    assert "NOT EXISTS" in run("sql", "--engine", "spark", "--from", "5", "--to", "9").stdout
    assert "low-and-slow" in run("scenario", "--list").stdout
    assert "a scenario is one of" in str(run("scenario", "nonsense", "x").exception)


def test_every_part_teaches() -> None:
    for name in PARTS:
        assert "Examples:" in run(name, "--help").stdout


@pytest.mark.parametrize("given", [["run", "--logs", "."], ["test"], ["rules"], ["scenario", "quiet", "x"]])
def test_without_the_extra_one_line_says_so(given: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def spec(name: str) -> object | None:
        return None if name == "duckdb" else object()

    monkeypatch.setattr("immure.cli.detect_extra.find_spec", spec)
    assert str(run(*given).exception) == "needs duckdb: pip install 'immure[detect]'"
