"""Several processes, and processes that die: nothing acknowledged is lost, nothing is there in part."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import time

import pytest

from immure.registry.opening import open_store
from immure.registry.state import KeyState
from immure.registry.toml_text import write_registry

from .material import record

NAMES = ["keys.toml", "keys.db"]

#: Adds the keys of a file one by one, activates each, and says so when that is done.
WRITER = """
import sys
from pathlib import Path
from immure.registry.opening import open_store
from immure.registry.state import KeyState
from immure.registry.toml_text import parse_registry
with open_store(sys.argv[1], create=True) as store:
    for one in parse_registry(Path(sys.argv[2]).read_bytes(), "in"):
        store.add([one])
        store.change_state(one.thumbprint, KeyState.ACTIVE, reason="go", by=sys.argv[3])
        print(one.kid, flush=True)
"""

#: Suspends and activates one key, over and over, and counts how often each was allowed.
TOGGLER = """
import sys
from immure.registry.errors import TransitionError
from immure.registry.opening import open_store
from immure.registry.state import KeyState
done = 0
with open_store(sys.argv[1]) as store:
    for turn in range(30):
        for state in (KeyState.SUSPENDED, KeyState.ACTIVE):
            try:
                store.change_state(sys.argv[2], state, reason="", by="")
                done += 1
            except TransitionError:
                pass
print(done)
"""

#: Stops at the end of a transaction, before it is committed.
STOPPER = """
import sys, time
from immure.registry.sqlite_store import SqliteStore
from immure.registry.state import KeyState
class Stopping(SqliteStore):
    @staticmethod
    def _count_up(database):
        SqliteStore._count_up(database)
        print("there", flush=True)
        time.sleep(60)
Stopping(sys.argv[1]).change_state(sys.argv[2], KeyState.COMPROMISED, reason="", by="")
"""


def start(code: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)], stdout=subprocess.PIPE, text=True
    )


def records_in(tmp_path, first: int, count: int):
    path = tmp_path / f"in-{first}.toml"
    path.write_bytes(write_registry(record("Ed25519", first + number) for number in range(count)))
    return path


@pytest.mark.parametrize("name", NAMES)
def test_two_writers(tmp_path, name):
    open_store(tmp_path / name, create=True).close()
    writers = [
        start(WRITER, tmp_path / name, records_in(tmp_path, first, 20), f"writer {first}")
        for first in (0, 20)
    ]
    said = [writer.communicate(timeout=60)[0].split() for writer in writers]
    assert [writer.returncode for writer in writers] == [0, 0]
    assert [len(lines) for lines in said] == [20, 20]
    with open_store(tmp_path / name) as store:
        assert sorted(one.kid for one in store.records()) == sorted(said[0] + said[1])
        assert {one.state for one in store.records()} == {KeyState.ACTIVE}


@pytest.mark.parametrize("name", NAMES)
def test_several_make_the_same_store(tmp_path, name):
    makers = [start(WRITER, tmp_path / name, records_in(tmp_path, first, 1), "x") for first in range(4)]
    for maker in makers:
        maker.communicate(timeout=60)
    assert [maker.returncode for maker in makers] == [0] * 4
    assert len(open_store(tmp_path / name).records()) == 4


@pytest.mark.parametrize("name", NAMES)
def test_two_processes_and_one_key(tmp_path, name):
    one = record(state=KeyState.ACTIVE)
    with open_store(tmp_path / name, create=True) as store:
        store.add([one])
        togglers = [start(TOGGLER, tmp_path / name, one.thumbprint) for _ in range(2)]
        done = sum(int(toggler.communicate(timeout=60)[0]) for toggler in togglers)
        # a record refuses a history with a step in it that is not allowed, so none was lost or doubled
        assert len(store.get(one.thumbprint).history) == len(one.history) + done


def test_killed_before_the_commit(tmp_path):
    path = tmp_path / "keys.db"
    one = record(state=KeyState.ACTIVE)
    with open_store(path, create=True) as store:
        store.add([one])
    process = start(STOPPER, path, one.thumbprint)
    assert process.stdout is not None
    assert process.stdout.readline() == "there\n"
    with open_store(path) as store:  # readers do not wait for it
        assert store.get(one.thumbprint) == one
    process.send_signal(signal.SIGKILL)
    process.wait()
    with open_store(path) as store:
        assert store.get(one.thumbprint) == one
        store.change_state(one.thumbprint, KeyState.SUSPENDED, reason="", by="")
    assert sqlite3.connect(path).execute("PRAGMA integrity_check").fetchall() == [("ok",)]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("lines", [1, 4, 9])
def test_killed_at_any_moment(tmp_path, name, lines):
    open_store(tmp_path / name, create=True).close()
    process = start(WRITER, tmp_path / name, records_in(tmp_path, 0, 40), "x")
    assert process.stdout is not None
    said = [process.stdout.readline().strip() for _ in range(lines)]
    time.sleep(0.0007 * lines)
    process.send_signal(signal.SIGKILL)
    said += process.stdout.read().split()
    process.wait()
    with open_store(tmp_path / name) as store:
        kids = {one.kid: one for one in store.records()}
        assert all(kids[kid].state is KeyState.ACTIVE for kid in said)
        assert len(said) <= len(kids) <= len(said) + 1
        store.add([record("P-256")])  # and it can be written again
