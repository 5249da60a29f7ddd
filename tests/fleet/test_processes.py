"""Real worker processes that are killed, poisoned and slow."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from immure.errors import UsageError
from immure.fleet.engines import open_engine
from immure.fleet.engines.processes import ProcessEngine
from immure.fleet.policy import Patience
from immure.fleet.run import FleetReport
from immure.scanning.options import ScanOptions
from immure.scanning.scanner import scan_targets
from immure.synth import plant
from scanning.material import forms, public

from .making import KIB, assert_each_byte_once, facts, quiet_memory, scan_on

OPTIONS = ScanOptions(chunk_bytes=32 * KIB, threads=1)
KEY = public("RSA-1024")
PATIENCE = Patience(
    tries=3, deaths=2, backoff_seconds=0.1, task_seconds=100, straggler_seconds=0.5, worker_seconds=20
)


def images(top: Path, *names: str, size: int = 64 * KIB) -> Path:
    top.mkdir()
    for name in names:
        memory = quiet_memory(size)
        plant(memory, 1000, forms("RSA-1024")["p", "le64"])
        (top / name).write_bytes(memory)
    return top


def scanned(top: Path, engine: str = "processes:2", split: int = 1 << 20) -> FleetReport:
    with open_engine(engine) as opened:
        return scan_on(opened, [str(top)], [KEY], OPTIONS, split, patience=PATIENCE)


def outcomes(report: FleetReport) -> dict[str, str]:
    return {Path(image.path).name: image.ranges[-1].outcome for image in report.account.images}


def test_what_processes_find_is_what_scan_finds_and_workers_keep_it_to_themselves(tmp_path: Path) -> None:
    top = images(tmp_path / "top", "a", "b", size=256 * KIB)
    report = scanned(top, split=96 * KIB)
    assert facts(report.scan) == facts(scan_targets([str(top)], keys=[KEY], options=OPTIONS))
    assert_each_byte_once(report)
    assert report.account.totals()["workers_seen"] == 2


def test_poison_is_quarantined_and_the_rest_is_found(tmp_path: Path, sabotage: dict[str, str]) -> None:
    top = images(tmp_path / "top", "a", "b-poison", "c", "d-poison-once", "e-broken", "f-flaky")
    report = scanned(top)
    assert outcomes(report) == {
        "a": "done", "b-poison": "quarantined", "c": "done", "d-poison-once": "done", "e-broken": "failed",
        "f-flaky": "done",
    }  # fmt: skip
    assert len(report.scan.findings) == 4
    assert not report.scan.complete
    errors = {Path(image.path).name: image.error for image in report.scan.images if image.error}
    assert "is in quarantine after 2 attempts: 2 workers died of it" in str(errors["b-poison"])
    assert "ended by signal 9" in str(errors["b-poison"])
    assert "failed after 3 attempts: the store says: not now" in str(errors["e-broken"])
    assert report.account.totals()["workers_lost"] == 3


def test_a_straggler_is_overtaken(tmp_path: Path, sabotage: dict[str, str]) -> None:
    top = images(tmp_path / "top", "a", "b", "c", "d", "e-slow")
    began = time.monotonic()
    report = scanned(top)
    assert time.monotonic() - began < 45
    assert set(outcomes(report).values()) == {"done"}
    assert len(report.scan.findings) == 5
    assert [image.ranges[-1].attempts for image in report.account.images] == [1, 1, 1, 1, 2]


def test_workers_that_are_killed_in_mid_run_cost_nothing(tmp_path: Path, sabotage: dict[str, str]) -> None:
    top = images(tmp_path / "top", "a-long", "b-long", size=256 * KIB)
    with open_engine("processes:2") as engine:
        assert isinstance(engine, ProcessEngine)
        stop = threading.Event()

        def kill() -> None:
            for _ in range(3):
                if stop.wait(1.0):
                    return
                for pid in engine.pids[:1]:
                    os.kill(pid, signal.SIGKILL)

        killer = threading.Thread(target=kill)
        killer.start()
        patience = Patience(tries=5, deaths=5, backoff_seconds=0.1)
        report = scan_on(engine, [str(top)], [KEY], OPTIONS, 96 * KIB, patience=patience)
        stop.set()
        killer.join()
    assert report.account.totals()["workers_lost"] >= 2
    assert_each_byte_once(report)
    assert facts(report.scan) == facts(scan_targets([str(top)], keys=[KEY], options=OPTIONS))


def test_workers_that_cannot_live_are_not_started_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONHOME", "/nowhere")
    top = images(tmp_path / "top", "a")
    patience = Patience(worker_seconds=1, deaths=100)
    with open_engine("processes:1") as engine:
        report = scan_on(engine, [str(top)], [KEY], OPTIONS, patience=patience)
    assert outcomes(report) == {"a": "failed"}


def test_an_image_that_changes_is_not_vouched_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    top = images(tmp_path / "top", "a")
    from immure.fleet import run

    def listed(target: str) -> object:
        for place in list(plain(target)):
            (top / "a").write_bytes(bytes(10))
            yield place

    plain = run.list_places
    monkeypatch.setattr(run, "list_places", listed)
    report = scanned(top, "threads:1")
    assert outcomes(report) == {"a": "failed"}
    assert "was changed while it was scanned" in str(report.scan.images[0].error)


def test_a_worker_leaves_no_core_and_cannot_be_looked_into(tmp_path: Path) -> None:
    with open_engine("processes:1") as engine:
        assert isinstance(engine, ProcessEngine)
        scan_on(engine, [str(images(tmp_path / "top", "a"))], [KEY], OPTIONS)
        status = Path(f"/proc/{engine.pids[0]}/limits").read_text()
        assert Path(f"/proc/{engine.pids[0]}/maps").stat().st_uid == 0
    assert "Max core file size        0" in status


@pytest.mark.parametrize(
    "name", ["", "ray://x:1", "processes:0", "threads:99999", "dask://x", "processes:-1", "dask://x:1;rm"]
)
def test_engines_that_there_are_not(name: str) -> None:
    with pytest.raises(UsageError), open_engine(name):
        pass


@pytest.mark.parametrize("name", ["threads:2", "processes:1"])
def test_an_engine_serves_one_run_after_the_other(name: str, tmp_path: Path) -> None:
    top = images(tmp_path / "top", "a")
    with open_engine(name) as engine:
        for keys, found in (([KEY], 1), ([], 0), ([KEY], 1)):
            report = scan_on(engine, [str(top)], keys, OPTIONS, 1 << 20, patience=PATIENCE)
            assert len(report.scan.findings) == found
            assert report.account.totals()["workers_seen"] == 1


def test_an_image_that_changes_while_it_is_read_is_not_vouched_for_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from immure.fleet import work

    top = images(tmp_path / "top", "a")
    plain = work._whole

    def changing(*arguments: object) -> object:
        result = plain(*arguments)  # type: ignore[arg-type]
        (top / "a").write_bytes(bytes(64 * KIB))
        return result

    monkeypatch.setattr(work, "_whole", changing)
    report = scanned(top, "threads:1")
    assert outcomes(report) == {"a": "failed"}
    assert not report.scan.findings
