"""Whatever breaks, and wherever: the log opens, has all that was acknowledged, and verifies."""

from __future__ import annotations

import os
import random
import resource
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from itertools import count, product
from pathlib import Path
from typing import Any

import pytest

from immure.auditlog import AuditLog, verify_log
from immure.auditlog.replay import is_broken_append
from immure.errors import LogError

from .faults import Fault, hooked
from .helpers import KEY, ORIGIN, SIGNER, error_of, make_log, numbers, ticking

HOWS = ("before", "half", "after")


def holds(directory: Path, least: int, most: int) -> int:
    """How many entries there are: all that were acknowledged, in order, and nothing that was not begun."""
    verified = verify_log(directory, public_key=KEY)
    assert least <= verified.checkpoint.size <= most
    found = numbers(AuditLog.open(directory))
    assert found == list(range(verified.checkpoint.size))
    return len(found)


@pytest.mark.parametrize("how", HOWS)
def test_an_error_of_any_call(tmp_path: Path, how: str) -> None:
    log = make_log(tmp_path)
    struck = set()
    for at in count():
        size, fault = len(log), Fault(at, how, kill=False)
        with hooked(fault):
            error = error_of(lambda size=size: log.append("a", {"number": size}))  # type: ignore[misc]
        if error is not None:
            struck.add(fault.struck)
            # `replacing` removes its temporary file when the rename fails, and this one was done and failed
            assert "it broke" in error.reason or (how, fault.struck) == ("after", "replace")
            assert error.path is not None
            present = holds(tmp_path, size, size + 1)
            assert ("the entry is in the log" in error.reason) == (present == size + 1)
            if fault.struck == "pwrite":
                assert present == size
        else:
            assert holds(tmp_path, size + 1, size + 1)
            if fault.struck is None and fault.count <= at:
                break
        # the same log goes on, and so does one that is opened now
        log.append("a", {"number": holds(tmp_path, size, size + 1)})
        other = AuditLog.open(tmp_path, signer=SIGNER, clock=ticking())
        other.append("a", {"number": len(other)})
        log.append("a", {"number": len(other)})
        assert not list(tmp_path.glob(".*.part"))
    assert struck >= ({"pwrite"} if how == "half" else {"open", "pwrite", "fsync", "replace", "fchmod"})


def test_an_error_after_the_checkpoint_is_in_place_says_so(tmp_path: Path) -> None:
    log = make_log(tmp_path, 1)

    def last_sync(name: str, call: Callable[[], Any], arguments: tuple[Any, ...]) -> Any:
        if name == "fsync" and os.path.isdir(f"/proc/self/fd/{arguments[0]}"):
            raise OSError(5, "it broke")
        return call()

    with hooked(last_sync), pytest.raises(LogError) as caught:
        log.append("a", {"number": 1})
    assert caught.value.reason == "it broke; the entry is in the log, but a power failure might undo it"
    assert holds(tmp_path, 2, 2)


def test_nobody_can_tell_if_the_checkpoint_cannot_be_read_either(tmp_path: Path) -> None:
    log = make_log(tmp_path, 1)

    def from_then_on(name: str, call: Callable[[], Any], arguments: tuple[Any, ...]) -> Any:
        if name == "replace" or struck:
            struck.append(name)
            raise OSError(5, "it broke")
        return call()

    struck: list[str] = []
    with (
        hooked(from_then_on),
        pytest.raises(LogError, match="whether the entry is in the log cannot be told"),
    ):
        log.append("a", {"number": 1})
    assert holds(tmp_path, 1, 1)


def in_child(work: Callable[[], None]) -> int:
    """Do ``work`` in a process of its own; the signal that has ended it, or 0."""
    child = os.fork()
    if child == 0:
        try:
            work()
            os._exit(0)
        finally:  # nothing of the tests goes on in the child
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.waitstatus_to_exitcode(status) == 0
    return os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0


