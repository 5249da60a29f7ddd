"""A real Dask scheduler with real workers, over loopback: killed, stopped, poisoned, and over TLS."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("distributed", reason="NOT TESTED: the extra fleet is not installed")

from immure.fleet.engine import Engine
from immure.fleet.engines import EngineOptions, open_engine
from immure.fleet.engines.dask_link import scheduler_address
from immure.fleet.errors import EngineError, FleetError
from immure.fleet.policy import Patience
from immure.fleet.run import FleetReport
from immure.scanning.options import ScanOptions
from immure.scanning.scanner import scan_targets
from immure.synth import plant
from scanning.material import forms, public
from servers.dask import DaskCluster, dask_cluster
from servers.tls import Authority

from .conftest import SABOTAGE
from .making import KIB, assert_each_byte_once, facts, quiet_memory, scan_on
from .test_processes import images, outcomes

OPTIONS = ScanOptions(chunk_bytes=32 * KIB, threads=1)
KEY = public("RSA-1024")
SPLIT = 96 * KIB
PATIENCE = Patience(
    tries=3, deaths=2, backoff_seconds=0.1, task_seconds=100, straggler_seconds=1, worker_seconds=30
)


@pytest.fixture(scope="module")
def marks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("marks")


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, EngineOptions]:
    """Of our authority, and of another."""
    made = {}
    for name in ("ours", "theirs"):
        directory = tmp_path_factory.mktemp(name)
        authority = Authority(directory)
        pair = authority.issue("node")
        made[name] = EngineOptions(str(authority.certificate), str(pair.certificate), str(pair.key))
    return made


@pytest.fixture(scope="module")
def cluster(marks: Path, certificates: dict[str, EngineOptions]) -> Iterator[DaskCluster]:
    """Over TLS, as it should be."""
    environment = {"IMMURE_SABOTAGE": str(marks), "PYTHONPATH": str(SABOTAGE)}
    ours = certificates["ours"]
    files = {f"tls_{who}_{what}": path for who in ("scheduler", "worker")
             for what, path in (("cert", ours.tls_cert), ("key", ours.tls_key))}  # fmt: skip
    security = repr({"tls_ca_file": ours.tls_ca, "require_encryption": True, **files})
    with dask_cluster(2, environment=environment, security=security) as made:
        yield made


@pytest.fixture
def engine(cluster: DaskCluster, certificates: dict[str, EngineOptions]) -> Iterator[Engine]:
    with open_engine(cluster.engine, certificates["ours"]) as opened:
        yield opened


@pytest.fixture(autouse=True)
def two_workers(request: pytest.FixtureRequest) -> None:
    """Whoever was killed is replaced before the next test."""
    if "cluster" in request.fixturenames:
        made: DaskCluster = request.getfixturevalue("cluster")
        alive = [one for one in made.workers.values() if one.poll() is None]
        if len(alive) < 2:
            made.add_workers(2 - len(alive))


def scanned(engine: Engine, top: Path, split: int = SPLIT) -> FleetReport:
    return scan_on(engine, [str(top)], [KEY], OPTIONS, split, patience=PATIENCE)


def test_a_cluster_finds_what_scan_finds(engine: Engine, tmp_path: Path) -> None:
    top = images(tmp_path / "top", "a", "b", size=256 * KIB)
    report = scanned(engine, top)
    assert facts(report.scan) == facts(scan_targets([str(top)], keys=[KEY], options=OPTIONS))
    assert_each_byte_once(report)
    assert report.account.totals()["workers_seen"] == 2


def test_no_byte_of_a_key_crosses_the_link(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everything that the coordinator sends and gets is scanned for the key, as if it were a dump."""
    from immure.fleet import dispatch, wire
    from immure.fleet.engines import dask

    seen: list[bytes] = []

    def listening(plain: object) -> object:
        def listen(value: object) -> object:
            result = plain(value)  # type: ignore[operator]
            seen.append(value if isinstance(value, bytes) else result)  # type: ignore[arg-type]
            return result

        return listen

    monkeypatch.setattr(dask, "pack", listening(wire.pack))
    monkeypatch.setattr(dispatch, "unpack", listening(wire.unpack))
    memory = quiet_memory(512 * KIB)
    der = forms("RSA-1024")["key", "pkcs8-der"]
    plant(memory, 96 * KIB - 200, der)
    plant(memory, 300 * KIB, forms("RSA-1024")["qinv", "le64"])
    plant(memory, 400 * KIB, forms("Ed25519")["seed", "raw"])
    (tmp_path / "image").write_bytes(memory)
    keys = [public("RSA-1024"), public("Ed25519")]
    report = scan_on(engine, [str(tmp_path / "image")], keys, OPTIONS, SPLIT, patience=PATIENCE)
    assert len(report.scan.findings) == 2
    assert len(report.scan.findings[0].occurrences) > 3
    traffic = tmp_path / "traffic"
    traffic.write_bytes(b"\0".join(seen))
    assert len(seen) > 15
    check = scan_targets([str(traffic)], keys=keys, options=ScanOptions(mode="exhaustive", deep=True))
    assert not check.findings
    # the check itself finds such a thing
    traffic.write_bytes(b"\0".join([*seen, der]))
    assert scan_targets([str(traffic)], keys=keys).findings


