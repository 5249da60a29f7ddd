"""Two front ends at once, with one registry and one ledger in PostgreSQL; and PostgreSQL gone and back."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from immure.auditlog import AuditLog
from immure.ledger.opening import open_ledger
from immure.ledger.verify import verify_ledger
from immure.registry.opening import open_store
from immure.registry.state import KeyState
from servers.postgres import Postgres, running
from servers.program import free_port
from signing.house import SECRET, House
from signing.real.load import Load
from signing.real.serving import UNSAFE, Serving, house_at, serving, until
from signing.test_service import _kid


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with running() as server:
        yield server


@pytest.fixture
def pair(tmp_path: Path, postgres: Postgres) -> Iterator[tuple[Serving, Serving]]:
    """Two that answer for the same issuers."""
    ports = [free_port(), free_port()]
    places = {
        'registry = "keys.db"': f'registry = "{postgres.url(database=postgres.database())}"',
        'place = "ledger.db"': f'place = "{postgres.url(database=postgres.database())}"',
    }
    house = house_at(tmp_path / "house", ports[0], {UNSAFE: UNSAFE, **places})
    with ExitStack() as stack:
        first = stack.enter_context(serving(house.directory, house=house))
        second = stack.enter_context(
            serving(house.directory, "--port", str(ports[1]), house=house, port=ports[1])
        )
        yield first, second


def rows_of(house: House, issuer: str) -> dict[bytes, tuple[int, str]]:
    """Numbers and keys by digest; there is no gap."""
    with open_ledger(house.settings.ledger) as store:
        rows = {row.digest: (number, row.kid) for number, row in store.rows(issuer, 1, 1 << 40)}
    assert sorted(number for number, _ in rows.values()) == list(range(1, len(rows) + 1))
    return rows


def test_two_front_ends(pair: tuple[Serving, Serving]) -> None:
    first, second = pair
    house, issuer = first.house, first.enterprise
    with Load([first.enterprise], 3) as one, Load([second.enterprise], 3) as other:
        loads = (one, other)
        until(lambda: all(len(load.tokens) > 100 for load in loads), "no tokens")
        with open_store(house.settings.registry) as store:
            record = store.find("enterprise-0001")
            store.change_state(record.thumbprint, KeyState.COMPROMISED, reason="in a dump", by="ada")
        burnt = time.time()
        until(lambda: all(_kid(load.tokens[-1]) == "enterprise-0002" for load in loads), "not replaced")
        until(lambda: all(len(load.tokens) > 300 for load in loads), "no tokens")
    rows = rows_of(house, issuer)
    received = one.digests() | other.digests()
    assert received <= rows.keys()
    for load in loads:
        assert set(load.statuses) <= {200, 503}
        late = [
            token for token in load.tokens if _kid(token) == "enterprise-0001" and _issued(token) > burnt + 1
        ]
        assert late == []
    _check_sealing(pair, len(rows))


def _issued(token: str) -> int:
    from signing.house import claims_of

    return int(claims_of(token)["iat"])


def _check_sealing(pair: tuple[Serving, Serving], count: int) -> None:
    """Each batch was closed by one of them; when both have stopped, all rows are in one."""
    for one in pair:
        one.program.process.terminate()
    assert [one.program.process.wait(20) for one in pair] == [0, 0]
    numbers = [(one["issuer"], one["number"]) for served in pair for one in served.events("batch")]
    assert len(numbers) == len(set(numbers)) > 0
    house = pair[0].house
    with open_ledger(house.settings.ledger) as store:
        entries = AuditLog.open(house.directory / "ledger-log").entries()
        assert sum(batch.rows for batch in verify_ledger(store, entries)) == count
    assert not [one for served in pair for one in served.events("sealing-failed")]


def test_a_database_that_is_gone_and_back(pair: tuple[Serving, Serving], postgres: Postgres) -> None:
    first, _ = pair
    with Load([first.enterprise], 2) as load:
        until(lambda: len(load.tokens) > 20, "no tokens")
        postgres.stop(signal.SIGQUIT)
        until(lambda: load.statuses.get(503, 0) > 3, "nothing was refused")
        refused = httpx.post(
            f"{first.enterprise}/token",
            data={"grant_type": "client_credentials"},
            auth=("daemon", SECRET),
            timeout=40,
        )
        assert httpx.get(f"{first.here}/healthz", timeout=5).status_code == 200
        postgres.start()
        before = len(load.tokens)
        until(lambda: len(load.tokens) > before + 20, first.program.printed())
    assert refused.status_code == 503
    assert "postgres" not in refused.text.lower()
    assert set(load.statuses) == {200, 503}
    assert load.digests() <= rows_of(first.house, first.enterprise).keys()
