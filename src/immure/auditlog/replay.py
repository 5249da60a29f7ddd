"""Going through a log from its first entry, and holding it against its checkpoint.

Memory does not grow with the log: one entry, and one hash for each level of the tree.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import BinaryIO

from immure.auditlog.checkpoint import Checkpoint
from immure.auditlog.entry import MAX_ENTRY_BYTES, parse_entry
from immure.auditlog.storage import CHECKPOINT, ENTRIES, HASHES, Storage
from immure.auditlog.tree import HASH_BYTES, Peaks, leaf_hash, stored_before
from immure.errors import LogError

_BLOCK = 1 << 16


@dataclass
class State:
    """Where a log stands: its tree, and where in the file of entries the next one goes."""

    peaks: Peaks = field(default_factory=Peaks)
    end: int = 0

    def copy(self) -> State:
        """The same state, to go on from."""
        return State(self.peaks.copy(), self.end)


def lines(storage: Storage, state: State, size: int) -> Iterator[tuple[int, int, bytes]]:
    """Index, offset and line (without newline) of the entries that come after ``state``, up to ``size``.

    Raises:
        LogError: the file ends before, or a line is too long.
    """
    path = storage.path(ENTRIES)
    with storage.stream(ENTRIES) as stream:
        stream.seek(state.end)
        offset = state.end
        for index in range(state.peaks.size, size):
            line = stream.readline(MAX_ENTRY_BYTES + 1)
            if line[-1:] != b"\n":
                what = "is longer than an entry may be" if len(line) > MAX_ENTRY_BYTES else _end(line)
                raise LogError(f"entry {index} of {size} {what}", path=path, offset=offset)
            yield index, offset, line[:-1]
            offset += len(line)


def lines_from_the_end(storage: Storage, size: int, end: int) -> Iterator[tuple[int, int, bytes]]:
    """As :func:`lines`, of the first ``size`` entries, which end at offset ``end``; the last one first.

    Raises:
        LogError: there are fewer, or a line is too long.
    """
    path, index, data = storage.path(ENTRIES), size, b""
    while index:
        start = end - len(data)
        if start and b"\n" not in data[:-1]:  # where the last line begins is further ahead
            if len(data) > MAX_ENTRY_BYTES + 1:
                raise LogError(f"entry {index - 1} is longer than an entry may be", path=path, offset=start)
            more = min(start, _BLOCK)
            data = storage.read(ENTRIES, start - more, more) + data
            continue
        begin = data.rfind(b"\n", 0, max(len(data) - 1, 0)) + 1
        line, data = data[begin:], data[:begin]
        index, end = index - 1, end - len(line)
        if line[-1:] != b"\n":
            raise LogError(f"entry {index} of {size} {_end(line)}", path=path, offset=end)
        yield index, end, line[:-1]


def replay(
    storage: Storage,
    checkpoint: Checkpoint,
    *,
    since: State | None = None,
    known: Checkpoint | None = None,
    parse: bool = False,
) -> State:
    """The state of the log at ``checkpoint``, every entry hashed (from ``since`` on, whose state is trusted).

    The stored hashes are compared as well, if there are any: so that the first entry that is another one can
    be named. Where entries and hashes differ, the checkpoint decides which of them was altered.

    Args:
        storage: the files.
        checkpoint: the state that the entries must lead to.
        since: a state that was reached before.
        known: an older checkpoint that the entries must pass through.
        parse: also read what the entries say.

    Raises:
        LogError: the log does not match; the error says where.
    """
    state = State() if since is None else since.copy()
    path = storage.path(ENTRIES)
    _check_known(storage, checkpoint, known)
    odd, astray = None, _strays(known, state)
    with ExitStack() as stack:
        stored = _stored_hashes(storage, state.peaks.size, stack)
        for index, offset, line in lines(storage, state, checkpoint.size):
            if parse:
                parse_entry(line, index=index, path=path, offset=offset)
            nodes = b"".join(state.peaks.add(leaf_hash(line)))
            state.end = offset + len(line) + 1
            if stored is not None and odd is None and stored.read(len(nodes)) != nodes:
                odd = _Odd(index, offset)
            astray = astray or _strays(known, state)
    _check_root(storage, checkpoint, state, odd)
    if known is not None and astray:
        reason = (
            f"the first {known.size} entries are not those of the known checkpoint: the log was rewritten"
        )
        raise LogError(reason, path=path, offset=0)
    _check_tail(storage, checkpoint, state)
    return state


@dataclass(frozen=True)
class _Odd:
    """The first entry whose hash is not the stored one."""

    index: int
    offset: int


def _stored_hashes(storage: Storage, size: int, stack: ExitStack) -> BinaryIO | None:
    if not storage.exists(HASHES):
        return None
    stream = stack.enter_context(storage.stream(HASHES))
    stream.seek(stored_before(size) * HASH_BYTES)
    return stream


def _check_root(storage: Storage, checkpoint: Checkpoint, state: State, odd: _Odd | None) -> None:
    if state.peaks.root() == checkpoint.root:
        if odd is not None:
            place = stored_before(odd.index) * HASH_BYTES
            reason = (
                f"the hashes stored for entry {odd.index} were altered; the entries are as they were signed"
            )
            raise LogError(reason, path=storage.path(HASHES), offset=place)
    elif odd is not None:
        reason = f"entry {odd.index} of {checkpoint.size} is not the one that was logged: it has another hash"
        raise LogError(reason, path=storage.path(ENTRIES), offset=odd.offset)
    else:
        reason = f"the {checkpoint.size} entries do not have the root that the checkpoint states"
        raise LogError(reason, path=storage.path(ENTRIES), offset=0)


def _check_known(storage: Storage, checkpoint: Checkpoint, known: Checkpoint | None) -> None:
    """Whether the log can go through a checkpoint that somebody has kept."""
    path = storage.path(CHECKPOINT)
    if known is not None and known.origin != checkpoint.origin:
        raise LogError(f"the known checkpoint is one of the log {known.origin!r}", path=path)
    if known is not None and known.size > checkpoint.size:
        reason = f"the log had {known.size} entries once and has {checkpoint.size}: it was put back"
        raise LogError(reason, path=path)


def _strays(known: Checkpoint | None, state: State) -> bool:
    """Whether the log does not go through a checkpoint that somebody has kept, if it is now that long."""
    return known is not None and known.size == state.peaks.size and known.root != state.peaks.root()


def _check_tail(storage: Storage, checkpoint: Checkpoint, state: State) -> None:
    """What follows the last entry may be one append that was broken off. More, and the checkpoint is an old
    one (or was replaced while we read)."""
    tail = storage.read(ENTRIES, state.end, MAX_ENTRY_BYTES + 2)
    if (
        not is_broken_append(tail)
        and storage.read(CHECKPOINT, 0, len(checkpoint.note) + 1) == checkpoint.note
    ):
        reason = f"more entries follow than the {checkpoint.size} of the checkpoint: it was put back"
        raise LogError(reason, path=storage.path(ENTRIES), offset=state.end)


def is_broken_append(tail: bytes) -> bool:
    """Whether this can be what an append that did not come to its end has left."""
    return len(tail) <= MAX_ENTRY_BYTES + 1 and tail.find(b"\n", 0, -1) < 0


def _end(line: bytes) -> str:
    return "breaks off: the file was cut short" if line else "is missing: the file was cut short"
