"""Every world of every scenario, with real parts."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from immure.replay.controls import CONTROLS
from immure.replay.matrix import WorldName, worlds
from immure.replay.options import CustodyKind, Options
from immure.replay.playing import play
from immure.replay.record import Outcome
from immure.replay.scenario import names, read_scenario
from immure.replay.soft_token import why_not
from immure.replay.stage import Stage

SABOTAGE = Path(__file__).parents[1] / "replay" / "sabotage"
pytestmark = [pytest.mark.drill, pytest.mark.real]
CELLS = [(name, world) for name in names() for world in worlds(read_scenario(name))]


@pytest.fixture(scope="module")
def stages() -> Iterator[dict[str, Stage]]:
    """One stage at a time: the issuers of the scenario before are stopped when another one begins."""
    opened: dict[str, Stage] = {}
    yield opened
    for one in opened.values():
        one.__exit__()


@pytest.mark.parametrize(("name", "world"), CELLS, ids=[f"{name}: {world.name}" for name, world in CELLS])
def test_a_cell_of_the_matrix(name: str, world: WorldName, stages: dict[str, Stage]) -> None:
    if name not in stages:
        for before in list(stages):
            stages.pop(before).__exit__()
        stages[name] = Stage(read_scenario(name), Options()).__enter__()
    scenario = read_scenario(name)
    outcome = play(stages[name], world.controls)
    assert outcome.broke_at == scenario.expected_break(world.controls), outcome.verdict
    noticing = {control for control in world.controls if CONTROLS[control].notices}
    if outcome.broke_at is None:
        assert outcome.reading.mailboxes == len(scenario.organizations)
        assert {one.control for one in outcome.notices} == noticing
        _check_proofs(outcome, noticing)
    else:
        assert outcome.reading.mailboxes == 0
        assert outcome.broken_by in scenario.links[outcome.broke_at - 1].controls
    assert outcome.is_as_expected
    assert outcome.proofs
    if "response" in world.controls and outcome.broke_at is None:
        assert outcome.response is not None
        assert outcome.response.organizations_told == len(scenario.organizations)
        assert outcome.response.mailboxes_read_again == 0
    if "gate" in world.controls:
        assert any(" of the gate, in a log that verifies" in proof for proof in outcome.proofs)
    if "ledger" in world.controls:
        assert outcome.reconciled_by == "detect"
    if "custody" in scenario.controls:
        assert outcome.custody == (stages[name].custody if "custody" in world.controls else "file")


def test_a_check_of_key_scope_that_accepts_everything_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loaded by the doorkeeper's process, into the very checks that the policy runs."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(SABOTAGE), os.environ.get("PYTHONPATH", "")]))
    with Stage(read_scenario("storm-0558"), Options()) as stage:
        outcome = play(stage, frozenset({"key-scope"}))
    assert outcome.reading.mailboxes == 25
    assert not outcome.is_as_expected


@pytest.mark.parametrize("custody", ["pkcs11", "keyholder"])
def test_custody_alone(custody: CustodyKind) -> None:
    why = why_not(tempfile.gettempdir())
    if custody == "pkcs11" and why is not None:
        pytest.skip(f"NOT TESTED: {why}")
    with Stage(read_scenario("storm-0558"), Options(custody=custody)) as stage:
        outcome = play(stage, frozenset({"custody"}))
        assert any("key holder stands in" in words for words in stage.stands_in) == (custody == "keyholder")
    assert (outcome.broke_at, outcome.broken_by) == (1, "custody")
    assert outcome.custody == custody
    assert outcome.dump is not None
    assert outcome.dump.findings == []
    assert outcome.is_as_expected


def _check_proofs(outcome: Outcome, noticing: set[str]) -> None:
    """Who kept a log can prove all of it; who kept none, nothing."""
    everybody = outcome.reading.mailboxes
    proofs = " | ".join(outcome.proofs)
    forged = f"{everybody} accepted tokens were never issued (by digest), for {everybody} mailboxes"
    opened = f"which {outcome.reading.messages} messages of {everybody} mailboxes were opened"
    assert (forged in proofs) == ("ledger" in noticing)
    assert (opened in proofs) == ("mail-log" in noticing)
    assert ("nothing: no log" in proofs) == (not noticing)


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_nothing_runs_on_when_it_is_ended(sent: signal.Signals, tmp_path: Path) -> None:
    """By SIGKILL its directory stays, and what it started is told by the kernel to end, too."""
    words = [
        sys.executable,
        "-m",
        "immure",
        "replay",
        "storm-0558",
        "--mail",
        "http",
        "--directory",
        str(tmp_path),
    ]
    with (tmp_path / "printed").open("wb") as printed:
        process = subprocess.Popen(words, stdout=printed, stderr=printed)
    _await(lambda: len(_running_in(tmp_path)) >= 4, 120)  # the first issuer, and the signer
    process.send_signal(sent)
    process.wait(60)
    _await(lambda: not _running_in(tmp_path), 60)
    if sent != signal.SIGKILL:
        assert [one.name for one in tmp_path.iterdir()] == ["printed"]


def _running_in(directory: Path) -> list[int]:
    found = []
    for one in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if one.name.isdigit() and os.readlink(one / "cwd").startswith(f"{directory}/"):
                found.append(int(one.name))
    return found


def _await(done: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end
        time.sleep(0.1)
