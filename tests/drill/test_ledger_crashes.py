"""The issuance ledger under a thousand kills: nothing released is lost, nothing is invented."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from ledger.crashing import Crashes, crash_often
from servers.postgres import running

pytestmark = [pytest.mark.drill, pytest.mark.timeout(1800)]
COUNT = 1000


def _report(what: str, crashes: Crashes) -> None:
    print(
        f"{what}: {crashes.count} front ends killed, {crashes.sealed} of them closing batches; "
        f"{len(crashes.released)} tokens released, {crashes.unreleased} recorded and not released"
    )
    assert crashes.count >= COUNT
    assert len(crashes.released) > COUNT
    assert crashes.sealed > COUNT / 10
    assert crashes.unreleased > 0  # some were killed just between


@pytest.mark.parametrize("together", [1, 2])
def test_sqlite(tmp_path: Path, together: int) -> None:
    crashes = Crashes(str(tmp_path / "ledger.db"), tmp_path / "log")
    crash_often(crashes, COUNT, together=together, every=50)
    _report(f"SQLite, {together} at once", crashes)


def test_postgresql_with_two_front_ends(tmp_path: Path) -> None:
    """One front end is killed while the other is at work; now and then the server is, under both."""
    with running(fsync="on") as server:
        crashes = Crashes(server.url(), tmp_path / "log")

        def during(number: int) -> None:
            if number % 25 == 0:
                server.stop(signal.SIGQUIT)  # at once, without writing anything down
                server.start()

        crash_often(crashes, COUNT, together=2, every=50, during=during)
    _report("PostgreSQL, 2 at once", crashes)
