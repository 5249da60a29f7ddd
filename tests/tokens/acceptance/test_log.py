"""The log keeps what it has acknowledged, says when it cannot, and seals what is full."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import json
import os
import subprocess
import sys
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from immure.errors import UsageError
from immure.tokens.acceptance import segment
from immure.tokens.acceptance.decision import Decision
from immure.tokens.acceptance.errors import AcceptanceLogError, AcceptanceRowError, TornRowError
from immure.tokens.acceptance.log import AcceptanceLog, Keeping
from immure.tokens.acceptance.reader import read_decisions, segments

FSYNC = Keeping("fsync")


def row(number: int, **values: object) -> Decision:
    base = {"time": 1.0, "digest": number.to_bytes(16, "big"), "subject": f"user-{number}"}
    return Decision(**(base | values))  # type: ignore[arg-type]


def numbers(path: Path) -> list[int]:
    return [int.from_bytes(one.digest or b"", "big") for one in read_decisions(path)]


@pytest.mark.parametrize("durable", ["write", "fsync"])
def test_rows_come_back_in_order(tmp_path: Path, durable: str):
    with AcceptanceLog(tmp_path / "log", Keeping(durable)) as log:  # type: ignore[arg-type]
        for number in range(50):
            log.record(row(number))
            assert len(numbers(log.directory)) == number + 1  # at once, while the segment is open
    assert numbers(tmp_path / "log") == list(range(50))
    [sealed] = segments(tmp_path / "log")
    assert sealed.name.endswith(".jsonl")


@pytest.mark.parametrize("durable", ["write", "fsync"])
def test_threads_and_tasks_share_a_log(tmp_path: Path, durable: str):
    async def record_many(log: AcceptanceLog, first: int) -> None:
        await asyncio.gather(*(log.arecord(row(first + number)) for number in range(100)))

    with AcceptanceLog(tmp_path, Keeping(durable)) as log, ThreadPoolExecutor(8) as pool:  # type: ignore[arg-type]
        for future in [pool.submit(log.record, row(number)) for number in range(100)]:
            future.result()
        asyncio.run(record_many(log, 100))
    assert sorted(numbers(tmp_path)) == list(range(200))
    if durable == "fsync":
        assert 0 < log.syncs < 200  # many rows have one fsync


def test_an_fsync_is_what_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    done: list[int] = []
    real = os.fdatasync
    monkeypatch.setattr(os, "fdatasync", lambda fd: (real(fd), done.append(fd)))
    with AcceptanceLog(tmp_path, FSYNC) as log:
        log.record(row(1))
        assert done


def test_segments_are_sealed_by_size_and_linked(tmp_path: Path):
    with AcceptanceLog(tmp_path, Keeping(segment_bytes=128 << 10, sync_every=0.001)) as log:
        written = 0
        while len(segments(tmp_path)) < 4:  # the disk may be slow: segments grow meanwhile
            log.record(row(written, subject="x" * 4000))
            written += 1
    assert numbers(tmp_path) == list(range(written))
    sealed = segments(tmp_path)
    assert all(path.stat().st_size > 128 << 10 for path in sealed[:-1])
    digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in sealed]
    heads = [json.loads(path.read_bytes().split(b"\n")[0]) for path in sealed]
    assert [head["previous"] for head in heads] == [None, *digests[:-1]]
    for path, digest in zip(sealed, digests, strict=True):
        assert path.with_name(path.name + ".sha256").read_text() == f"{digest}  {path.name}\n"


def test_sha256sum_understands_the_seal(tmp_path: Path):
    with AcceptanceLog(tmp_path) as log:
        log.record(row(1))
    [seal] = tmp_path.glob("*.sha256")
    done = subprocess.run(["sha256sum", "-c", seal.name], cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 0


def test_segments_are_sealed_by_age(tmp_path: Path):
    now = [datetime(2026, 11, 25, tzinfo=UTC)]
    with AcceptanceLog(tmp_path, Keeping(sync_every=0.001), time=lambda: now[0]) as log:
        log.record(row(1))
        now[0] += timedelta(hours=1)
        while not list(tmp_path.glob("*.sha256")):
            threading.Event().wait(0.005)
        log.record(row(2))
    assert [path.name[:11] for path in segments(tmp_path)] == ["20261125T00", "20261125T01"]
    assert numbers(tmp_path) == [1, 2]


def test_rows_that_wait_while_a_segment_is_sealed(tmp_path: Path):
    async def many(log: AcceptanceLog) -> None:
        for first in range(0, 1000, 50):
            await asyncio.gather(*(log.arecord(row(first + one, subject="x" * 1500)) for one in range(50)))

    with AcceptanceLog(tmp_path, Keeping("fsync", segment_bytes=128 << 10)) as log:
        asyncio.run(asyncio.wait_for(many(log), 60))
    assert len(segments(tmp_path)) > 2
    assert sorted(numbers(tmp_path)) == list(range(1000))


def test_a_log_without_rows_leaves_nothing(tmp_path: Path):
    AcceptanceLog(tmp_path).close()
    assert list(tmp_path.iterdir()) == []


def test_after_the_end_nothing_is_taken(tmp_path: Path):
    log = AcceptanceLog(tmp_path)
    log.record(row(1))
    log.close()
    log.close()
    with pytest.raises(AcceptanceLogError, match="closed"):
        log.record(row(2))
    assert numbers(tmp_path) == [1]


FULL_DISK = """
import resource, sys
from pathlib import Path
from immure.tokens.acceptance.errors import AcceptanceLogError
from immure.tokens.acceptance.log import AcceptanceLog, Keeping
sys.path.insert(0, sys.argv[2])
from tokens.acceptance.test_log import row
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
told = []
log = AcceptanceLog(sys.argv[1], Keeping(sync_every=60), notice=told.append)
kept, refused = 0, 0
for number in range(300):
    try:
        log.record(row(number))
        kept += 1
    except AcceptanceLogError as error:
        refused += 1
        assert error.code == "acceptance-log"
