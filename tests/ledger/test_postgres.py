"""A ledger in PostgreSQL when the server goes, comes back, or was never there."""

from __future__ import annotations

import psycopg
import pytest

from immure.ledger.errors import LedgerError
from immure.ledger.ledger import Ledger
from immure.ledger.postgres_store import PostgresLedger
from ledger.making import ISSUER, row
from servers.postgres import Postgres, running


def test_the_server_goes_and_comes_back() -> None:
    with running() as server:
        url = server.url()
        with Ledger(PostgresLedger(url, create=True)) as ledger:
            assert ledger.record(row()) == 1
            server.stop()
            with pytest.raises(LedgerError):
                ledger.record(row())
            server.start()
            assert ledger.record(row()) == 2


def test_a_connection_that_is_cut(postgres: Postgres) -> None:
    """What was under way is reported as not recorded, and is not there; the sequence has no gap."""
    database = postgres.database()
    url = postgres.url(database=database)
    with PostgresLedger(url, create=True) as store:
        store.append([row()])
        postgres.execute(
            "postgres",
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'",
        )
        with pytest.raises(LedgerError, match="database"):
            store.append([row()])
        assert store.append([row()]) == [2]
        assert [sequence for sequence, _ in store.rows(ISSUER, 1, 9)] == [1, 2]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE immure_ledger_tokens SET sub = 'eve'",
        "DELETE FROM immure_ledger_tokens",
        "TRUNCATE immure_ledger_tokens CASCADE",
        "DELETE FROM immure_ledger_batches",
    ],
)
def test_rows_stay(postgres: Postgres, statement: str) -> None:
    database = postgres.database()
    with PostgresLedger(postgres.url(database=database), create=True) as store:
        store.append([row()])
        store.close_until(ISSUER, 5)
        postgres.execute(database, "INSERT INTO immure_ledger_batches VALUES (1, 0, 1, 0, 5, '', '', NULL)")
        with pytest.raises(psycopg.errors.RaiseException):
            postgres.execute(database, statement)
        assert store.append([row()]) == [2]


def test_a_newer_layout(postgres: Postgres) -> None:
    database = postgres.database()
    url = postgres.url(database=database)
    PostgresLedger(url, create=True).close()
    postgres.execute(database, "UPDATE immure_ledger_layout SET version = 2")
    with pytest.raises(LedgerError, match="layout 2"):
        PostgresLedger(url, create=True)


def test_made_by_several_at_once(postgres: Postgres) -> None:
    import threading

    url = postgres.url()
    made: list[PostgresLedger] = []
    threads = [
        threading.Thread(target=lambda: made.append(PostgresLedger(url, create=True))) for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [store.append([row()]) for store in made] == [[number] for number in range(1, 7)]
    for store in made:
        store.close()


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ledger:hunter2@127.0.0.1:1/immure",
        "postgresql://ledger:hunter2@127.0.0.1:1/immure?password=hunter2",
        "postgresql://ledger:hunter2@[::1/immure",
        "postgresql://ledger:hunter2@127.0.0.1:port/immure",
    ],
)
def test_no_password_in_messages(url: str) -> None:
    with pytest.raises(LedgerError) as caught:
        PostgresLedger(url)
    error: BaseException | None = caught.value
    assert "hunter2" not in str(error)
    assert "hunter2" not in (caught.value.path or "")
    assert caught.value.__cause__ is None
