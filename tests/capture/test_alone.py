"""The pipe handler for older kernels: with a server, and without."""

from __future__ import annotations

import json
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from immure.capture.pattern import our_pattern, temporarily
from immure.capture.settings import Settings
from immure.vault import Vault

from .helpers import crash_all, needs_kernel_cores, sleepers, wait_until
from .test_server import all_seen, serving, settings_in

pytestmark = needs_kernel_cores


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory with a short name: core_pattern takes 127 bytes."""
    with tempfile.TemporaryDirectory(prefix="i", dir="/tmp") as directory:
        yield Path(directory)


@contextmanager
def handler(directory: Path, settings: Settings) -> Iterator[None]:
    """Have the kernel start our handler, as it would an installed one: with no environment, and no output."""
    program, config = directory / "immure", directory / "c"
    config.write_text(settings.to_toml())
    code = "from immure.cli.capture import capture; capture()"
    # what `immure` does but for its first word, which is `capture`
    words = f'#!/bin/sh\nshift\nexec {sys.executable} -c "{code}" "$@" 2>>{directory}/said\n'
    program.write_text(words)
    program.chmod(0o755)
    pattern = our_pattern("pipe", socket=settings.core_socket, program=str(program), config=config)
    with temporarily(pattern, pipe_limit=8):
        yield


def test_without_a_server_it_seals_by_itself(place: Path) -> None:
    settings = settings_in(place, scan=False)
    records = place / "records"
    with sleepers(2) as processes, handler(place, settings):
        crash_all(processes)
        wait_until(lambda: records.exists() and len(list(records.glob("core*"))) == 2, 60)
    vault = Vault.open(settings.vault)
    sealed = vault.list()
    assert len(sealed) == 2
    found = [json.loads(path.read_text()) for path in records.iterdir()]
    assert {record["id"] for record in found} == {one.id for one in sealed}
    assert {record["crash"]["pid"] for record in found} == {process.pid for process in processes}
    assert {(r["crash"]["via"], r["crash"]["signal"], r["crash"]["comm"]) for r in found} == {
        ("pipe", signal.SIGABRT, "sleep")
    }
    wait_until(lambda: (place / "said").read_text().count("was kept without a server") == 2)


def test_a_server_gets_the_pipe(place: Path) -> None:
    settings = settings_in(place, scan=False)
    with serving(settings) as server, sleepers(2) as processes, handler(place, settings):
        crash_all(processes)
        all_seen(server, 2)
    assert server.desk.counters.captured == 2
    assert {crash["via"] for crash in server.desk.last} == {"pipe"}
    assert len(Vault.open(settings.vault).list()) == 2


def test_a_core_that_is_lost_is_told_of(place: Path) -> None:
    settings = settings_in(place, max_size=4096)
    with sleepers(1) as [process], handler(place, settings):
        crash_all([process])
        said = place / "said"
        wait_until(lambda: said.exists() and "is lost" in said.read_text(), 60)
    assert (
        f"the core of process {process.pid} is lost: the core is larger than 4096 bytes" in said.read_text()
    )
    assert Vault.open(settings.vault).list() == ()


def test_nothing_is_left_in_the_spool(place: Path) -> None:
    settings = settings_in(place, memory=1, scan=False)
    with sleepers(1) as [process], handler(place, settings):
        crash_all([process])
        wait_until(lambda: (place / "records").exists() and bool(list((place / "records").glob("core*"))), 60)
    assert list((place / "spool").iterdir()) == []
