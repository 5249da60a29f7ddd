"""The full check of a log, by whoever has its public key."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from immure.auditlog.checkpoint import Checkpoint
from immure.auditlog.log import read_checkpoint
from immure.auditlog.note import NoteKey
from immure.auditlog.replay import replay
from immure.auditlog.storage import CHECKPOINT, ENTRIES, Storage


@dataclass(frozen=True, slots=True)
class Verified:
    """What a check has shown.

    Attributes:
        checkpoint: the signed state; all its entries were read, and lead to its root.
        key: the key that has signed it.
        known: the older checkpoint that the log was shown to continue, if one was given.
        unfinished: bytes behind the last entry: an append in progress, or one that was broken off.
    """

    checkpoint: Checkpoint
    key: NoteKey
    known: Checkpoint | None
    unfinished: int


def verify_log(
    directory: str | os.PathLike[str], *, public_key: NoteKey | bytes, known: Checkpoint | None = None
) -> Verified:
    """Read every entry, and hold all of them against the signed checkpoint.

    Only the files ``entries.jsonl`` and ``checkpoint`` are needed; ``hashes`` is checked if it is there.
    Others may append meanwhile.

    Args:
        directory: the log, or a copy of it.
        public_key: the key that must have signed the checkpoint, got from elsewhere than the log. A bare
            Ed25519 public key (32 bytes) goes by the name that the checkpoint states.
        known: a checkpoint of the log kept from before, elsewhere. Without it a log that was put back to an
            older state as a whole cannot be told from one that never went on.

    Raises:
        LogError: the log was altered, the signature is wrong, or a file cannot be read. The error names
            the entry, the file and the offset.
    """
    storage = Storage(Path(directory))
    checkpoint = read_checkpoint(storage)
    storage.settle()
    key = checkpoint.verify(public_key, path=storage.path(CHECKPOINT))
    if known is not None and known.note:
        known.verify(key)
    state = replay(storage, checkpoint, known=known, parse=True)
    return Verified(checkpoint, key, known, storage.size(ENTRIES) - state.end)