def test_a_worker_that_is_killed_in_mid_run_costs_nothing(
    cluster: DaskCluster, engine: Engine, tmp_path: Path
) -> None:
    top = images(tmp_path / "top", "a-long", "b-long", size=256 * KIB)
    victim = next(address for address, process in cluster.workers.items() if process.poll() is None)
    killer = threading.Timer(2.0, cluster.kill, [victim])
    killer.start()
    report = scanned(engine, top)
    killer.join()
    assert report.account.totals()["workers_lost"] == 1
    assert facts(report.scan) == facts(scan_targets([str(top)], keys=[KEY], options=OPTIONS))
    assert_each_byte_once(report)
    assert report.account.totals()["attempts"] > report.account.totals()["ranges"]


@pytest.mark.parametrize("stranger", ["theirs", "none"])
def test_the_link_is_encrypted_and_both_sides_are_proved(
    cluster: DaskCluster,
    certificates: dict[str, EngineOptions],
    monkeypatch: pytest.MonkeyPatch,
    stranger: str,
) -> None:
    monkeypatch.setattr("immure.fleet.engines.dask.ANSWER_SECONDS", 3.0)
    assert cluster.address.startswith("tls://")
    options = certificates.get(stranger, EngineOptions())
    with pytest.raises(FleetError, match="cannot be reached"), open_engine(cluster.engine, options):
        pass


def test_poison_is_quarantined_and_a_worker_that_joins_takes_part(
    cluster: DaskCluster, engine: Engine, tmp_path: Path
) -> None:
    top = images(tmp_path / "top", "a-long", "b-poison", "c-long", "d")
    stop = threading.Event()

    def replace() -> None:
        """As a cluster does: who is gone is replaced."""
        while not stop.wait(0.3):
            if sum(one.poll() is None for one in cluster.workers.values()) < 2:
                cluster.add_worker()

    replacing = threading.Thread(target=replace)
    replacing.start()
    try:
        report = scanned(engine, top, 1 << 20)
    finally:
        stop.set()
        replacing.join()
    assert outcomes(report) == {"a-long": "done", "b-poison": "quarantined", "c-long": "done", "d": "done"}
    totals = report.account.totals()
    assert (totals["workers_lost"], totals["quarantined"]) == (2, 1)
    assert totals["workers_seen"] >= 3
    assert not report.scan.complete


