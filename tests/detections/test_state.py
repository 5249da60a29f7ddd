"""Kills, restarts, rows that come late or twice, and a ledger that is tampered with."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pyarrow.parquet
import pytest

from detections.turning import forged, forged_of, long_day, made, settings, turn, wanted
from immure.detections.cycle import Cycle
from immure.detections.deliver.lines import append_lines
from immure.detections.errors import DetectionError
from immure.detections.state import State
from immure.errors import LogError


def test_rows_that_come_late_or_twice_are_judged_once(tmp_path: Path) -> None:
    one = made("stolen-right-key", 11, tmp_path / "day")
    (segment,) = (tmp_path / "day" / "accepted").glob("*.jsonl")
    lines = segment.read_bytes().splitlines(keepends=True)
    arriving = tmp_path / "arriving"
    arriving.mkdir()
    for number, rows in enumerate((lines[60:120], lines[1:60], lines[60:], lines[1:])):
        (arriving / f"{number}.jsonl").write_bytes(b"".join(rows))
        with State(tmp_path / "state") as state:
            outcome = Cycle(state, settings(tmp_path / "day", [arriving])).run()
    assert forged(outcome) == forged_of(one)
    counts = {
        finding.keys["digest"]: finding.count
        for finding in outcome.findings
        if finding.rule == "token-forged"
    }
    uses = Counter(use.token.digest.hex() for use in one.uses)
    assert counts == {digest: uses[digest] for digest in counts}


def test_what_is_not_known_yet_is_known_when_the_watermark_has_passed(tmp_path: Path) -> None:
    one = long_day(tmp_path / "day")
    segments, early = tmp_path / "day" / "segments", tmp_path / "early"
    shutil.copytree(segments, early)
    for folder in early.iterdir():
        for path in sorted(folder.glob("*.parquet"))[1:]:
            path.unlink()
    from dataclasses import replace

    whole = settings(tmp_path / "day")
    assert whole.ledger is not None
    with State(tmp_path / "state") as state:
        first = Cycle(state, replace(whole, ledger=replace(whole.ledger, segments=early))).run()
        assert first.verdicts["not-yet-known"] > wanted(one)["not-yet-known"]
        assert forged(first) < forged_of(one)
        second = Cycle(state, whole).run()
        third = Cycle(state, whole).run()
    assert Counter(second.verdicts) == Counter(third.verdicts) == wanted(one)
    assert forged(second) == forged(third) == forged_of(one)


def test_a_segment_that_is_missing_between_others_is_a_gap(tmp_path: Path) -> None:
    one = long_day(tmp_path / "day")
    folders = [sorted(folder.glob("*.parquet")) for folder in (tmp_path / "day" / "segments").iterdir()]
    for paths in folders:
        assert len(paths) > 2
        paths[1].unlink()
    outcome = turn(tmp_path / "day", tmp_path / "state")
    assert outcome.verdicts["ledger-gap"] > 0
    assert forged(outcome) <= forged_of(one)


def test_rows_before_the_first_segment_are_unknown(tmp_path: Path) -> None:
    one = long_day(tmp_path / "day")
    for folder in (tmp_path / "day" / "segments").iterdir():
        min(folder.glob("*.parquet")).unlink()
    outcome = turn(tmp_path / "day", tmp_path / "state")
    assert outcome.verdicts["unknown"] > 0
    assert forged(outcome) <= forged_of(one)
    assert all(issuer.known_from for issuer in outcome.issuers)


def test_a_segment_that_was_altered_is_found_and_does_not_count(tmp_path: Path) -> None:
    """An operator writes the digest of a forged token over that of a genuine row."""
    one = made("low-and-slow", 15, tmp_path / "day", tokens=300)
    (victim,) = (bytes.fromhex(digest) for digest in forged_of(one))
    (token,) = {use.token.text: use.token for use in one.uses if use.token.digest == victim}.values()
    path = sorted(next((tmp_path / "day" / "segments").iterdir()).glob("*.parquet"))[1]
    table = pyarrow.parquet.read_table(path)
    rows = table.to_pylist()
    rows[0] |= {"digest": victim, "iss": token.claims["iss"], "iat": token.claims["iat"]}
    changed = pyarrow.Table.from_pylist(rows, schema=table.schema)
    pyarrow.parquet.write_table(changed, path)
    outcome = turn(tmp_path / "day", tmp_path / "state")
    assert [one.rule for one in outcome.findings if one.rule.startswith("ledger")] == ["ledger-altered"]
    assert outcome.verdicts["ledger-gap"] > 0
    assert forged(outcome) <= forged_of(one)
    assert any("are not those that were written" in word for word in outcome.missing)


def test_a_log_that_was_put_back_is_refused(tmp_path: Path) -> None:
    made("quiet", 16, tmp_path / "day")
    turn(tmp_path / "day", tmp_path / "state")
    made("quiet", 17, tmp_path / "other")
    shutil.rmtree(tmp_path / "day" / "log")
    shutil.copytree(tmp_path / "other" / "log", tmp_path / "day" / "log")
    shutil.copy(tmp_path / "other" / "log.vkey", tmp_path / "day" / "log.vkey")
    with pytest.raises(LogError):
        turn(tmp_path / "day", tmp_path / "state")


def test_one_run_at_a_time(tmp_path: Path) -> None:
    with State(tmp_path / "state"), pytest.raises(DetectionError, match="another run uses this state"):
        State(tmp_path / "state")


def test_what_a_killed_run_left_is_removed(tmp_path: Path) -> None:
    with State(tmp_path / "state") as state:
        left = state.path("acceptance-000000099.parquet")
        left.write_bytes(b"half")
    (tmp_path / "state" / "spill-x").mkdir()
    with State(tmp_path / "state"):
        assert not left.exists()
        assert not (tmp_path / "state" / "spill-x").exists()


def test_a_file_of_findings_is_cut_back_to_what_was_noted(tmp_path: Path) -> None:
    made("stolen-key", 18, tmp_path / "day")
    turn(tmp_path / "day", tmp_path / "state")
    file = tmp_path / "findings.jsonl"
    with State(tmp_path / "state") as state:
        count = append_lines(state, file)
        whole = file.read_bytes()
        assert count == len(whole.splitlines()) > 0
        file.write_bytes(whole + b'{"id": "half of a li')
        assert append_lines(state, file) == 0
        assert file.read_bytes() == whole


FOLLOWER = """
import sys
from immure.cli.main import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.drill
def test_kill_9_at_any_moment_neither_loses_nor_doubles_a_finding(tmp_path: Path) -> None:
    import random

    one = made("late-batches", 19, tmp_path / "day", tokens=300)
    (segment,) = (tmp_path / "day" / "accepted").glob("*.jsonl")
    lines = segment.read_bytes().splitlines(keepends=True)[1:]
    arriving = tmp_path / "arriving"
    arriving.mkdir()
    place, file, dice = tmp_path / "day", tmp_path / "findings.jsonl", random.Random(1)
    command = [
        sys.executable, "-c", FOLLOWER, "detect", "run", "--accepted", str(arriving), "--issued",
        str(place / "segments"), "--log", str(place / "log"), "--log-key", str(place / "log.vkey"),
        "--state", str(tmp_path / "state"), "--follow", "--every", "0.1", "--findings", str(file), "-q",
    ]  # fmt: skip
    for number in range(10):
        part = lines[number * len(lines) // 10 : (number + 1) * len(lines) // 10]
        (arriving / f"{number}.jsonl").write_bytes(b"".join(part))
        with subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as running:
            time.sleep(dice.uniform(0.5, 4))
            running.kill()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as running:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and len(found(file)) < len(forged_of(one)):
            time.sleep(0.2)
        time.sleep(1)
        os.kill(running.pid, signal.SIGTERM)
    names = found(file)
    assert sorted(names) == sorted(forged_of(one)), "each once"


def found(file: Path) -> list[str]:
    if not file.exists():
        return []
    rows = [json.loads(line) for line in file.read_bytes().splitlines() if line.endswith(b"}")]
    return [row["keys"]["digest"] for row in rows if row["rule"] == "token-forged"]
