"""A proof to hand out: one entry, and why it is in the log (C2SP tlog-proof).

    c2sp.org/tlog-proof@v1
    extra BASE64 OF THE ENTRY'S LINE
    index 73894
    BASE64 OF A HASH, one line for each
    (blank)
    THE SIGNED CHECKPOINT

The format leaves it open what ``extra`` is. Here it is the line of the entry, so that a proof says by itself
what it proves; it is believed only because its hash leads to the signed root.

Source: https://c2sp.org/tlog-proof
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from itertools import islice

from immure.auditlog.checkpoint import Checkpoint, parse_checkpoint
from immure.auditlog.entry import MAX_ENTRY_BYTES, Entry, parse_entry
from immure.auditlog.log import AuditLog
from immure.auditlog.note import MAX_NOTE_BYTES, NoteKey, decode_base64
from immure.auditlog.proofs import MAX_SIZE, InclusionProof
from immure.auditlog.tree import HASH_BYTES, leaf_hash
from immure.errors import LogError

HEADER = "c2sp.org/tlog-proof@v1"
MAX_PROOF_BYTES = 2 * MAX_ENTRY_BYTES + MAX_NOTE_BYTES

_INDEX = re.compile(r"index (0|[1-9][0-9]{0,18})")


@dataclass(frozen=True, slots=True)
class ProofFile:
    """An entry's line, its place, the hashes that lead from it to the root, and the checkpoint with that
    root."""

    line: bytes
    proof: InclusionProof
    checkpoint: Checkpoint

    def to_bytes(self) -> bytes:
        """The proof as a file."""
        extra = base64.b64encode(self.line).decode()
        head = [HEADER, f"extra {extra}", f"index {self.proof.index}"]
        hashes = [base64.b64encode(value).decode() for value in self.proof.hashes]
        return "\n".join([*head, *hashes, "", ""]).encode() + self.checkpoint.note

    def verify(self, key: NoteKey | bytes) -> Entry:
        """The entry, if it is in the log of this key.

        Raises:
            LogError: the signature or the proof is wrong, or the line is no entry.
        """
        self.checkpoint.verify(key)
        self.proof.verify(leaf_hash(self.line), self.checkpoint.root)
        return parse_entry(self.line, index=self.proof.index)


def prove(log: AuditLog, index: int) -> ProofFile:
    """The proof for entry ``index`` of an open log.

    Raises:
        LogError: there is no such entry, or the log was altered since it was opened.
    """
    proof = log.inclusion_proof(index)
    checkpoint = log.checkpoint()
    [entry] = islice(log.entries(), index, index + 1)
    result = ProofFile(entry.to_line(), proof, checkpoint)
    proof.verify(entry.leaf_hash, checkpoint.root)
    return result


def parse_proof(data: bytes, *, path: str | None = None) -> ProofFile:
    """The proof that a file holds; nothing is checked yet but its form.

    Raises:
        LogError: it is none, or has no entry with it.
    """
    if len(data) > MAX_PROOF_BYTES:
        raise LogError(f"a proof of more than {MAX_PROOF_BYTES} bytes", path=path)
    head, _, note = data.partition(b"\n\n")
    try:
        header, extra, number, *hashes = head.decode("ascii").split("\n")
    except ValueError as error:
        raise LogError(f"not a proof of the form {HEADER}", path=path) from error
    line = decode_base64(extra.removeprefix("extra "))
    index = _INDEX.fullmatch(number)
    if header != HEADER or not extra.startswith("extra ") or line is None or index is None:
        raise LogError(f"not a proof of the form {HEADER}, with an entry as its extra data", path=path)
    path_hashes = [decode_base64(text) for text in hashes[: MAX_SIZE.bit_length() + 1]]
    found = tuple(value for value in path_hashes if value is not None and len(value) == HASH_BYTES)
    if len(found) != len(hashes):
        raise LogError("a line of the proof is not a hash, or there are too many", path=path)
    checkpoint = parse_checkpoint(note, path=path)
    return ProofFile(line, InclusionProof(int(index[1]), checkpoint.size, found), checkpoint)
