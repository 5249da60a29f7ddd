"""What cannot be held against the ledger is said to be so, and what is done with is not kept."""

from __future__ import annotations

import csv
import shutil
from dataclasses import replace
from pathlib import Path

from detections.turning import RULES, forged_of, long_day, made, settings
from immure.detections.cycle import Cycle
from immure.detections.outcome import Outcome
from immure.detections.settings import Input, Settings
from immure.detections.state import State
from immure.synth.scenarios.model import Scenario

MAPPING = """
name = "gateway"
kind = "acceptance"
[columns]
time = { path = "time", type = "time", format = "epoch" }
iss = "iss"
sub = "sub"
client = "client"
iat = "iat"
[constants]
verdict = "accepted"
"""


def run(state: Path, given: Settings) -> Outcome:
    with State(state) as opened:
        return Cycle(opened, given).run()


def test_rows_of_a_ledger_among_the_logs_are_said_to_be_unused(tmp_path: Path) -> None:
    one = made("quiet", 21, tmp_path / "day", tokens=40)
    given = settings(tmp_path / "day")
    given = replace(given, inputs=[*given.inputs, Input(tmp_path / "day" / "ledger.db")])
    outcome = run(tmp_path / "state", given)
    (words,) = [word for word in outcome.missing if "rows of a ledger" in word]
    count = sum(len(step.tokens) for step in one.steps)
    assert words.startswith(f"{count} rows of a ledger were among the logs (ledger-store), and are not used")
    assert outcome.verdict() == "incomplete"
    assert not list((tmp_path / "state" / "parts").glob("issued-*"))


def test_turns_leave_no_more_behind_than_is_needed(tmp_path: Path) -> None:
    """While a ledger grows, what waits is looked up again and again: each time its old file goes."""
    one = long_day(tmp_path / "day")
    whole = settings(tmp_path / "day")
    assert whole.ledger is not None
    growing = tmp_path / "growing"
    shutil.copytree(tmp_path / "day" / "segments", growing)
    files = sorted(path.relative_to(growing) for path in growing.glob("*/*.parquet"))
    assert len(files) > 4
    for file in files:
        (growing / file).unlink()
    with State(tmp_path / "state") as state:
        for file in files:
            shutil.copy(tmp_path / "day" / "segments" / file, growing / file)
            Cycle(state, replace(whole, ledger=replace(whole.ledger, segments=growing))).run()
        there = {path.name for path in state.parts_directory.iterdir()}
        kinds = {kind: state.parts(kind) for kind in ("acceptance", "verdicts")}
        assert there == {part.name for parts in kinds.values() for part in parts}
        assert [part.state for part in kinds["acceptance"]].count("pending") == 1
        assert sum(part.rows for part in kinds["verdicts"]) == sum(
            use.token.digest.hex() in forged_of(one) for use in one.uses
        )


def write_without_digests(one: Scenario, directory: Path) -> list[Input]:
    directory.mkdir()
    with (directory / "gateway.csv").open("w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(["time", "iss", "sub", "client", "iat"])
        for use in one.uses:
            claims = use.token.claims
            rows.writerow([use.time, *(claims[name] for name in ("iss", "sub", "client_id", "iat"))])
    (directory / "map.toml").write_text(MAPPING)
    return [Input(directory / "gateway.csv", mapping=directory / "map.toml")]


def test_acceptances_without_a_digest_are_held_against_rows_and_called_weak(tmp_path: Path) -> None:
    one = made("stolen-right-key", 23, tmp_path / "day")
    given = replace(settings(tmp_path / "day"), inputs=write_without_digests(one, tmp_path / "logs"))
    genuine = {
        (token.claims["iss"], token.claims["sub"], token.claims["iat"])
        for step in one.steps
        for token in step.tokens
    }
    tokens = {use.token.digest: use.token.claims for use in one.uses}
    wanted = {
        (claims["iss"], claims["sub"], claims["iat"])
        for claims in (tokens[bytes.fromhex(digest)] for digest in forged_of(one))
    } - genuine
    assert wanted
    for _ in range(2):  # the second turn finds no more
        outcome = run(tmp_path / "state", given)
        found = [one for one in outcome.findings if one.rule == "token-without-row"]
        named = {(one.keys["iss"], one.keys["sub"], int(one.keys["iat"])) for one in found}
        assert named == wanted
        assert {one.strength for one in found} == {"weak"}
        assert set(outcome.verdicts) == {"unknown"}, "whatever is found, nobody can tell"
        assert not [one for one in outcome.findings if one.rule == "token-forged"]
    assert any(rule.id == "token-without-row" for rule in RULES)
