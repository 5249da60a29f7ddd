"""The file of hashes: what proofs are made of, so that they need not go through all entries.

Nothing in it is believed: what is computed from it is held against the signed root, and if the file is
missing it is built anew from the entries.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from immure.auditlog.checkpoint import Checkpoint
from immure.auditlog.entry import MAX_ENTRY_BYTES
from immure.auditlog.proofs import prove_consistency
from immure.auditlog.replay import State, is_broken_append, lines
from immure.auditlog.storage import ENTRIES, HASHES, Storage
from immure.auditlog.tree import HASH_BYTES, Peaks, leaf_hash, stored_before, stored_position
from immure.errors import LogError


class HashFile:
    """The stored hashes of a log."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def node(self, level: int, index: int) -> bytes:
        """The root of the ``index``-th complete subtree of height ``level``.

        Raises:
            LogError: the file cannot be read, or is too short.
        """
        offset = stored_position(level, index) * HASH_BYTES
        value = self._storage.read(HASHES, offset, HASH_BYTES)
        if len(value) < HASH_BYTES:
            raise LogError("the file was cut short", path=self._storage.path(HASHES), offset=offset)
        return value

    def root(self, size: int) -> bytes:
        """The root over the first ``size`` entries."""
        return Peaks.of_size(size, self.node).root()

    def extend(self, size: int, nodes: Sequence[bytes]) -> None:
        """Write down the hashes that came to be when a tree of ``size`` leaves got one more."""
        self._storage.extend(HASHES, stored_before(size) * HASH_BYTES, b"".join(nodes))

    def build_if_missing(self, size: int) -> None:
        """Make the file from the first ``size`` entries if it is not there."""
        if self._storage.exists(HASHES):
            return
        state = State()
        with self._storage.replacing(HASHES) as stream:
            for _, _, line in lines(self._storage, state, size):
                stream.write(b"".join(state.peaks.add(leaf_hash(line))))

    def check(self, verify: Callable[[], None]) -> None:
        """Call ``verify``, which holds something made of these hashes against the signed root.

        Raises:
            LogError: it does not hold, so the file was altered.
        """
        try:
            verify()
        except LogError as error:
            reason = f"the stored hashes do not lead to the signed root: {error.reason}"
            raise LogError(reason, path=self._storage.path(HASHES)) from error


def quick_state(storage: Storage, checkpoint: Checkpoint, known: Checkpoint | None) -> State | None:
    """The state at ``checkpoint``, found from the ends of the files; None if that does not succeed: going
    through the whole log then tells why, or that all is well."""
    hashes = HashFile(storage)
    try:
        peaks = Peaks.of_size(checkpoint.size, hashes.node)
        if peaks.root() != checkpoint.root or (known and known.origin != checkpoint.origin):
            return None
        if known is not None:
            proof = prove_consistency(known.size, checkpoint.size, hashes.node)
            proof.verify(known.root, checkpoint.root)
        end = _find_end(storage, hashes.node(0, checkpoint.size - 1)) if checkpoint.size else 0
    except LogError:
        return None
    return None if end is None else State(peaks, end)


def _find_end(storage: Storage, leaf: bytes) -> int | None:
    """Where the last entry, which has this hash, ends: before the end of the file, or before what an append
    that was broken off has left there."""
    start = max(0, storage.size(ENTRIES) - 2 * (MAX_ENTRY_BYTES + 1) - 1)
    data = storage.read(ENTRIES, start, 2 * (MAX_ENTRY_BYTES + 1) + 1)
    stop = len(data)
    for _ in range(2):
        newline = data.rfind(b"\n", 0, stop)
        before = data.rfind(b"\n", 0, max(newline, 0))
        if newline < 0:
            return None
        if leaf_hash(data[before + 1 : newline]) == leaf and is_broken_append(data[newline + 1 :]):
            return start + newline + 1
        stop = newline
    return None
