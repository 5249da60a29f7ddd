"""The registry in PostgreSQL under several front ends, and ones that die: nothing acknowledged is lost."""

from __future__ import annotations

import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from immure.registry.errors import DuplicateKeyError, TransitionError
from immure.registry.opening import open_store
from immure.registry.scope import KeyScope
from immure.registry.state import KeyState
from servers.postgres import running

from .material import ISSUER, OTHER, record
from .test_processes import TOGGLER, WRITER, records_in, start

#: Stops within a transaction, before it is committed.
STOPPER = """
import sys, time
from immure.registry.opening import open_store
from immure.registry.state import KeyState
from immure.registry.sql_engine import Patience
from immure.registry.sql_store import SqlStore
class Stopping(SqlStore):
    def _replace(self, connection, thumbprint, change):
        super()._replace(connection, thumbprint, change)
        print("there", flush=True)
        time.sleep(60)
patience = Patience(whole=float(sys.argv[3]))
Stopping(sys.argv[1], patience=patience).change_state(sys.argv[2], KeyState.COMPROMISED, reason="", by="")
"""


def test_several_make_the_same_registry_and_write(postgres, tmp_path):
    url = postgres.url()
    writers = [start(WRITER, url, records_in(tmp_path, first, 10), "x") for first in (0, 10, 20)]
    said = [writer.communicate(timeout=60)[0].split() for writer in writers]
    assert [writer.returncode for writer in writers] == [0] * 3
    with open_store(url) as store:
        assert sorted(one.kid for one in store.records()) == sorted(kid for lines in said for kid in lines)
        assert {one.state for one in store.records()} == {KeyState.ACTIVE}
        assert len(store.records()) == 30


def test_several_threads_make_registries(postgres):
    """Two of each: Alembic keeps what it does in global variables."""
    urls = [postgres.url() for _ in range(3)] * 2
    with ThreadPoolExecutor(len(urls)) as pool:
        for store in pool.map(lambda url: open_store(url, create=True), urls):
            assert store.records() == ()
            store.close()


def test_two_processes_and_one_key(postgres):
    one = record(state=KeyState.ACTIVE)
    with open_store(postgres.url(), create=True) as store:
        store.add([one])
        togglers = [start(TOGGLER, store.path, one.thumbprint) for _ in range(2)]
        done = sum(int(toggler.communicate(timeout=60)[0]) for toggler in togglers)
        # a record refuses a history with a step in it that is not allowed, so none was lost or doubled
        assert len(store.get(one.thumbprint).history) == len(one.history) + done
        assert done > 0


def test_killed_before_the_commit(postgres):
    one = record(state=KeyState.ACTIVE)
    with open_store(postgres.url(), create=True) as store:
        store.add([one])
        stamp = store.stamp()
        process = start(STOPPER, store.path, one.thumbprint, 60)
        assert process.stdout is not None
        assert process.stdout.readline() == "there\n"
        assert store.get(one.thumbprint) == one  # readers do not wait for it
        assert store.stamp() == stamp
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert store.get(one.thumbprint) == one
        store.change_state(one.thumbprint, KeyState.SUSPENDED, reason="", by="")


def test_a_writer_that_stands_still(postgres):
    """Nobody can end it but the server, and that does: the others wait no longer than this."""
    one = record(state=KeyState.ACTIVE)
    with open_store(postgres.url(), create=True) as store:
        store.add([one])
        process = start(STOPPER, store.path, one.thumbprint, 1)
        assert process.stdout is not None
        assert process.stdout.readline() == "there\n"
        process.send_signal(signal.SIGSTOP)
        try:
            store.change_state(one.thumbprint, KeyState.SUSPENDED, reason="", by="")
        finally:
            process.kill()
            process.wait()
        assert store.get(one.thumbprint).state is KeyState.SUSPENDED


@pytest.mark.parametrize("lines", [1, 9])
def test_killed_at_any_moment(postgres, tmp_path, lines):
    with open_store(postgres.url(), create=True) as store:
        process = start(WRITER, store.path, records_in(tmp_path, 0, 40), "x")
        check_what_is_left(store, process, lines, lambda: process.send_signal(signal.SIGKILL))


def test_a_server_that_is_killed(tmp_path):
    """What was acknowledged is there when it has been started again."""
    with running() as server, open_store(server.url(), create=True) as store:
        process = start(WRITER, store.path, records_in(tmp_path, 0, 40), "x")

        def kill():
            server.signal(signal.SIGKILL)
            process.wait()  # its server is gone
            server.stop()
            server.start()

        check_what_is_left(store, process, 5, kill)


def check_what_is_left(store, process, lines, kill):
    said = [process.stdout.readline().strip() for _ in range(lines)]
    time.sleep(0.0007 * lines)
    kill()
    said += process.stdout.read().split()
    process.wait()
    kids = {one.kid: one for one in store.records()}
    assert all(kids[kid].state is KeyState.ACTIVE for kid in said)
    assert lines <= len(said) <= len(kids) <= len(said) + 1
    store.add([record("P-256")])  # and it can be written again


# --- whatever several threads do at once, it is as if they had done it one after the other ---

KEYS = [record("Ed25519", number, kid=f"k{number}", scope=KeyScope(ISSUER)) for number in range(3)]
states = st.sampled_from([KeyState.ACTIVE, KeyState.SUSPENDED, KeyState.DEACTIVATED, KeyState.COMPROMISED])
steps = st.tuples(st.sampled_from(KEYS), states | st.sampled_from([None, KeyScope(ISSUER), KeyScope(OTHER)]))
programs = st.lists(st.lists(steps, min_size=1, max_size=6), min_size=2, max_size=3)


@settings(max_examples=8, deadline=None)
@given(programs)
def test_any_programs_at_once(cluster, programs):
    cluster.recycle()
    url = cluster.url()
    with open_store(url, create=True) as store:
        begun = store.stamp()[0]
        with ThreadPoolExecutor(len(programs)) as pool, Reader(url) as reader:
            written = sum(pool.map(lambda steps: run(url, steps), programs))
        last = {one.thumbprint: one for one in store.records()}
        # each key was added and each state taken once, by whoever came first
        assert sum(len(one.history) for one in last.values()) == written
        assert store.stamp()[0] > begun
    for seen in reader.seen:
        for one in seen:
            assert last[one.thumbprint].history[: len(one.history)] == one.history
    counts = [sum(len(one.history) for one in seen) for seen in reader.seen]
    assert counts == sorted(counts)


def run(url, steps):
    """How many rows of history the steps have made."""
    written = 0
    with open_store(url) as store:
        for key, step in steps:
            try:
                store.add([key])
                written += 1
            except DuplicateKeyError:
                pass
            try:
                if isinstance(step, KeyState):
                    store.change_state(key.thumbprint, step, reason="", by="")
                    written += 1
                else:
                    store.change_scope(key.thumbprint, lambda _, step=step: step)
            except TransitionError:
                pass
    return written


class Reader:
    """Reads all the while; what it saw is in ``seen``."""

    def __init__(self, url):
        self.seen = []
        self._end = threading.Event()
        self._store = open_store(url)
        self._thread = threading.Thread(target=self._read)

    def _read(self):
        while not self._end.is_set():
            self.seen.append(self._store.records())

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._end.set()
        self._thread.join()
        self._store.close()
