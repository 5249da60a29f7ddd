"""A small drill of the real thing: services that are crashed, and a control that leaks."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from immure.cli.drill_signer import _kernel_cores
from immure.errors import UsageError
from immure.signing.drill import running
from immure.signing.drill.backends import BACKENDS, Holder
from immure.signing.drill.errors import DrillError
from immure.signing.drill.running import Options, _parts, drill_signer

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="NOT TESTED: the drill reads memory as root")


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory with a short name: a socket in it has no more than 108 characters."""
    with tempfile.TemporaryDirectory(prefix="drill-") as directory:
        yield Path(directory)


@pytest.mark.drill  # the command runs the same with more crashes
@pytest.mark.real
@needs_root
def test_the_control_leaks_and_the_key_holder_does_not(place: Path) -> None:
    told: list[tuple[str, int, int]] = []
    with _kernel_cores(None, wanted=True) as cores:
        options = Options(
            crashes=8,
            seed=3,
            ways=("segv", "gcore", "live"),
            directory=str(place),
            cores=cores,
            jobs=4,
            algorithms=(("ES256", "ES256"),),
            progress=lambda *words: told.append(words),
        )
        report = drill_signer(["file+unsafe", "keyholder"], options)
    rows = {(row.backend, row.part, row.way, row.guards): row for row in report.rows}
    assert report.crashes == 16
    assert not report.leaks, [row.to_json() for row in report.leaks]
    assert report.blind == []
    assert report.is_complete, report.to_json()
    assert {name for name, _, _ in told} == {"file+unsafe", "keyholder"}
    assert max(done for _, done, _ in told) == 8
    assert sum(row.leaky for row in rows.values()) == sum(
        row.leaky for row in rows.values() if row.backend == "file+unsafe"
    )
    assert {row.part for row in rows.values()} >= {"front end", "holder", "files"}
    assert report.tokens > 0
    assert not list(place.iterdir())


@needs_root
def test_a_drill_that_is_stopped_ends(tmp_path: Path) -> None:
    stopped = threading.Event()
    stopped.set()
    report = drill_signer(["file+unsafe"], Options(crashes=1000, directory=str(tmp_path), stopped=stopped))
    assert report.crashes == 0
    assert not report.is_complete


@needs_root
def test_a_backend_that_never_begins_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise DrillError("no such place")

    monkeypatch.setattr(running, "set_up", fail)
    report = drill_signer(["file+unsafe"], Options(crashes=3, directory=str(tmp_path)))
    assert report.failed == {"file+unsafe": "no such place (no file)"}
    assert report.retries["no such place"] == running._MOST_FAILURES
    assert not report.is_complete
    assert report.blind == ["file+unsafe"]


@needs_root
@pytest.mark.parametrize(("named", "failed"), [(True, {"keyholder": "it is not here"}), (False, {})])
def test_a_backend_that_is_not_here(
    named: bool, failed: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Holder, "why_not", classmethod(lambda _: "it is not here"))
    monkeypatch.setattr(running, "USUAL", ("file+unsafe", "keyholder"))
    monkeypatch.setattr(running._BackendDrill, "run", lambda _: None)
    report = drill_signer(["keyholder"] if named else [], Options())
    assert report.skipped == {"keyholder": "it is not here"}
    assert report.failed == failed


def test_an_unknown_backend() -> None:
    with pytest.raises(UsageError, match="there are file"):
        drill_signer(["hsm"], Options())


def test_it_takes_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(DrillError, match="root"):
        drill_signer([], Options())


@pytest.mark.parametrize(("total", "count", "parts"), [(7, 3, [3, 2, 2]), (2, 4, [1, 1]), (5, 1, [5])])
def test_parts_of_a_backend_run_beside_one_another(total: int, count: int, parts: list[int]) -> None:
    assert _parts(total, count) == parts


def test_only_what_is_said_to_leak_may_leak() -> None:
    """The bar of the project: every backend is held to be clean but the control, and the software token that
    is in the service's own process."""
    free = {name for name, one in BACKENDS.items() if not one.must_be_clean}
    assert free == {"file+unsafe", "pkcs11-inside"}
    assert {name for name, one in BACKENDS.items() if one.is_control} == {"file+unsafe"}
