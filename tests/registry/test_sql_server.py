"""The registry in PostgreSQL, and a server that is locked, slow, stands still, goes away and comes back."""

from __future__ import annotations

import os
import signal
import time
from contextlib import closing

import pytest
from sqlalchemy import text

from immure.registry.errors import RegistryError
from immure.registry.opening import open_store
from immure.registry.scope import KeyScope
from immure.registry.sql_engine import TRIES, Database, Patience
from immure.registry.sql_store import SqlStore
from immure.registry.state import KeyState
from immure.tokens.sources.registry import RegistrySource
from servers.postgres import running

from .material import ISSUER, record

QUICK = Patience(connect=2, lock=0.2, statement=0.3, whole=1.0)
ONE = record(scope=KeyScope(ISSUER), state=KeyState.ACTIVE)


@pytest.fixture(scope="module")
def server():
    """One that may be stopped."""
    with running() as server:
        yield server


@pytest.fixture
def store(server):
    with open_store(server.url(), create=True) as made:
        made.add([ONE])
    with SqlStore(made.path, patience=QUICK) as quick:
        yield quick


@pytest.fixture
def database(server):
    with closing(Database(server.url(), QUICK)) as made:
        yield made


def suspend(store):
    return store.change_state(ONE.thumbprint, KeyState.SUSPENDED, reason="", by="")


def test_a_server_that_was_restarted(server, store):
    """Nobody learns of it: a connection that is dead is found out before anything is done with it."""
    with closing(Database(store.path)) as several:
        several.run(lambda _: several.run(lambda _: None))  # two connections wait to be used
        server.stop()
        server.start()
        assert store.records() == (ONE,)
        several.run(lambda _: several.run(lambda _: None))
        server.stop()
        server.start()
        assert suspend(store).state is KeyState.SUSPENDED


def test_a_server_that_is_gone_and_comes_back(server, store):
    ticks = iter(range(0, 10_000, 10)).__next__
    source = RegistrySource(store, ISSUER, ticks=ticks)
    server.stop()
    for use in (store.records, store.stamp, lambda: suspend(store), lambda: store.add([record("P-256")])):
        with pytest.raises(RegistryError, match=r"PostgreSQL: .*connection") as refused:
            use()
        assert refused.value.path == store.path
    assert source.find(ONE.kid).state is KeyState.ACTIVE  # the keys of the last good look
    assert source.failures > 0
    server.start()
    suspend(store)
    assert source.find(ONE.kid).state is KeyState.SUSPENDED
    assert source.last_error is None


def test_a_server_that_stands_still(server, store):
    """No timeout of its own can end that."""
    server.signal(signal.SIGSTOP)
    try:
        for use in (store.stamp, lambda: suspend(store)):
            with pytest.raises(RegistryError, match=r"was not done within 1 s|timeout"):
                use()
    finally:
        server.signal(signal.SIGCONT)
    assert store.records() == (ONE,)
    assert suspend(store).state is KeyState.SUSPENDED


def test_a_server_that_stands_still_while_something_is_changed(server, store):
    def change(one):
        server.signal(signal.SIGSTOP)
        return one.become(KeyState.SUSPENDED, reason="", by="", at=one.history[-1].at)

    try:
        with pytest.raises(RegistryError, match="was not done within 1 s"):
            store.update(ONE.thumbprint, change)
    finally:
        server.signal(signal.SIGCONT)
    assert store.records() == (ONE,)


def test_a_lock_that_somebody_holds(server, store):
    name = store.path.split("/")[3].split("?")[0]
    with server.connect(name) as other:
        with other.transaction():
            other.execute("UPDATE immure_registry.registry SET revision = revision + 1")
            assert store.records() == (ONE,)  # readers wait for nobody
            with pytest.raises(RegistryError, match="due to lock timeout"):
                suspend(store)
        assert suspend(store).state is KeyState.SUSPENDED


def test_a_writer_that_does_not_end(store):
    """The server breaks it off, and the others go on."""

    def change(one):
        time.sleep(1.3)
        return one.become(KeyState.COMPROMISED, reason="", by="", at=one.history[-1].at)

    with pytest.raises(RegistryError, match=r"PostgreSQL|within"):
        store.update(ONE.thumbprint, change)
    assert suspend(store).state is KeyState.SUSPENDED


def test_a_statement_that_does_not_end(database):
    with pytest.raises(RegistryError, match="due to statement timeout"):
        database.run(lambda connection: connection.execute(text("SELECT pg_sleep(10)")))


def test_another_thread_that_writes(database):
    """It is waited for without a connection; and a change that begins a change says so in the end."""
    with pytest.raises(RegistryError, match=r"another thread has been writing for 0.2 s"):
        database.run(lambda _: database.run(lambda _: None, write=True), write=True)


FAIL = text("DO $$ BEGIN RAISE EXCEPTION 'again' USING ERRCODE = '40001'; END $$")
MAKE = text("CREATE TABLE mark (x int)")
MARK = text("INSERT INTO public.mark VALUES (1)")


@pytest.mark.parametrize(("failures", "marks"), [(0, 1), (2, 1), (TRIES - 1, 1), (TRIES, 0), (TRIES + 3, 0)])
@pytest.mark.parametrize("write", [True, False])
def test_what_the_server_breaks_off_is_tried_again(server, database, failures, marks, write):
    server.execute(database.name.split("/")[3].split("?")[0], MAKE.text)
    tries = []

    def work(connection):
        tries.append(1)
        if write:
            connection.execute(MARK)
        if len(tries) <= failures:
            connection.execute(FAIL)

    if marks:
        database.run(work, write=write)
    else:
        with pytest.raises(RegistryError, match="PostgreSQL: again"):
            database.run(work, write=write)
    assert len(tries) == min(failures + 1, TRIES)
    count = database.run(lambda connection: connection.scalar(text("SELECT count(*) FROM public.mark")))
    assert count == (marks if write else 0)


def test_nobody_knows_what_became_of_a_commit(server, database):
    """The connection breaks when the transaction is to be committed."""
    server.execute(
        database.name.split("/")[3].split("?")[0],
        MAKE.text,
        "CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END'",
        "CREATE CONSTRAINT TRIGGER die AFTER INSERT ON mark DEFERRABLE INITIALLY DEFERRED"
        " FOR EACH ROW EXECUTE FUNCTION die()",
    )
    calls = []
    with pytest.raises(RegistryError, match="may have been written, or not"):
        database.run(lambda connection: calls.append(connection.execute(MARK)), write=True)
    assert len(calls) == 1  # then it must not be done again


def test_settings_of_a_transaction(server, database):
    name = database.name.split("/")[3].split("?")[0]
    server.execute(name, f"ALTER DATABASE {name} SET synchronous_commit = off")

    def settings(connection):
        names = ("transaction_isolation", "transaction_read_only", "synchronous_commit", "search_path")
        return [connection.scalar(text(f"SHOW {one}")) for one in names]

    assert database.run(settings) == ["repeatable read", "on", "on", "pg_catalog"]
    assert database.run(settings, write=True) == ["read committed", "off", "on", "pg_catalog"]
    server.execute(name, f"ALTER DATABASE {name} SET synchronous_commit = remote_apply")
    with closing(Database(database.name)) as other:
        assert other.run(settings, write=True)[2] == "remote_apply"  # more than we ask for is left alone


def test_after_a_fork(database):
    """Both go on, each with a connection of its own."""

    def session():
        return database.run(lambda connection: connection.scalar(text("SELECT pg_backend_pid()")))

    ours = session()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = 2 if session() == ours else 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert session() == ours
