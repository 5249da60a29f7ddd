"""The log itself: open it, append to it, prove what is in it.

An append writes the entry, then the hashes, each synced, then signs the checkpoint that counts the entry, and
puts it in place of the old one. That last step decides. Whatever fails before it leaves the log as it was;
what was written is behind the end that the checkpoint states, nobody reads it, and the next append cuts it
off. After it nothing is taken back, because somebody may already have seen, and kept, the new checkpoint.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

from immure.auditlog.canonical import JSON
from immure.auditlog.checkpoint import Checkpoint, parse_checkpoint, sign_checkpoint
from immure.auditlog.entry import MAX_ENTRY_BYTES, Entry, encode_entry, parse_entry
from immure.auditlog.hashes import HashFile, quick_state
from immure.auditlog.note import MAX_NOTE_BYTES, NoteKey, NoteSigner
from immure.auditlog.proofs import ConsistencyProof, InclusionProof, prove_consistency, prove_inclusion
from immure.auditlog.replay import State, is_broken_append, lines, lines_from_the_end, replay
from immure.auditlog.storage import CHECKPOINT, ENTRIES, Storage
from immure.auditlog.tree import EMPTY_ROOT, leaf_hash
from immure.clock import Clock, now
from immure.errors import ImmureError, LogError

#: How long an append waits for others that append.
LOCK_SECONDS = 60.0


class AuditLog:
    """A log in a directory. Any number of these, in any number of threads and processes, may append to the
    same directory at once. Made by :meth:`create` and :meth:`open`.

    Attributes:
        origin: the name of the log.
        lock_seconds: how long an append waits for other writers before it fails.
    """

    def __init__(
        self, storage: Storage, checkpoint: Checkpoint, state: State, signer: NoteSigner | None, clock: Clock
    ) -> None:
        self.origin = checkpoint.origin
        self.lock_seconds = LOCK_SECONDS
        self._storage = storage
        self._checkpoint = checkpoint
        self._state = state
        self._signer = signer
        self._key = None if signer is None else _key(signer)
        self._clock = clock
        self._mutex = threading.Lock()

    @classmethod
    def create(
        cls,
        directory: str | os.PathLike[str],
        *,
        origin: str,
        signer: NoteSigner,
        clock: Clock = now,
        storage: Storage | None = None,
    ) -> AuditLog:
        """Begin a log, with a signed checkpoint that counts nothing.

        Args:
            directory: is made if it is not there.
            origin: the log's name, and that of the signer's key; by custom a URL without scheme.
            signer: signs the checkpoints.
            clock: tells the time of entries.
            storage: keeps the files; for tests of what happens when it fails.

        Raises:
            LogError: there is a log already, it cannot be written, or the signer's name is another one.
        """
        storage = storage or Storage(Path(directory))
        storage.create()
        with storage.exclusive(LOCK_SECONDS):
            if storage.exists(CHECKPOINT) or storage.size(ENTRIES):
                raise LogError("there is a log already", path=str(storage.directory))
            checkpoint = _sign(storage, origin, State(), signer)
            storage.publish(CHECKPOINT, checkpoint.note)
        return cls(storage, checkpoint, State(), signer, clock)

    @classmethod
    def open(
        cls,
        directory: str | os.PathLike[str],
        *,
        signer: NoteSigner | None = None,
        clock: Clock = now,
        known: Checkpoint | None = None,
        check: bool = True,
        storage: Storage | None = None,
    ) -> AuditLog:
        """Open a log, and hold it against its checkpoint.

        Args:
            directory: where it is.
            signer: signs what will be appended, and must have signed the checkpoint. Without one the log can
                only be read, and nobody has checked who signed it: :func:`verify_log` does that.
            clock: tells the time of entries.
            known: a checkpoint kept from before, which the log must continue.
            check: hash every entry. Without, only the end of the log is held against the checkpoint, which
                takes no longer for a long log; what was altered earlier is then found by :func:`verify_log`.
            storage: keeps the files; for tests of what happens when it fails.

        Raises:
            LogError: there is no log, it cannot be read, or it does not match its checkpoint, its signer or
            ``known``.
        """
        storage = storage or Storage(Path(directory))
        checkpoint = read_checkpoint(storage)
        storage.settle()
        if signer is None:
            return cls(storage, checkpoint, _load(storage, checkpoint, known, check), None, clock)
        with storage.exclusive(LOCK_SECONDS):
            checkpoint = read_checkpoint(storage)
            checkpoint.verify(_key(signer), path=storage.path(CHECKPOINT))
            storage.sweep()
            state = _load(storage, checkpoint, known, check)
            HashFile(storage).build_if_missing(checkpoint.size)
            return cls(storage, checkpoint, state, signer, clock)

    # --- reading ---

    def __len__(self) -> int:
        """How many entries there were when the log was opened or last appended to by this object."""
        return self._checkpoint.size

    @property
    def directory(self) -> Path:
        """Where its files are."""
        return self._storage.directory

    def checkpoint(self) -> Checkpoint:
        """The state that this object has seen last: :meth:`open` or :meth:`append` has held the log against
        it."""
        return self._checkpoint

    def entries(self) -> Iterator[Entry]:
        """All entries up to the checkpoint, the oldest first.

        Raises:
            LogError: the file has been altered meanwhile, so that an entry cannot be read.
        """
        for index, offset, line in lines(self._storage, State(), self._checkpoint.size):
            yield parse_entry(line, index=index, path=self._storage.path(ENTRIES), offset=offset)

    def newest(self) -> Iterator[Entry]:
        """All entries up to the checkpoint, the newest first: who looks for a late one need not read all.

        Raises:
            LogError: the file has been altered meanwhile, so that an entry cannot be read.
        """
        with self._mutex:
            size, end = self._checkpoint.size, self._state.end
        for index, offset, line in lines_from_the_end(self._storage, size, end):
            yield parse_entry(line, index=index, path=self._storage.path(ENTRIES), offset=offset)

    def inclusion_proof(self, index: int) -> InclusionProof:
        """The proof that entry ``index`` is in the tree of :meth:`checkpoint`.

        Raises:
            LogError: there is no such entry, or the stored hashes give no proof that holds.
        """
        with self._mutex:
            checkpoint, hashes = self._checkpoint, HashFile(self._storage)
            proof = prove_inclusion(index, checkpoint.size, hashes.node)
            hashes.check(lambda: proof.verify(hashes.node(0, index), checkpoint.root))
            return proof

    def consistency_proof(self, old_size: int) -> ConsistencyProof:
        """The proof that the tree of :meth:`checkpoint` continues that of the first ``old_size`` entries.

        Raises:
            LogError: there were never so many, or the stored hashes give no proof that holds.
        """
        with self._mutex:
            checkpoint, hashes = self._checkpoint, HashFile(self._storage)
            proof = prove_consistency(old_size, checkpoint.size, hashes.node)
            hashes.check(lambda: proof.verify(hashes.root(old_size), checkpoint.root))
            return proof

    # --- writing ---

    def append(self, kind: str, body: Mapping[str, JSON]) -> Entry:
        """Write an entry down. When this returns, it is on the disk and counted by a signed checkpoint.

        Args:
            kind: what happened: words of a-z and 0-9, joined by ``.``, ``_`` or ``-``.
            body: the particulars: text, integers, booleans, null, arrays and objects of these.

        Raises:
            LogError: it is not certain that the entry was logged: treat it as not logged. Nobody reads it,
                except in one case: if the checkpoint was already in place, and only making that last has
                failed, then the entry is in the log, and the error says so.
        """
        signer = self._signer
        if signer is None or self._key is None:
            raise LogError("the log was opened to be read only", path=str(self._storage.directory))
        with self._mutex, self._storage.exclusive(self.lock_seconds):
            self._catch_up(self._key)
            return self._append(encode_entry(self._checkpoint.size, self._clock(), kind, body), signer)

    def refresh(self) -> Checkpoint:
        """Take over what others have appended, having seen that they have only appended.

        Raises:
            LogError: the log was opened to be read only, or it was altered.
        """
        if self._key is None:
            raise LogError("the log was opened to be read only", path=str(self._storage.directory))
        with self._mutex, self._storage.exclusive(self.lock_seconds):
            self._catch_up(self._key)
            return self._checkpoint

    def _catch_up(self, key: NoteKey) -> None:
        """Take over what others have appended meanwhile, and see that they have only appended."""
        checkpoint = read_checkpoint(self._storage)
        if checkpoint.note != self._checkpoint.note:
            checkpoint.verify(key, path=self._storage.path(CHECKPOINT))
            self._state = replay(self._storage, checkpoint, since=self._state, known=self._checkpoint)
            self._checkpoint = checkpoint
        tail = self._storage.read(ENTRIES, self._state.end, MAX_ENTRY_BYTES + 2)
        if not is_broken_append(tail):
            reason = f"more entries follow than the {checkpoint.size} of the checkpoint; nothing is cut off"
            raise LogError(reason, path=self._storage.path(ENTRIES), offset=self._state.end)

    def _append(self, line: bytes, signer: NoteSigner) -> Entry:
        state = self._state.copy()
        nodes = state.peaks.add(leaf_hash(line))
        self._storage.extend(ENTRIES, state.end, line + b"\n")
        HashFile(self._storage).extend(self._checkpoint.size, nodes)
        state.end += len(line) + 1
        checkpoint = _sign(self._storage, self.origin, state, signer)
        try:
            self._storage.publish(CHECKPOINT, checkpoint.note)
        except LogError as error:
            self._explain(error, checkpoint)
            raise
        self._state, self._checkpoint = state, checkpoint
        return parse_entry(line, index=checkpoint.size - 1)

    def _explain(self, error: LogError, checkpoint: Checkpoint) -> None:
        """Say so if the checkpoint is in its place although putting it there has failed."""
        try:
            placed = self._storage.read(CHECKPOINT, 0, MAX_NOTE_BYTES) == checkpoint.note
        except LogError:
            reason = f"{error.reason}; whether the entry is in the log cannot be told"
            raise LogError(reason, path=error.path) from error
        if placed:
            reason = f"{error.reason}; the entry is in the log, but a power failure might undo it"
            raise LogError(reason, path=error.path) from error


def read_checkpoint(storage: Storage) -> Checkpoint:
    """The checkpoint of a log as it stands; its signature is not checked.

    Raises:
        LogError: there is none, or it is none.
    """
    path = storage.path(CHECKPOINT)
    checkpoint = parse_checkpoint(storage.read(CHECKPOINT, 0, MAX_NOTE_BYTES + 1), path=path)
    if checkpoint.size == 0 and checkpoint.root != EMPTY_ROOT:
        raise LogError("a checkpoint of no entries with the root of some", path=path)
    return checkpoint


def _load(storage: Storage, checkpoint: Checkpoint, known: Checkpoint | None, check: bool) -> State:
    state = None if check else quick_state(storage, checkpoint, known)
    return replay(storage, checkpoint, known=known) if state is None else state


def _key(signer: NoteSigner) -> NoteKey:
    return NoteKey(signer.name, signer.public_key)


def _sign(storage: Storage, origin: str, state: State, signer: NoteSigner) -> Checkpoint:
    path = storage.path(CHECKPOINT)
    try:
        return sign_checkpoint(origin, state.peaks.size, state.peaks.root(), signer)
    except ImmureError as error:
        raise LogError(f"the checkpoint cannot be signed: {error.reason}", path=path) from error
    except Exception as error:  # a signer is foreign code; whatever it raises, nothing was logged
        raise LogError(f"the signer failed with {type(error).__name__}", path=path) from error
