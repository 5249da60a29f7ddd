"""Opening, appending, reading, proving; by one and by many."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from immure.auditlog import JSON, AuditLog, parse_checkpoint, verify_log
from immure.auditlog.checkpoint import sign_checkpoint
from immure.auditlog.entry import MAX_ENTRY_BYTES
from immure.auditlog.hashes import quick_state
from immure.auditlog.storage import Storage, is_unreadable
from immure.auditlog.tree import EMPTY_ROOT, stored_before
from immure.errors import LogError, SignerError

from .helpers import KEY, ORIGIN, SIGNER, SoftwareSigner, error_of, make_log, naive_root, numbers, ticking

FILES = ["checkpoint", "entries.jsonl", "hashes", "lock"]


def test_a_new_log(tmp_path: Path) -> None:
    directory = tmp_path / "a" / "log"
    log = make_log(directory)
    assert sorted(os.listdir(directory)) == FILES
    assert (len(log), list(log.entries())) == (0, [])
    assert (log.checkpoint().size, log.checkpoint().root, log.origin) == (0, EMPTY_ROOT, ORIGIN)
    assert verify_log(directory, public_key=KEY).checkpoint == log.checkpoint()
    with pytest.raises(LogError, match="there is a log already"):
        make_log(directory)
    os.unlink(directory / "checkpoint")
    make_log(directory)  # its making was broken off before there was anything in it
    AuditLog.open(directory, signer=SIGNER).append("a", {})
    os.unlink(directory / "checkpoint")
    with pytest.raises(LogError, match="there is a log already"):
        make_log(directory)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    log = make_log(tmp_path)
    body: dict[str, JSON] = {"text": "é\n", "list": [1, {"deep": None}], "flag": True}
    first = log.append("gate.deny", body)
    body["text"] = "changed afterwards"
    second = log.append("key.created", {})
    assert (first.index, first.kind, first.body["text"]) == (0, "gate.deny", "é\n")
    for opened in (log, AuditLog.open(tmp_path), AuditLog.open(tmp_path, signer=SIGNER, check=False)):
        assert list(opened.entries()) == [first, second]
        assert len(opened) == 2
    lines = (tmp_path / "entries.jsonl").read_bytes().split(b"\n")
    assert lines.pop() == b""
    assert log.checkpoint().root == naive_root(lines)
    assert parse_checkpoint((tmp_path / "checkpoint").read_bytes()) == log.checkpoint()
    assert [json.loads(line)["time"] for line in lines] == [
        "2026-11-25T00:00:00Z",
        "2026-11-25T00:00:01.500000Z",
    ]


def test_proofs(tmp_path: Path) -> None:
    log = make_log(tmp_path)
    states = [log.checkpoint()]
    for number in range(13):
        log.append("a", {"number": number})
        states.append(log.checkpoint())
    assert (tmp_path / "hashes").stat().st_size == 32 * stored_before(13)
    for opened in (log, AuditLog.open(tmp_path)):
        for entry in opened.entries():
            opened.inclusion_proof(entry.index).verify(entry.leaf_hash, states[-1].root)
        for state in states:
            opened.consistency_proof(state.size).verify(state.root, states[-1].root)
        for index in (-1, 13):
            with pytest.raises(LogError, match="there is no entry"):
                opened.inclusion_proof(index)
        with pytest.raises(LogError, match="no older state of 14 entries"):
            opened.consistency_proof(14)


def test_a_signature_for_each_entry_and_no_pass_over_the_old_ones(tmp_path: Path) -> None:
    class Counting(Storage):
        read_bytes = 0

        def read(self, name: str, offset: int, length: int) -> bytes:
            data = super().read(name, offset, length)
            self.read_bytes += len(data)
            return data

        def stream(self, name):  # type: ignore[no-untyped-def]
            if name == "entries.jsonl" and self.forbidden:
                raise AssertionError("read the entries again")
            return super().stream(name)

        forbidden = False

    make_log(tmp_path, 50)
    signer, storage = SoftwareSigner(), Counting(tmp_path)
    log = AuditLog.open(tmp_path, signer=signer, storage=storage)
    storage.read_bytes = 0
    for number in range(5):
        log.append("a", {"number": number})
    assert signer.calls == 5
    assert storage.read_bytes < 5 * 400  # the checkpoint


def test_a_quick_opening_does_not_read_the_entries(tmp_path: Path) -> None:
    make_log(tmp_path, 9)
    entries = tmp_path / "entries.jsonl"
    entries.write_bytes(entries.read_bytes().replace(b'"number":2', b'"number":3'))
    with pytest.raises(LogError, match="entry 2 of 9 is not the one"):
        AuditLog.open(tmp_path, signer=SIGNER)
    log = AuditLog.open(tmp_path, signer=SIGNER, check=False)
    log.append("a", {"number": 10})
    with pytest.raises(LogError, match="entry 2 of 10 is not the one"):
        verify_log(tmp_path, public_key=KEY)
    log.inclusion_proof(9).verify(list(log.entries())[9].leaf_hash, log.checkpoint().root)


@pytest.mark.parametrize("size", [1, 7, 8])
def test_a_quick_opening_needs_the_signed_root(tmp_path: Path, size: int) -> None:
    make_log(tmp_path, size)
    path = tmp_path / "hashes"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1  # the last of the subtrees whose roots make the root
    path.write_bytes(data)
    with pytest.raises(LogError, match=f"the hashes stored for entry {size - 1} were altered"):
        AuditLog.open(tmp_path, signer=SIGNER, check=False)


@pytest.mark.parametrize("size", [0, 1, 2, 7, 8])
@pytest.mark.parametrize("tail", [b"", b'{"half', b'{"body":{},"index":0}\n', b"\0" * 500])
def test_a_broken_append_is_cut_off(tmp_path: Path, size: int, tail: bytes) -> None:
    for check in (True, False):
        directory = tmp_path / str(check)
        state = make_log(directory, size).checkpoint()
        with (directory / "entries.jsonl").open("ab") as stream:
            stream.write(tail)
        with (directory / "hashes").open("ab") as stream:
            stream.write(tail)
        (directory / ".checkpoint.xyz.part").write_bytes(tail)
        verified = verify_log(directory, public_key=KEY)
        assert (verified.checkpoint, verified.unfinished) == (state, len(tail))
        assert quick_state(Storage(directory), state, None) is not None
        log = AuditLog.open(directory, signer=SIGNER, clock=ticking(), check=check)
        assert sorted(os.listdir(directory)) == FILES
        assert len(numbers(log)) == size
        log.append("a", {"number": size})
        assert verify_log(directory, public_key=KEY, known=state).unfinished == 0
        assert numbers(AuditLog.open(directory)) == list(range(size + 1))


def test_the_longest_lines_and_tails(tmp_path: Path) -> None:
    log = make_log(tmp_path, 2)
    room = MAX_ENTRY_BYTES - len('{"body":{"x":""},"index":2,"kind":"a","time":"2026-11-25T00:00:03Z","v":1}')
    log.append("a", {"x": "y" * room})
    entries = tmp_path / "entries.jsonl"
    assert len(entries.read_bytes().split(b"\n")[2]) == MAX_ENTRY_BYTES
    with entries.open("ab") as stream:
        stream.write(b"z" * MAX_ENTRY_BYTES + b"\n")
    assert verify_log(tmp_path, public_key=KEY).unfinished == MAX_ENTRY_BYTES + 1
    for check in (True, False):
        assert len(AuditLog.open(tmp_path, signer=SIGNER, check=check)) == 3
    with entries.open("ab") as stream:
        stream.write(b"z")
    for check in (True, False):
        with pytest.raises(LogError, match="more entries follow than the 3"):
            AuditLog.open(tmp_path, signer=SIGNER, check=check)
    with pytest.raises(
        LogError, match="more entries follow than the 3 of the checkpoint; nothing is cut off"
    ):
        log.append("a", {})


def test_entries_that_the_checkpoint_does_not_know_are_not_destroyed(tmp_path: Path) -> None:
    log = make_log(tmp_path, 3)
    old = (tmp_path / "checkpoint").read_bytes()
    reader = AuditLog.open(tmp_path, signer=SIGNER)
    for number in (3, 4):
        log.append("a", {"number": number})
    (tmp_path / "checkpoint").write_bytes(old)  # as from a backup
    before = (tmp_path / "entries.jsonl").read_bytes()
    for attempt in (
        lambda: AuditLog.open(tmp_path, signer=SIGNER, check=False),
        lambda: AuditLog.open(tmp_path),
        lambda: verify_log(tmp_path, public_key=KEY),
        lambda: reader.append("a", {}),
    ):
        with pytest.raises(LogError, match="more entries follow"):
            attempt()
    with pytest.raises(LogError, match="had 5 entries once and has 3: it was put back"):
        log.append("a", {})
    assert (tmp_path / "entries.jsonl").read_bytes() == before


@pytest.mark.parametrize("name", ["entries.jsonl", "hashes"])
def test_a_file_that_was_cut_short_meanwhile_is_not_continued(tmp_path: Path, name: str) -> None:
    log = make_log(tmp_path, 3)
    path = tmp_path / name
    size = path.stat().st_size
    os.truncate(path, size - 5)
    with pytest.raises(LogError, match=f"the file was cut short, it should have {size} bytes") as caught:
        log.append("a", {"number": 3})
    assert (caught.value.path, caught.value.offset) == (str(path), size - 5)
    assert path.stat().st_size == size - 5


def test_hashes_are_built_anew(tmp_path: Path) -> None:
    make_log(tmp_path, 11)
    expected = (tmp_path / "hashes").read_bytes()
    os.unlink(tmp_path / "hashes")
    assert verify_log(tmp_path, public_key=KEY).checkpoint.size == 11
    reader = AuditLog.open(tmp_path)
    with pytest.raises(LogError, match="hashes: No such file"):
        reader.inclusion_proof(3)
    AuditLog.open(tmp_path, signer=SIGNER, check=False)
    assert (tmp_path / "hashes").read_bytes() == expected
    reader.inclusion_proof(3)


def test_proofs_from_altered_hashes_are_not_handed_out(tmp_path: Path) -> None:
    log = make_log(tmp_path, 8)
    path = tmp_path / "hashes"
    for number in range(stored_before(8)):
        data = bytearray(path.read_bytes())
        data[32 * number] ^= 1
        path.write_bytes(data)
        for make in (log.inclusion_proof, log.consistency_proof):
            for argument in range(8):
                _refused_or_right(log, make, argument)
        data[32 * number] ^= 1
        path.write_bytes(data)
    path.write_bytes(b"")
    with pytest.raises(LogError, match="hashes: at offset 0x1a0: the file was cut short"):
        log.inclusion_proof(1)


def _refused_or_right(log: AuditLog, make: Callable[[int], object], argument: int) -> None:
    made: list[object] = []
    error = error_of(lambda: made.append(make(argument)))
    if error is None:
        assert made == [make_again[make.__name__][argument]]
    else:
        assert "do not lead to the signed root" in error.reason


@pytest.fixture(autouse=True, scope="module")
def proofs(module_path: Path) -> None:
    log = make_log(module_path, 8)
    make_again["inclusion_proof"] = [log.inclusion_proof(index) for index in range(8)]
    make_again["consistency_proof"] = [log.consistency_proof(size) for size in range(8)]


make_again: dict[str, list[object]] = {}


def test_a_log_that_is_read_only(tmp_path: Path) -> None:
    make_log(tmp_path, 2)
    with pytest.raises(LogError, match="opened to be read only"):
        AuditLog.open(tmp_path).append("a", {})


def test_a_copy_of_two_files_is_enough_to_verify(tmp_path: Path) -> None:
    make_log(tmp_path / "log", 5)
    (tmp_path / "copy").mkdir()
    for name in ("entries.jsonl", "checkpoint"):
        shutil.copy(tmp_path / "log" / name, tmp_path / "copy")
    (tmp_path / "copy").chmod(0o500)
    assert verify_log(tmp_path / "copy", public_key=KEY).checkpoint.size == 5


# --- who may not ---


def test_another_signer_is_refused(tmp_path: Path) -> None:
    make_log(tmp_path, 2)
    with pytest.raises(LogError, match="not signed by the key"):
        AuditLog.open(tmp_path, signer=SoftwareSigner(2))
    with pytest.raises(LogError, match="the key is that of 'logs"):
        AuditLog.open(tmp_path, signer=SoftwareSigner(1, "logs.example/other"))
    with pytest.raises(LogError, match="the signer's key is that of 'logs"):
        AuditLog.create(tmp_path / "new", origin=ORIGIN, signer=SoftwareSigner(1, "logs.example/other"))
    assert not (tmp_path / "new" / "checkpoint").exists()


class Failing(SoftwareSigner):
    """A token that is sometimes gone."""

    error: Exception | None = None
    garbage = False

    def sign(self, message: bytes) -> bytes:
        if self.error is not None:
            raise self.error
        return bytes(64) if self.garbage else super().sign(message)


@pytest.mark.parametrize(
    ("error", "garbage", "words"),
    [
        (SignerError("the token is gone"), False, "the checkpoint cannot be signed: the token is gone"),
        (RuntimeError("pin 1234"), False, "the signer failed with RuntimeError"),
        (OSError(5, "x"), False, "the signer failed with OSError"),
        (None, True, "the signer gave a signature that the key .* does not verify"),
    ],
)
def test_a_signer_that_fails_logs_nothing(
    tmp_path: Path, error: Exception | None, garbage: bool, words: str
) -> None:
    make_log(tmp_path, 2)
    signer = Failing()
    log = AuditLog.open(tmp_path, signer=signer, clock=ticking())
    signer.error, signer.garbage = error, garbage
    with pytest.raises(LogError, match=words) as caught:
        log.append("a", {"number": "lost"})
    assert "1234" not in str(caught.value)
    assert (len(log), numbers(log)) == (2, [0, 1])
    assert verify_log(tmp_path, public_key=KEY).unfinished > 0
    signer.error, signer.garbage = None, False
    log.append("a", {"number": 2})
    assert numbers(AuditLog.open(tmp_path)) == [0, 1, 2]
    assert verify_log(tmp_path, public_key=KEY).unfinished == 0


def test_what_cannot_be_written_leaves_no_trace(tmp_path: Path) -> None:
    log = make_log(tmp_path, 1)
    before = {name: (tmp_path / name).read_bytes() for name in FILES}
    bad: list[tuple[str, Any]] = [("A", {}), ("a", {"x": 0.1}), ("a", {"x": "y" * MAX_ENTRY_BYTES})]
    for kind, body in bad:
        with pytest.raises(LogError):
            log.append(kind, body)
    assert {name: (tmp_path / name).read_bytes() for name in FILES} == before


@pytest.mark.parametrize("name", ["entries.jsonl", "checkpoint", "hashes"])
@pytest.mark.parametrize("kind", ["missing", "link", "pipe", "directory"])
def test_files_that_are_none(tmp_path: Path, name: str, kind: str) -> None:
    make_log(tmp_path / "log", 2)
    path = tmp_path / "log" / name
    path.rename(tmp_path / "moved")
    if kind == "link":
        path.symlink_to(tmp_path / "moved")
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "directory":
        path.mkdir()
    if (name, kind) == ("hashes", "missing"):
        return
    for attempt in (
        lambda: verify_log(tmp_path / "log", public_key=KEY),
        lambda: AuditLog.open(tmp_path / "log", signer=SIGNER),
    ):
        with pytest.raises(LogError) as caught:
            attempt()
        assert caught.value.path == str(path)
        # "there" but odd is an answer about the log; only what the system refuses is not
        assert is_unreadable(caught.value) == (kind in ("missing", "link"))


def test_there_is_no_log(tmp_path: Path) -> None:
    for directory in (tmp_path, tmp_path / "absent"):
        for signer in (SIGNER, None):
            with pytest.raises(LogError, match="checkpoint: No such file") as caught:
                AuditLog.open(directory, signer=signer)
            assert is_unreadable(caught.value)
    assert os.listdir(tmp_path) == []


# --- many at once ---


def _append_many(directory: Path, who: str, count: int) -> None:
    log = AuditLog.open(directory, signer=SIGNER)
    for number in range(count):
        assert log.append("a", {"who": who, "number": number}).body["number"] == number


def test_two_processes_append_at_once(tmp_path: Path) -> None:
    make_log(tmp_path)
    fork = multiprocessing.get_context("fork")
    workers = [fork.Process(target=_append_many, args=(tmp_path, who, 200)) for who in "ab"]
    for worker in workers:
        worker.start()
    known, seen = verify_log(tmp_path, public_key=KEY).checkpoint, 0
    while any(worker.is_alive() for worker in workers):
        known = verify_log(tmp_path, public_key=KEY, known=known).checkpoint
        seen += len(AuditLog.open(tmp_path, known=known)) > 0
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    assert seen
    log = AuditLog.open(tmp_path, known=known)
    assert verify_log(tmp_path, public_key=KEY).checkpoint.size == len(log) == 400
    for who in "ab":
        assert [entry.body["number"] for entry in log.entries() if entry.body["who"] == who] == list(
            range(200)
        )


def test_threads_share_a_log_or_have_their_own(tmp_path: Path) -> None:
    log = make_log(tmp_path)
    errors: list[LogError] = []
    finished: list[int] = []

    def work(own: AuditLog, who: int) -> None:
        try:
            for number in range(15):
                own.append("a", {"number": 100 * who + number})
                own.inclusion_proof(0)
        except LogError as error:
            errors.append(error)
        finished.append(who)

    logs = [log, log, AuditLog.open(tmp_path, signer=SIGNER), AuditLog.open(tmp_path, signer=SIGNER)]
    threads = [threading.Thread(target=work, args=(own, who)) for who, own in enumerate(logs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert sorted(finished) == [0, 1, 2, 3]
    written = numbers(AuditLog.open(tmp_path))
    assert sorted(map(int, map(str, written))) == sorted(100 * who + n for who in range(4) for n in range(15))
    assert verify_log(tmp_path, public_key=KEY).checkpoint.size == 60


def test_a_lock_that_is_never_given_back(tmp_path: Path) -> None:
    log = make_log(tmp_path)
    log.lock_seconds = 0.01
    with (
        Storage(tmp_path).exclusive(1),
        pytest.raises(LogError, match="another writer has held the lock"),
    ):
        log.append("a", {})
    log.append("a", {})


def test_what_another_key_has_added_is_not_taken_over(tmp_path: Path) -> None:
    log = make_log(tmp_path, 3)
    stranger = SoftwareSigner(2)
    make_log(tmp_path / "same", 3)
    forged = AuditLog.open(tmp_path / "same", signer=SIGNER, clock=ticking())
    forged.append("gate.allow", {"number": "forged"})
    state = forged.checkpoint()
    for name in ("entries.jsonl", "hashes"):
        shutil.copy(tmp_path / "same" / name, tmp_path)
    note = sign_checkpoint(ORIGIN, state.size, state.root, stranger).note
    (tmp_path / "checkpoint").write_bytes(note)
    with pytest.raises(LogError, match="not signed by the key"):
        log.append("a", {"number": 4})
    assert (tmp_path / "checkpoint").read_bytes() == note


def test_a_rewritten_log_is_not_continued(tmp_path: Path) -> None:
    """Whoever has the key can sign anything; a process that knows better does not go along."""
    log = make_log(tmp_path / "log", 3)
    other = AuditLog.create(tmp_path / "other", origin=ORIGIN, signer=SIGNER)
    for number in range(5):
        other.append("a", {"number": -number})
    for name in FILES:
        shutil.copy(tmp_path / "other" / name, tmp_path / "log")
    with pytest.raises(LogError):
        log.append("a", {})
    with pytest.raises(LogError, match="the first 3 entries are not those of the known checkpoint"):
        verify_log(tmp_path / "log", public_key=KEY, known=log.checkpoint())
    for check in (True, False):
        with pytest.raises(LogError, match="the first 3 entries are not those of the known checkpoint"):
            AuditLog.open(tmp_path / "log", signer=SIGNER, known=log.checkpoint(), check=check)