@pytest.mark.parametrize("how", HOWS)
def test_killed_at_any_call_of_an_append(tmp_path: Path, how: str) -> None:
    make_log(tmp_path, 3)
    survived = 0
    for at in count():
        size = len(AuditLog.open(tmp_path, signer=SIGNER))

        def append(at: int = at, size: int = size) -> None:
            with hooked(Fault(at, how, kill=True)):
                AuditLog.open(tmp_path, signer=SIGNER, clock=ticking()).append("a", {"number": size})

        if in_child(append) == signal.SIGKILL:
            survived = 0
        else:
            assert holds(tmp_path, size + 1, size + 1)
            survived += 1
            if survived > (30 if how == "half" else 0):
                break
        size = holds(tmp_path, size, size + 1)
        log = AuditLog.open(tmp_path, signer=SIGNER, clock=ticking(), check=bool(at % 2))
        log.append("a", {"number": size})
        assert not list(tmp_path.glob(".*.part"))
    assert at > 15


@pytest.mark.parametrize("how", ["before", "after"])
def test_killed_at_any_call_of_making_a_log(tmp_path: Path, how: str) -> None:
    for at in count():
        directory = tmp_path / str(at)

        def create(at: int = at, directory: Path = directory) -> None:
            with hooked(Fault(at, how, kill=True)):
                AuditLog.create(directory, origin=ORIGIN, signer=SIGNER)

        ended = in_child(create)
        if ended == 0:
            break
        error = error_of(lambda directory=directory: AuditLog.create(directory, origin=ORIGIN, signer=SIGNER))  # type: ignore[misc]
        assert error is None or error.reason == "there is a log already"
        log = AuditLog.open(directory, signer=SIGNER)
        log.append("a", {"number": 0})
        assert holds(directory, 1, 1)
    assert at > 10


def test_killed_at_any_time(tmp_path: Path) -> None:
    """Nobody chooses the moment: writers that are killed while they append, one after the other."""
    make_log(tmp_path)
    chance, acknowledged = random.Random(1), 0
    for _ in range(12):
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                log = AuditLog.open(tmp_path, signer=SIGNER, clock=ticking())
                for number in count(len(log)):
                    log.append("a", {"number": number})
                    os.write(writing, b"%d\n" % (number + 1))
            finally:
                os._exit(1)
        os.close(writing)
        with open(reading, "rb", buffering=0) as stream:
            told = stream.read(1)  # it has begun; from here on it may die anywhere
            time.sleep(chance.uniform(0, 0.03))
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            while piece := stream.read(1 << 16):
                told += piece
        assert told
        acknowledged = int(told[: told.rindex(b"\n")].split(b"\n")[-1])
        holds(tmp_path, acknowledged, acknowledged + 1)
    assert acknowledged >= 12


def test_a_disk_that_fills_up(tmp_path: Path) -> None:
    """With a limit on the size of files, the kernel writes what fits of a line and refuses the rest."""
    log = make_log(tmp_path, 5)
    room = (tmp_path / "entries.jsonl").stat().st_size
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    previous = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        for more in (0, 1, 50):
            resource.setrlimit(resource.RLIMIT_FSIZE, (room + more, hard))
            with pytest.raises(LogError, match=r"entries\.jsonl: File too large"):
                log.append("a", {"number": 5, "text": "x" * 100})
            assert (tmp_path / "entries.jsonl").stat().st_size == room + more
            assert verify_log(tmp_path, public_key=KEY).unfinished == more
            assert holds(tmp_path, 5, 5)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, previous)
    log.append("a", {"number": 5})
    assert holds(tmp_path, 6, 6)


# --- power failure: what was not synced may be lost, wholly or in part ---


