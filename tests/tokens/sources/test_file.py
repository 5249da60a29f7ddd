"""Keys in a file: read again when it is another, kept when the new one is broken."""

from __future__ import annotations

import asyncio
import json
import os
import threading
from pathlib import Path

import pytest

from immure.errors import KeySourceError
from immure.files import write_whole
from immure.tokens.errors import DuplicateKeyError, UnknownKeyError
from immure.tokens.keyset import KeySet
from immure.tokens.sources import FileSource, StaticSource

from .imagined import ISSUER, Ticks, jwk, jwks

OLD = 1_700_000_000_000_000_000


def put(path: Path, data: bytes, *, old: bool = True) -> None:
    """Replaces a file, as if it had been done long ago."""
    write_whole(path, data)
    if old:
        os.utime(path, ns=(OLD, OLD))


@pytest.fixture
def made(tmp_path: Path):
    path, ticks = tmp_path / "keys.json", Ticks()
    put(path, jwks("a"))
    return FileSource(path, issuer=ISSUER, ticks=ticks), path, ticks


def test_it_is_read_once_if_it_stays_as_it_is(made):
    source, path, ticks = made
    for _ in range(10):
        ticks.now += 5
        found = source.find("a")
    assert (found.kid, found.scope.issuer, found.key.origin.source) == ("a", ISSUER, str(path))
    assert (source.reads, source.failures, source.last_error) == (1, 0, None)


def test_a_new_file_is_seen_after_a_second(made):
    source, path, ticks = made
    put(path, jwks("b"))
    assert source.find("a").kid == "a"
    ticks.now += 1
    assert source.find("b").kid == "b"
    with pytest.raises(UnknownKeyError):
        source.find("a")
    assert source.reads == 2


def test_while_one_thread_looks_the_others_go_on(made):
    source, path, ticks = made
    put(path, jwks("b"))
    ticks.now += 1
    found: list[str | None] = []
    with source._lock:  # as a thread has it that reads a slow file
        other = threading.Thread(target=lambda: found.append(source.find("a").kid), daemon=True)
        other.start()
        other.join(10)
        assert found == ["a"]
    assert source.find("b").kid == "b"


def test_without_blocking_the_loop_it_is_read_in_a_thread(made, monkeypatch):
    source, path, ticks = made
    readers, read = [], source._read
    monkeypatch.setattr(source, "_read", lambda: (readers.append(threading.get_ident()), read())[1])
    put(path, jwks("b"))
    ticks.now += 1
    assert asyncio.run(source.afind("b")).kid == "b"
    assert len(readers) == 1
    assert readers[0] != threading.get_ident()
    assert asyncio.run(source.afind("b")).kid == "b"
    assert len(readers) == 1


def changed_in_place(path: Path) -> None:
    path.write_bytes(jwks("b"))


def other_inode_and_time(path: Path) -> None:
    put(path, jwks("b"))


def same_size_and_time(path: Path) -> None:
    assert len(jwks("b")) == path.stat().st_size
    path.write_bytes(jwks("b"))
    os.utime(path, ns=(OLD, OLD))


def through_a_link(path: Path) -> None:
    put(path.with_suffix(".new"), jwks("b"))
    path.unlink()
    path.symlink_to(path.with_suffix(".new"))


@pytest.mark.parametrize(
    "change", [changed_in_place, other_inode_and_time, same_size_and_time, through_a_link]
)
def test_every_change_is_seen(made, change):
    source, path, ticks = made
    change(path)
    ticks.now += 1
    assert source.find("b").kid == "b"


def test_a_file_that_was_just_written_is_looked_at_again(tmp_path):
    """Two writes within one tick of the file system's clock leave the same times."""
    path, ticks = tmp_path / "keys.json", Ticks()
    put(path, jwks("a"), old=False)
    source = FileSource(path, ticks=ticks)
    ticks.now += 1
    source.find("a")
    assert source.reads == 2


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "not JSON"),
        (jwks("a", "b")[:-9], "not JSON"),
        (jwks("b", "b"), "two keys have the id"),
        (b'{"key": []}', "not a JWK Set"),
        (None, "cannot be read (No such file or directory)"),
    ],
)
def test_a_broken_file_takes_nothing_away_and_is_told(made, data, words):
    source, path, ticks = made
    if data is None:
        path.unlink()
    else:
        put(path, data)
    for _ in range(3):
        ticks.now += 1
        assert source.find("a").kid == "a"
        assert words in source.last_error
    assert source.failures == (3 if data is None else 1)  # and is not read over and over
    put(path, jwks("c"))
    ticks.now += 1
    assert (source.find("c").kid, source.last_error) == ("c", None)


def test_the_old_file_put_back_is_good_again(made):
    source, path, ticks = made
    put(path, b"broken")
    ticks.now += 1
    source.find("a")
    put(path, jwks("a"))
    ticks.now += 1
    assert (source.find("a").kid, source.last_error) == ("a", None)


def directory(path: Path) -> None:
    path.mkdir()


def pipe(path: Path) -> None:
    os.mkfifo(path)


def locked(path: Path) -> None:
    path.symlink_to("/proc/self/mem")


def huge(path: Path) -> None:
    path.touch()
    os.truncate(path, (64 << 20) + 1)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (directory, "Is a directory"),
        (pipe, "not a regular file"),
        (locked, "cannot be read"),
        (huge, "more than 67108864 bytes"),
        (Path.touch, "not JSON"),
    ],
)
def test_files_that_are_refused(tmp_path, make, words):
    path = tmp_path / "keys.json"
    make(path)
    for _ in range(50):
        with pytest.raises(KeySourceError) as caught:
            FileSource(path)
        assert words in str(caught.value)
        assert str(path) in str(caught.value)
    assert len(os.listdir("/proc/self/fd")) < 500  # closed, each time


def test_names_and_sets_that_are_refused(tmp_path):
    with pytest.raises(KeySourceError, match="not the name of a file"):
        FileSource("a\0b")
    put(tmp_path / "twice", jwks("a", "a"))
    with pytest.raises(DuplicateKeyError):
        FileSource(tmp_path / "twice")


def test_a_large_set_is_taken(tmp_path):
    keys = [jwk("a") | {"kid": f"key-{number}"} for number in range(5_000)]
    put(tmp_path / "keys.json", json.dumps({"keys": keys}).encode())
    assert FileSource(tmp_path / "keys.json").find("key-4999").kid == "key-4999"


def test_threads_see_one_set_or_the_other_while_the_file_is_replaced(tmp_path):
    path = tmp_path / "keys.json"
    put(path, jwks("always", "x"))
    source = FileSource(path, every=0)
    stop, problems = threading.Event(), []

    def ask() -> None:
        while not stop.is_set():
            try:
                assert source.find("always").kid == "always"
            except BaseException as error:  # noqa: BLE001 - shown below
                problems.append(error)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for turn in range(20):
        if turn % 5:
            put(path, jwks("always", f"{turn}"), old=False)
        else:
            path.write_bytes(b"half a fi")  # in place, which is not how it should be done
    stop.set()
    for thread in threads:
        thread.join(20)
    put(path, jwks("always", "last"))
    source.refresh()
    assert (problems, source.find("last").kid) == ([], "last")


def test_a_static_source_gives_what_it_was_given():
    source = StaticSource(KeySet.from_jwks({"keys": [jwk("a")]}, "given", issuer=ISSUER))
    assert source.find("a").key.to_jwk()["x"] == jwk("a")["x"]
    with pytest.raises(UnknownKeyError, match="given: has no key 'b'"):
        source.find("b")