assert kept > 50 and refused > 50, (kept, refused)
assert log.error is not None and len(told) == 1
if len(sys.argv) > 3:
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    log.record(row(1000))
    assert log.error is None and told[1] is None
log.close()
print(kept)
"""


@pytest.mark.parametrize("more", [[], ["there is room again"]])
def test_a_disk_that_is_full_refuses_and_then_goes_on(tmp_path: Path, more: list[str]):
    """A limit on the file's size stands for the disk: the last write is cut short by it, too."""
    tests = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path), tests, *more],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    kept = [*range(int(done.stdout)), *([1000] if more else [])]
    assert numbers(tmp_path) == kept  # and no half of a row between or behind them


def test_a_disk_that_fails_ends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def fails(fd: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    told: list[AcceptanceLogError | None] = []
    log = AcceptanceLog(tmp_path, FSYNC, notice=told.append)
    log.record(row(1))
    monkeypatch.setattr(os, "fdatasync", fails)
    with pytest.raises(AcceptanceLogError, match="rows may be lost"):
        log.record(row(2))
    monkeypatch.undo()
    for _ in range(50):
        with pytest.raises(AcceptanceLogError, match="rows may be lost") as caught:
            log.record(row(3))  # though the disk works again
    assert len(traceback.extract_tb(caught.tb)) < 10  # an error that is kept and raised again would grow
    with pytest.raises(AcceptanceLogError, match="rows may be lost"):
        log.close()
    assert [str(one) for one in told] == [str(log.error)]


def test_a_segment_that_cannot_be_sealed_is_left_to_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """As when the disk is full: its rows are safe, and the log goes on."""

    def fails(path: Path, digest: str) -> Path:
        raise OSError(errno.ENOSPC, "No space left on device")

    told: list[AcceptanceLogError | None] = []
    monkeypatch.setattr(segment, "finish", fails)
    log = AcceptanceLog(tmp_path, Keeping(segment_bytes=128 << 10, sync_every=0.001), notice=told.append)
    written = 0
    while len(told) < 3:  # it failed; it works again; it failed
        log.record(row(written, subject="x" * 4000))
        written += 1
    log.close()
    assert "cannot be sealed" in str(told[0])
    assert len(list(tmp_path.glob("*.open"))) >= 3
    monkeypatch.undo()
    with AcceptanceLog(tmp_path) as following:
        assert len(following.recovered) >= 3
        assert all(one.torn == 0 for one in following.recovered)
    assert numbers(tmp_path) == list(range(written))


def test_only_so_many_may_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    free, real = threading.Event(), os.fdatasync
    monkeypatch.setattr(os, "fdatasync", lambda fd: (free.wait(30), real(fd)))

    async def crowd(log: AcceptanceLog) -> list[object]:
        tasks = [asyncio.ensure_future(log.arecord(row(number))) for number in range(50)]
        await asyncio.sleep(0)
        while sum(task.done() for task in tasks) < 30:  # refused at once
            await asyncio.sleep(0.01)
        free.set()
        return await asyncio.gather(*tasks, return_exceptions=True)

    with AcceptanceLog(tmp_path, Keeping("fsync", most_waiting=10)) as log:
        answers = asyncio.run(crowd(log))
    refused = [one for one in answers if isinstance(one, AcceptanceLogError)]
    assert 30 <= len(refused) <= 40
    assert {one.reason.split(" ", 1)[1] for one in refused} == {"rows wait for the disk"}
    assert len(numbers(tmp_path)) == 50 - len(refused)


def test_who_gives_up_waiting_takes_nothing_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    free, real = threading.Event(), os.fdatasync
    monkeypatch.setattr(os, "fdatasync", lambda fd: (free.wait(30), real(fd)))

    async def impatient(log: AcceptanceLog) -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(log.arecord(row(1)), 0.05)
        free.set()
        await log.arecord(row(2))

    with AcceptanceLog(tmp_path, FSYNC) as log:
        asyncio.run(impatient(log))
    assert numbers(tmp_path) == [1, 2]


@pytest.mark.parametrize(
    "options",
    [{"durable": "no"}, {"sync_every": 0}, {"segment_bytes": 1}, {"segment_seconds": 0}, {"most_waiting": 0}],
)
def test_settings_that_make_no_sense(options: dict[str, object]):
    with pytest.raises(UsageError):
        Keeping(**options)  # type: ignore[arg-type]


def test_a_row_that_is_too_long_is_refused(tmp_path: Path):
    with AcceptanceLog(tmp_path) as log:
        with pytest.raises(AcceptanceLogError, match="are taken"):
            log.record(row(1, subject="x" * (128 << 10)))
        log.record(row(2))
    assert numbers(tmp_path) == [2]


def test_a_directory_that_cannot_be(tmp_path: Path):
    (tmp_path / "file").write_text("")
    for place in ("file", "no/such/place"):
        with pytest.raises(AcceptanceLogError):
            AcceptanceLog(tmp_path / place)


# --- reading ---


def written(directory: Path, count: int = 5) -> Path:
    with AcceptanceLog(directory) as log:
        for number in range(count):
            log.record(row(number))
    return segments(directory)[-1]


def test_a_segment_that_was_changed_is_told(tmp_path: Path):
    path = written(tmp_path)
    path.write_bytes(path.read_bytes().replace(b"user-3", b"user-4"))
    seen = []
    with pytest.raises(AcceptanceRowError, match="not what it was"):
        seen.extend(read_decisions(tmp_path))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda data: data[:-1], "not whole"),
        (lambda data: data[: data.rindex(b"\n", 0, -1) + 1], "not what it was"),
        (lambda data: data + b"{}\n", "do not agree"),
        (lambda data: data + b"\n", "not JSON"),
        (lambda data: b"{}\n" + data, "first line"),
        (lambda data: data[10:], "first line"),
        (lambda data: data + b"x" * (200 << 10) + b"\n", "more than"),
        (lambda data: b"", "not what it was"),
    ],
)
def test_a_sealed_segment_that_is_wrong(tmp_path: Path, change, words: str):  # type: ignore[no-untyped-def]
    path = written(tmp_path)
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(AcceptanceRowError, match=words) as caught:
        list(read_decisions(tmp_path, notice=lambda torn: None))
    assert caught.value.path == str(path)


def test_a_seal_that_is_gone(tmp_path: Path):
    path = written(tmp_path)
    path.with_name(path.name + ".sha256").unlink()
    with pytest.raises(AcceptanceRowError, match="digest is not there"):
        list(read_decisions(tmp_path))


def test_a_torn_line_of_an_open_segment_is_told(tmp_path: Path):
    path = written(tmp_path)
    opened = path.rename(path.with_name(path.name + ".open"))
    opened.write_bytes(opened.read_bytes()[:-10])
    told: list[TornRowError] = []
    assert len(list(read_decisions(tmp_path, notice=told.append))) == 4
    assert [one.path for one in told] == [str(opened)]
    seen: list[Decision] = []
    with pytest.raises(TornRowError, match="not whole"):
        seen.extend(read_decisions(opened))


def test_nothing_to_read(tmp_path: Path):
    assert list(read_decisions(tmp_path)) == []
    with pytest.raises(AcceptanceLogError):
        list(read_decisions(tmp_path / "nothing"))