class Disk:
    """What may be on a disk after a power failure, by the calls that were made before it.

    A file's bytes are certain once they were synced. What was changed since may be there, may not, may be
    there in part, or its place may hold zeros. A name that was given by a rename is certain once the
    directory was synced; until then the old file may come back.
    """

    def __init__(self, directory: Path) -> None:
        self.certain = {path.name: path.read_bytes() for path in directory.iterdir()}
        self.changes: dict[str, list[tuple[int, bytes | None]]] = {}
        self.renamed: dict[str, list[bytes]] = {}
        self.written: dict[str, bytes] = {}

    def __call__(self, name: str, call: Callable[[], Any], arguments: tuple[Any, ...]) -> Any:
        path = Path(
            os.readlink(f"/proc/self/fd/{arguments[0]}") if isinstance(arguments[0], int) else arguments[0]
        )
        result = call()
        if name == "pwrite":
            self.changes.setdefault(path.name, []).append((arguments[2], bytes(arguments[1])))
        elif name == "ftruncate":
            self.changes.setdefault(path.name, []).append((arguments[1], None))
        elif name == "fsync" and path.is_dir():
            self.certain |= {target: datas[-1] for target, datas in self.renamed.items()}
            self.renamed.clear()
        elif name == "fsync":
            self.written[path.name] = path.read_bytes()
            if path.name in self.certain:
                self.certain[path.name] = self.written[path.name]
            self.changes.pop(path.name, None)
        elif name == "replace":
            # not synced before: then nothing is certain of what stands under the new name
            data = self.written.pop(path.name, b"")
            self.renamed.setdefault(Path(arguments[1]).name, []).append(data)
        return result

    def states(self) -> Iterator[dict[str, bytes]]:
        """Every state that this disk may be in."""
        names = sorted(self.certain)
        for contents in product(*(self._contents(name) for name in names)):
            yield dict(zip(names, contents, strict=True))

    def _contents(self, name: str) -> set[bytes]:
        found = {self.certain[name], *self.renamed.get(name, [])}
        data = self.certain[name]
        for offset, piece in self.changes.get(name, []):
            if piece is None:
                data = data[:offset].ljust(offset, b"\0")
            else:
                for part in (piece[: len(piece) // 2], bytes(len(piece)), piece[:1], piece):
                    data = data[:offset].ljust(offset, b"\0") + part
                    found.add(data)
            found.add(data)
        return found


def test_power_failure_at_any_call(tmp_path: Path) -> None:
    source, target = tmp_path / "log", tmp_path / "after"
    log = make_log(source, 4)
    with (source / "entries.jsonl").open("ab") as stream:
        stream.write(b'{"left by another crash')
    disk = Disk(source)
    tried = 0
    seen: set[tuple[object, ...]] = set()

    def fails_here(disk: Disk, acknowledged: int, begun: int) -> None:
        nonlocal tried
        for files in disk.states():
            if (key := (acknowledged, begun, *files.values())) in seen:
                continue
            seen.add(key)
            shutil.rmtree(target, ignore_errors=True)
            target.mkdir()
            for name, data in files.items():
                (target / name).write_bytes(data)
            size = holds(target, acknowledged, begun)
            after = AuditLog.open(target, signer=SIGNER, clock=ticking(), check=bool(tried % 2))
            after.append("a", {"number": size})
            holds(target, size + 1, size + 1)
            tried += 1

    moments: list[tuple[str, Disk]] = []

    def observed(name: str, call: Callable[[], Any], arguments: tuple[Any, ...]) -> Any:
        result = disk(name, call, arguments)
        moments.append((name, copy_of(disk)))
        return result

    for number in (4, 5, 6):
        moments.clear()
        with hooked(observed):
            log.append("a", {"number": number})
        for _, moment in moments:
            fails_here(moment, number, number + 1)
        fails_here(disk, number + 1, number + 1)
        assert [name for name, _ in moments].count("fsync") == 4
    assert tried > 30


def copy_of(disk: Disk) -> Disk:
    other = object.__new__(Disk)
    other.certain, other.written = dict(disk.certain), dict(disk.written)
    other.changes = {name: list(changes) for name, changes in disk.changes.items()}
    other.renamed = {name: list(datas) for name, datas in disk.renamed.items()}
    return other


def test_tails() -> None:
    assert all(map(is_broken_append, (b"", b"\n", b"abc", b"abc\n", b"\0" * 9, b"x" * (1 << 20) + b"\n")))
    assert not any(map(is_broken_append, (b"\n\n", b"a\nb", b"a\nb\n", b"x" * ((1 << 20) + 2))))
