"""Whatever is altered in the files is noticed, and the error says where."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from immure.auditlog import AuditLog, Verified, parse_checkpoint, verify_log
from immure.auditlog.checkpoint import sign_checkpoint
from immure.auditlog.replay import is_broken_append
from immure.auditlog.tree import Peaks, leaf_hash
from immure.errors import LogError

from .helpers import KEY, ORIGIN, SIGNER, SoftwareSigner, error_of, make_log

SIZE = 5


@pytest.fixture(scope="module")
def original(module_path: Path) -> Path:
    directory = module_path / "original"
    make_log(directory, SIZE)
    return directory


@pytest.fixture(scope="module")
def scratch(original: Path, module_path: Path) -> Path:
    directory = module_path / "scratch"
    shutil.copytree(original, directory)
    return directory


def refusals(directory: Path, **kept: object) -> list[LogError]:
    """The errors of everybody who may look at the log; there must be one from each."""
    found = []
    for attempt in (
        lambda: verify_log(directory, public_key=KEY, **kept),  # type: ignore[arg-type]
        lambda: AuditLog.open(directory, signer=SIGNER, **kept),  # type: ignore[arg-type]
    ):
        with pytest.raises(LogError) as caught:
            attempt()
        found.append(caught.value)
    return found


@pytest.mark.parametrize("name", ["entries.jsonl", "hashes", "checkpoint"])
@pytest.mark.parametrize("change", [0x01, 0x80, 0x2A])
def test_every_altered_byte_is_noticed(original: Path, scratch: Path, name: str, change: int) -> None:
    data = (original / name).read_bytes()
    lines = [0, *(at + 1 for at, byte in enumerate(data) if byte == 10)]
    for position in range(len(data)):
        altered = bytearray(data)
        altered[position] ^= change
        (scratch / name).write_bytes(altered)
        errors = refusals(scratch)
        assert {error.path for error in errors} == {str(scratch / name)}
        if name == "entries.jsonl":
            index = max(number for number, start in enumerate(lines) if start <= position)
            assert errors[0].offset == lines[index]
            assert f"entry {index}" in errors[0].reason
    (scratch / name).write_bytes(data)
    verify_log(scratch, public_key=KEY)


Lines = list[bytes]

#: What is done to the lines of the entries, and how the error begins and where it points: (line, words).
TABLE: list[tuple[str, Callable[[Lines], Lines], int, str]] = [
    ("first removed", lambda e: e[1:], 0, "entry 0: its own index is another one"),
    ("middle removed", lambda e: e[:2] + e[3:], 2, "entry 2: its own index is another one"),
    ("last removed", lambda e: e[:4], 4, "entry 4 of 5 is missing: the file was cut short"),
    ("all removed", lambda e: [], 0, "entry 0 of 5 is missing"),
    ("reordered", lambda e: [e[0], e[2], e[1], *e[3:]], 1, "entry 1: its own index is another one"),
    ("doubled", lambda e: [*e[:2], e[1], *e[2:]], 2, "entry 2: its own index is another one"),
    ("blank line", lambda e: [*e[:3], b"\n", *e[3:]], 3, "entry 3: no JSON"),
    ("blanks", lambda e: [e[0].replace(b":", b": ", 1), *e[1:]], 0, "entry 0: JSON that is not"),
    ("line ending", lambda e: [*e[:1], e[1][:-1] + b"\r\n", *e[2:]], 1, "entry 1: JSON that is not"),
    ("other number", lambda e: [*e[:3], e[3].replace(b'r":3', b'r":4'), e[4]], 3, "entry 3 of 5 is not"),
    ("other index", lambda e: [*e[:3], e[3].replace(b'x":3', b'x":4'), e[4]], 3, "entry 3: its own index"),
    ("other kind", lambda e: [e[0].replace(b"deny", b"allow"), *e[1:]], 0, "entry 0 of 5 is not"),
    ("other time", lambda e: [*e[:4], e[4].replace(b"2026", b"2025")], 4, "entry 4 of 5 is not"),
    ("no end", lambda e: [*e[:4], e[4][:-1]], 4, "entry 4 of 5 breaks off: the file was cut short"),
    ("long", lambda e: [*e[:2], b"x" * (1 << 20) + b"y\n", *e[2:]], 2, "entry 2 of 5 is longer"),
    ("two more", lambda e: [*e, e[0], e[1]], 5, "more entries follow than the 5 of the checkpoint"),
    ("much more", lambda e: [*e, b"x" * (2 << 20)], 5, "more entries follow than the 5 of the checkpoint"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "line", "words"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE]
)
def test_alterations_of_entries(
    original: Path, scratch: Path, change: Callable[[Lines], Lines], line: int, words: str
) -> None:
    path = scratch / "entries.jsonl"
    data = (original / "entries.jsonl").read_bytes()
    altered = change(data.splitlines(keepends=True))
    path.write_bytes(b"".join(altered))
    by_verify, by_open = refusals(scratch)
    assert by_verify.reason.startswith(words)
    assert (by_verify.path, by_verify.offset) == (str(path), sum(map(len, altered[:line])))
    assert by_open.path == str(path)
    path.write_bytes(data)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_other_bytes_are_noticed(original: Path, scratch: Path, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(["entries.jsonl", "hashes", "checkpoint"]))
    old = (original / name).read_bytes()
    at, to = sorted((data.draw(st.integers(0, len(old))), data.draw(st.integers(0, len(old)))))
    piece = data.draw(st.binary(max_size=40) | st.just(old[at:to] * 2) | st.just(old[: to - at]))
    new = old[:at] + piece + old[to:]
    (scratch / name).write_bytes(new)
    harmless = new.startswith(old) and (name == "hashes" or is_broken_append(new[len(old) :]))
    if name == "checkpoint":
        # what others sign, or a signature that stands there twice, does not alter what was signed
        verified: list[Verified] = []
        error = error_of(lambda: verified.append(verify_log(scratch, public_key=KEY)))
        assert error is not None or verified[0].checkpoint.text.encode() == old[: new.rindex(b"\n\n") + 1]
    elif new == old or harmless:
        verify_log(scratch, public_key=KEY)
    else:
        refusals(scratch)
    (scratch / name).write_bytes(old)


def test_consistent_forgery_without_the_key(tmp_path: Path) -> None:
    """Entries and hashes changed together: only the signed root tells."""
    make_log(tmp_path, SIZE)
    path = tmp_path / "entries.jsonl"
    path.write_bytes(path.read_bytes().replace(b"deny", b"pass"))
    peaks, hashes = Peaks(), b""
    for line in path.read_bytes().splitlines():
        hashes += b"".join(peaks.add(leaf_hash(line)))
    (tmp_path / "hashes").write_bytes(hashes)
    for error in refusals(tmp_path):
        assert error.reason == "the 5 entries do not have the root that the checkpoint states"
    stranger = SoftwareSigner(2)
    (tmp_path / "checkpoint").write_bytes(sign_checkpoint(ORIGIN, SIZE, peaks.root(), stranger).note)
    for error in refusals(tmp_path):
        assert error.reason == f"not signed by the key {KEY}"


def test_the_hashes_are_at_fault_if_the_root_is_right(original: Path, scratch: Path) -> None:
    data = bytearray((original / "hashes").read_bytes())
    data[32 * 4 + 5] ^= 1  # the first hash that is kept for entry 3, before it 0, 1, 01, 2
    (scratch / "hashes").write_bytes(data)
    for error in refusals(scratch):
        assert (
            error.reason == "the hashes stored for entry 3 were altered; the entries are as they were signed"
        )
        assert (error.path, error.offset) == (str(scratch / "hashes"), 32 * 4)
    (scratch / "hashes").write_bytes((original / "hashes").read_bytes())


def test_a_log_put_back_as_a_whole_needs_a_known_checkpoint(tmp_path: Path) -> None:
    log = make_log(tmp_path / "log", 3)
    shutil.copytree(tmp_path / "log", tmp_path / "old")
    middle = log.checkpoint()
    for number in range(3, 6):
        log.append("a", {"number": number})
    assert verify_log(tmp_path / "log", public_key=KEY, known=middle).known == middle
    assert verify_log(tmp_path / "old", public_key=KEY).checkpoint.size == 3
    for error in refusals(tmp_path / "old", known=log.checkpoint()):
        assert error.reason == "the log had 6 entries once and has 3: it was put back"
    assert len(AuditLog.open(tmp_path / "old", signer=SIGNER, known=middle, check=False)) == 3
    with pytest.raises(LogError, match="had 6 entries once"):
        AuditLog.open(tmp_path / "old", signer=SIGNER, known=log.checkpoint(), check=False)


def test_a_known_checkpoint_must_be_one_of_this_log(tmp_path: Path) -> None:
    log = make_log(tmp_path / "log", 3)
    stranger, other = SoftwareSigner(2), SoftwareSigner(1, "logs.example/other")
    fork = sign_checkpoint(ORIGIN, 2, bytes(32), SIGNER)
    for error in refusals(tmp_path / "log", known=fork):
        assert (
            error.reason == "the first 2 entries are not those of the known checkpoint: the log was rewritten"
        )
    foreign = sign_checkpoint(other.name, 3, log.checkpoint().root, other)
    with pytest.raises(LogError, match="the log 'logs"):
        verify_log(tmp_path / "log", public_key=KEY, known=foreign)
    for check in (True, False):
        with pytest.raises(LogError, match="known checkpoint is one of the log 'logs"):
            AuditLog.open(tmp_path / "log", signer=SIGNER, known=foreign, check=check)
    with pytest.raises(LogError, match="not signed by the key"):
        verify_log(tmp_path / "log", public_key=KEY, known=sign_checkpoint(ORIGIN, 2, fork.root, stranger))


def test_a_known_checkpoint_of_any_earlier_size(tmp_path: Path) -> None:
    log = make_log(tmp_path)
    kept = [log.checkpoint()]
    for number in range(9):
        log.append("a", {"number": number})
        kept.append(parse_checkpoint((tmp_path / "checkpoint").read_bytes()))
    for known in kept:
        assert verify_log(tmp_path, public_key=KEY, known=known).checkpoint.size == 9
        for check in (True, False):
            assert len(AuditLog.open(tmp_path, signer=SIGNER, known=known, check=check)) == 9


def test_an_empty_log_with_a_root_of_something(tmp_path: Path) -> None:
    make_log(tmp_path)
    (tmp_path / "checkpoint").write_bytes(sign_checkpoint(ORIGIN, 0, bytes(32), SIGNER).note)
    for error in refusals(tmp_path):
        assert error.reason == "a checkpoint of no entries with the root of some"
