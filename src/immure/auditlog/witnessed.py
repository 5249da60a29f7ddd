"""Checkpoints that witnesses have signed: kept beside the log, and asked for by who verifies it.

``checkpoint.witnessed`` in the log's directory is the newest checkpoint that enough witnesses have signed,
with their lines below that of the log. It is no part of the log: who verifies names the witnesses that count.

Source: https://c2sp.org/tlog-cosignature
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from immure.auditlog.checkpoint import Checkpoint, parse_checkpoint
from immure.auditlog.cosignature import CosignatureKey
from immure.auditlog.note import MAX_NOTE_BYTES, NoteKey
from immure.errors import LogError
from immure.files import write_whole

#: Its name in the directory of the log.
WITNESSED: Final = "checkpoint.witnessed"


@dataclass(frozen=True, slots=True)
class Witnessed:
    """A checkpoint, and which witnesses have seen it.

    Attributes:
        checkpoint: that they signed.
        seen: when, in seconds since 1970, by the witness's name.
    """

    checkpoint: Checkpoint
    seen: dict[str, int]

    @property
    def time(self) -> int:
        """When the last of them saw it."""
        return max(self.seen.values(), default=0)

    def check_age(self, quorum: int, now: int, within: int, *, path: str | None = None) -> None:
        """See that enough of them saw it lately: an older state of the log, put back together with what
        witnesses signed of it, is only told by its age.

        Args:
            quorum: how many must have seen it.
            now: seconds since 1970.
            within: how many seconds ago, at most.

        Raises:
            LogError: fewer have.
        """
        late = [one for one in self.seen.values() if one >= now - within]
        if len(late) < quorum:
            ago = now - self.time
            raise LogError(
                f"{len(late)} witnesses have signed within {within} s, and {quorum} are needed; the last one "
                f"did {ago} s ago: an older copy of the log, or witnesses are not reached",
                path=path,
            )


def keep_witnessed(directory: Path, note: bytes) -> None:
    """Put a checkpoint with the lines of its witnesses beside the log; raises LogError if it cannot be."""
    try:
        write_whole(directory / WITNESSED, note)
    except OSError as error:
        raise LogError(error.strerror or "cannot be written", path=str(directory / WITNESSED)) from error


def read_witnessed(directory: str | os.PathLike[str]) -> bytes:
    """The note in ``checkpoint.witnessed``.

    Raises:
        LogError: there is none, or it cannot be read.
    """
    path = Path(directory, WITNESSED)
    try:
        with path.open("rb") as stream:
            return stream.read(MAX_NOTE_BYTES + 1)
    except FileNotFoundError:
        raise LogError("there is none: no witness has signed this log", path=str(path)) from None
    except OSError as error:
        raise LogError(error.strerror or "cannot be read", path=str(path)) from error


def check_witnessed(
    note: bytes,
    log_key: NoteKey | bytes,
    witnesses: Sequence[CosignatureKey],
    quorum: int,
    *,
    path: str | None = None,
) -> Witnessed:
    """The checkpoint in a note, if the log and enough witnesses have signed it.

    Args:
        log_key: of the log.
        witnesses: that count; signatures of others are not looked at.
        quorum: how many of them must have signed.

    Raises:
        LogError: the log has not signed it, or too few witnesses have.
    """
    if len({(one.name, one.public_key) for one in witnesses}) != len(witnesses):
        raise LogError("a witness is named twice, and would count twice")
    if len({one.public_key for one in witnesses}) != len(witnesses):
        raise LogError("two witnesses with one key, which would count twice")
    if not 1 <= quorum <= len(witnesses):
        raise LogError(f"{quorum} of {len(witnesses)} witnesses cannot be asked for")
    checkpoint = parse_checkpoint(note, path=path)
    checkpoint.verify(log_key, path=path)
    seen, refused = dict[str, int](), list[str]()
    for key in witnesses:
        try:
            seen[key.name] = key.seen(note, path=path)
        except LogError as error:
            refused.append(error.reason)
    if len(seen) < quorum:
        words = "; ".join(refused)
        raise LogError(f"signed by {len(seen)} witnesses, and {quorum} are needed: {words}", path=path)
    return Witnessed(checkpoint, seen)