def test_workers_are_not_lost_because_the_client_has_heard_of_none(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every few seconds it asks the scheduler for no workers, and remembers that answer as the latest."""
    client = engine._client  # type: ignore[attr-defined]

    async def ask(n_workers: int = 0) -> None:
        client._scheduler_identity = {"workers": {}}

    monkeypatch.setattr(client, "_update_scheduler_info", ask)
    report = scanned(engine, images(tmp_path / "top", "a", "b"))
    totals = report.account.totals()
    assert (totals["workers_seen"], totals["workers_lost"]) == (2, 0)
    assert totals["attempts"] == totals["ranges"]


def test_a_worker_that_stands_still_is_overtaken_and_its_answer_discarded(
    engine: Engine, tmp_path: Path
) -> None:
    """The last that uses this cluster: one of its workers sleeps on."""
    top = images(tmp_path / "top", *"abcdef", "g-slow")
    began = time.monotonic()
    report = scanned(engine, top, 1 << 20)
    assert time.monotonic() - began < 50
    assert set(outcomes(report).values()) == {"done"}
    assert len(report.scan.findings) == 7
    totals = report.account.totals()
    assert totals["attempts"] == totals["ranges"] + 1
    assert_each_byte_once(report)


def test_without_a_scheduler_there_is_no_scan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("immure.fleet.engines.dask.ANSWER_SECONDS", 1.0)
    with pytest.raises(FleetError, match="cannot be reached"), open_engine("dask://127.0.0.1:9"):
        pass


@pytest.mark.parametrize(
    ("name", "options", "address"),
    [
        ("dask://127.0.0.1:8786", EngineOptions(), "tcp://127.0.0.1:8786"),
        ("dask://[::1]:8786", EngineOptions(), "tcp://[::1]:8786"),
        ("dask://localhost:8786", EngineOptions(), "tcp://localhost:8786"),
        ("dask://10.0.0.5:8786", EngineOptions(allow_plain=True), "tcp://10.0.0.5:8786"),
        ("dask://10.0.0.5:8786", EngineOptions("ca", "cert", "key"), "tls://10.0.0.5:8786"),
    ],
)
def test_addresses(name: str, options: EngineOptions, address: str) -> None:
    assert scheduler_address(name, options) == address


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("dask://10.0.0.5:8786", EngineOptions(), "without TLS"),
        ("dask://scheduler:8786", EngineOptions(), "without TLS"),
        ("dask://localhost.evil.example:8786", EngineOptions(), "without TLS"),
        ("dask://127.0.0.1:8786", EngineOptions(tls_ca="ca"), "go together"),
        ("dask://127.0.0.1:0", EngineOptions(), "is no dask"),
        ("dask://127.0.0.1:99999", EngineOptions(), "is no dask"),
        ("dask://user@127.0.0.1:1", EngineOptions(), "is no dask"),
        ("dask://127.0.0.1:1", EngineOptions("/no", "/no", "/no"), "cannot be read"),
    ],
)
def test_links_that_are_refused(name: str, options: EngineOptions, words: str) -> None:
    with pytest.raises(EngineError, match=words), open_engine(name, options):
        pass


_CLIENT = """
import sys
from immure.fleet.engines import open_engine
from immure.fleet.run import scan_fleet
from immure.fleet.policy import Patience
with open_engine(sys.argv[1]) as engine:
    print("begun", flush=True)
    report = scan_fleet([sys.argv[2]], engine, patience=Patience(worker_seconds=5))
print([image.error for image in report.scan.images], report.scan.complete)
"""


@pytest.mark.drill
def test_a_scheduler_that_goes_away_ends_the_run_with_a_report(tmp_path: Path) -> None:
    top = images(tmp_path / "top", "a-slow", "b-slow")
    marks = tmp_path / "marks"
    marks.mkdir()
    environment = {"IMMURE_SABOTAGE": str(marks), "PYTHONPATH": str(SABOTAGE)}
    with dask_cluster(1, environment=environment) as cluster:
        client = subprocess.Popen(
            [sys.executable, "-c", _CLIENT, cluster.engine, str(top)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert client.stdout is not None
        assert client.stdout.readline() == "begun\n"
        time.sleep(3)
        assert cluster.scheduler is not None
        cluster.scheduler.send_signal(signal.SIGKILL)
        output, errors = client.communicate(timeout=100)
    assert client.returncode == 0, errors
    assert output.count("failed after") == 2
    assert "False" in output
