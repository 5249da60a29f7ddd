"""Whole drills: every way that is possible here, on programs that hold a key and one that does not."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from immure.capture.drill import demonstration, own_ways
from immure.capture.drill.canary import KINDS, CanaryKind, make_canary
from immure.capture.drill.program import Recipe
from immure.capture.drill.residue import Residue, ResidueSearch
from immure.capture.drill.running import DrillReport, Subject, Trial, drill, ways_named
from immure.capture.drill.way import Way
from immure.capture.drill.ways import WAYS
from immure.capture.pattern import changing, read_pattern
from immure.capture.settings import Settings
from immure.errors import CaptureError, UsageError

from ..helpers import needs_core_socket

READY = re.compile(b"ready")
HOLDER = """
import os, time
key = open(os.environ["IMMURE_CANARY"]).read()
print("ready", flush=True)
time.sleep(60)
"""
FORGETTER = "import time; print('ready', flush=True); time.sleep(60)"
LEFT = Residue(copies=1)
TRIAL = Trial("signer", "socket", must_be_clean=False, live=LEFT, residue=LEFT)


def subject(code: str, name: str = "program") -> Subject:
    return Subject(name, Recipe([sys.executable, "-u", "-c", code], READY))


def demo(mode: str) -> Subject:
    argv = [sys.executable, "-m", demonstration.__name__, mode, "{canary}"]
    return Subject(mode, Recipe(argv, READY), demonstration.why_not(mode), mode == "memfd-secret")


@pytest.mark.parametrize(
    ("trials", "leaks", "complete", "never"),
    [
        ([], 0, False, []),
        ([TRIAL], 0, True, []),
        ([replace(TRIAL, must_be_clean=True)], 1, True, []),
        ([replace(TRIAL, must_be_clean=True, residue=Residue())], 0, True, []),
        ([replace(TRIAL, residue=Residue(fragments=1), must_be_clean=True)], 1, True, []),
        ([replace(TRIAL, skipped="no root", residue=None, live=None)], 0, False, []),
        ([TRIAL, replace(TRIAL, failed="no core", residue=None)], 0, False, []),
        ([replace(TRIAL, live=Residue(), residue=Residue())], 0, True, ["signer"]),
        ([replace(TRIAL, live=None, residue=Residue())], 0, True, ["signer"]),
    ],
)
def test_what_follows_from_trials(trials: list[Trial], leaks: int, complete: bool, never: list[str]) -> None:
    report = DrillReport("rsa", trials)
    assert (len(report.leaks), report.is_complete, report.never_loaded) == (leaks, complete, never)
    assert report.to_json()["leaks"] == leaks


def test_names_of_ways() -> None:
    assert [way.name for way in ways_named([])] == ["file", "pipe", "socket", "gcore", "sealed", "redacted"]
    assert [way.name for way in ways_named(["gcore", "file"])] == ["file", "gcore"]
    with pytest.raises(UsageError, match="unknown way 'usb'"):
        ways_named(["usb"])


class Impossible(Way):
    name = "impossible"

    def why_not(self) -> str | None:
        return "not here"

    def dump(self, program: object, directory: Path, search: ResidueSearch) -> tuple[int, str | None]:
        raise AssertionError("it was tried")


class Failing(Impossible):
    name = "failing"

    def why_not(self) -> str | None:
        return None

    def dump(self, program: object, directory: Path, search: ResidueSearch) -> tuple[int, str | None]:
        raise CaptureError("there is no core")


def test_what_is_not_possible_is_skipped_and_what_fails_is_told() -> None:
    report = drill([subject(HOLDER)], [Impossible(), Failing()], kind="ed25519")
    assert [trial.skipped for trial in report.trials] == ["not here", None]
    assert [trial.failed for trial in report.trials] == [None, "there is no core"]
    assert report.trials[1].live is None or report.trials[1].live.copies


def test_a_program_that_cannot_be_started_ends_the_drill() -> None:
    with pytest.raises(UsageError, match="cannot be started"):
        drill([Subject("x", Recipe(["/nonexistent"], READY))], [Failing()], kind="ed25519")


def test_a_plain_core_beside_the_vault_would_be_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    search = ResidueSearch(make_canary("p256"))

    def leak(program: object, settings: Settings) -> None:
        (tmp_path / "vault" / "dumps").mkdir(parents=True)
        (tmp_path / "vault" / "dumps" / "x").write_bytes(bytes(500) + search.canary.pem.reveal())

    monkeypatch.setattr(own_ways, "_capture", leak)
    [sealed] = ways_named(["sealed"])
    sealed.dump(None, tmp_path, search)  # type: ignore[arg-type]
    assert search.residue().copies >= 1


class TestReal:
    pytestmark = needs_core_socket

    @pytest.mark.parametrize("kind", KINDS)
    def test_every_way_finds_the_key_but_ours(self, kind: CanaryKind, tmp_path: Path) -> None:
        with changing():  # nobody else has another one meanwhile
            before = read_pattern()
        ways = [way for way in WAYS if kind == "rsa" or way.name in ("pipe", "sealed", "redacted")]
        report = drill([subject(HOLDER)], ways, kind=kind, directory=str(tmp_path))
        assert [trial.failed for trial in report.trials] == [None] * len(ways)
        for trial in report.trials:
            if trial.skipped is None:
                assert trial.residue is not None
                assert trial.live is not None
                assert trial.live.copies
                assert trial.residue.is_clean is trial.must_be_clean, trial
                assert trial.note is None
                assert trial.size > 1 << 20
        assert {trial.way for trial in report.trials if trial.skipped is None} >= {
            "pipe",
            "sealed",
            "redacted",
        }
        assert not report.leaks
        assert list(tmp_path.iterdir()) == []  # no core, no key
        with changing():
            assert read_pattern() == before

    def test_a_way_that_has_to_be_clean_and_is_not(self) -> None:
        report = drill([subject(HOLDER)], ways_named(["socket"]), kind="p256", clean=["socket"])
        assert len(report.leaks) == 1

    def test_a_program_that_never_had_the_canary(self) -> None:
        report = drill([subject(FORGETTER)], ways_named(["socket"]), kind="p256")
        assert report.never_loaded == ["program"]

    def test_one_that_asks_not_to_be_dumped(self) -> None:
        code = f"import ctypes; ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)\n{HOLDER}"
        report = drill([subject(code)], ways_named(["pipe", "sealed"]), kind="p256")
        for trial in report.trials:
            assert trial.failed is not None, trial
            assert "may have asked not to be dumped" in trial.failed

    @pytest.mark.parametrize("mode", demonstration.MODES)
    def test_exclusion_flags(self, mode: str) -> None:
        shown = demo(mode)
        if shown.why_not is not None:
            pytest.skip(f"NOT TESTED: {shown.why_not}")
        [trial] = drill([shown], ways_named(["socket"]), kind="rsa").trials
        assert trial.residue is not None, trial
        assert trial.live is not None
        if mode in ("plain", "dontdump-or"):
            assert trial.residue.copies == trial.live.copies >= 5
        elif mode == "memfd-secret":
            assert trial.live.is_clean
        else:  # the flag excludes what it is about; what else there is depends on the library
            assert trial.residue.copies < trial.live.copies
