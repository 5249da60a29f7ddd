"""Checkpoints: how long a log is and what its root is, signed by the log (C2SP tlog-checkpoint).

>>> from immure.auditlog.tree import EMPTY_ROOT
>>> print(Checkpoint("logs.example/gate", 0, EMPTY_ROOT).text, end="")
logs.example/gate
0
47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=

The text of the note has three lines: the origin, which names the log; the number of its entries; the root of
the tree over them. Extension lines, which the specification advises against, are refused: nobody could audit
them.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field

from immure.auditlog.note import NoteKey, NoteSigner, decode_base64, is_name, parse_note, sign_note
from immure.auditlog.proofs import MAX_SIZE
from immure.auditlog.tree import HASH_BYTES
from immure.errors import LogError

_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The state of a log.

    Attributes:
        origin: the name of the log.
        size: how many entries it has.
        root: the root of the tree over them.
        note: the signed note, to be kept elsewhere; two checkpoints are equal whoever signed them.
    """

    origin: str
    size: int
    root: bytes
    note: bytes = field(default=b"", compare=False, repr=False)

    @property
    def text(self) -> str:
        """What is signed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"

    def verify(self, key: NoteKey | bytes, *, path: str | None = None) -> NoteKey:
        """The key, if it has signed this checkpoint. A bare public key goes by the name of the origin.

        Raises:
            LogError: it has not, or it is the key of another log.
        """
        if isinstance(key, bytes):
            key = NoteKey(self.origin, key)
        if key.name != self.origin:
            raise LogError(f"this is the log {self.origin!r}, and the key is that of {key.name!r}", path=path)
        parse_note(self.note, path=path).verify(key, path=path)
        return key


def sign_checkpoint(origin: str, size: int, root: bytes, signer: NoteSigner) -> Checkpoint:
    """A checkpoint, signed.

    Raises:
        LogError: the signer's name is not the origin, or its signature is not that of its key.
    """
    if signer.name != origin:
        raise LogError(f"the log is {origin!r}, and the signer's key is that of {signer.name!r}")
    return Checkpoint(origin, size, root, sign_note(Checkpoint(origin, size, root).text, signer))


def parse_checkpoint(data: bytes, *, path: str | None = None) -> Checkpoint:
    """The checkpoint that a signed note holds. Its signature is not checked: see :meth:`Checkpoint.verify`.

    Raises:
        LogError: it is none.
    """
    lines = parse_note(data, path=path).text[:-1].split("\n")
    if len(lines) != 3:
        raise LogError(f"a checkpoint has three lines, this note has {len(lines)}", path=path)
    origin, size, root = lines[0], lines[1], decode_base64(lines[2])
    if not is_name(origin):
        raise LogError("the first line of a checkpoint names the log, in one word without +", path=path)
    if not _SIZE.fullmatch(size) or int(size) > MAX_SIZE:
        raise LogError("the second line of a checkpoint is the number of entries, in decimal", path=path)
    if root is None or len(root) != HASH_BYTES:
        raise LogError("the third line of a checkpoint is the root hash, in base64", path=path)
    return Checkpoint(origin, int(size), root, data)
