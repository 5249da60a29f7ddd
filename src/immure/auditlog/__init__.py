"""A log to which entries can only be added, and which shows it if anything else was done.

>>> import pathlib, tempfile
>>> from immure.errors import LogError
>>> from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
>>> class Signer:
...     name = "logs.example/gate"
...     def __init__(self, key):
...         self.sign, self.public_key = key.sign, key.public_key().public_bytes_raw()
>>> signer = Signer(Ed25519PrivateKey.generate())
>>> directory = tempfile.mkdtemp()
>>> log = AuditLog.create(directory, origin=signer.name, signer=signer)
>>> log.append("gate.deny", {"dump": "sha256:9f86d081", "rule": "clearance-expired"}).index
0
>>> kept = log.checkpoint()             # its .note is to be kept where whoever can write to the log cannot
>>> log.append("gate.allow", {"dump": "sha256:60303ae2", "to": "file:///srv/debug"}).index
1
>>> verify_log(directory, public_key=signer.public_key, known=kept).checkpoint.size
2
>>> path = pathlib.Path(directory, "entries.jsonl")
>>> path.write_bytes(path.read_bytes().replace(b"deny", b"pass")) > 0
True
>>> try:
...     verify_log(directory, public_key=signer.public_key)
... except LogError as error:
...     print(error.reason, "| at", error.offset)
entry 0 of 2 is not the one that was logged: it has another hash | at 0

The entries are lines of canonical JSON (:mod:`.canonical`, :mod:`.entry`) and the leaves of a Merkle tree
(:mod:`.tree`, RFC 9162), whose root a key signs with every entry (:mod:`.checkpoint`, C2SP). So nobody
without the key can change, remove or add an entry, and nobody at all can without contradicting checkpoints
that others keep.
"""

from __future__ import annotations

from immure.auditlog.canonical import JSON
from immure.auditlog.checkpoint import Checkpoint, parse_checkpoint
from immure.auditlog.entry import Entry
from immure.auditlog.log import AuditLog
from immure.auditlog.note import NoteKey, NoteSigner, parse_vkey
from immure.auditlog.proofs import ConsistencyProof, InclusionProof
from immure.auditlog.verify import Verified, verify_log

__all__ = [
    "JSON",
    "AuditLog",
    "Checkpoint",
    "ConsistencyProof",
    "Entry",
    "InclusionProof",
    "NoteKey",
    "NoteSigner",
    "Verified",
    "parse_checkpoint",
    "parse_vkey",
    "verify_log",
]
