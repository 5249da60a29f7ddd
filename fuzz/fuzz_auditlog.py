"""Feeds broken notes, keys, entries and proofs to immure.auditlog."""

from __future__ import annotations

import contextlib
import sys
import tempfile
from pathlib import Path

from driver import run

from immure.auditlog.canonical import canonical, parse_canonical
from immure.auditlog.checkpoint import parse_checkpoint
from immure.auditlog.entry import parse_entry
from immure.auditlog.keyfile import parse_key
from immure.auditlog.note import NoteKey, parse_note
from immure.auditlog.prooffile import parse_proof, prove
from immure.errors import LogError

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.auditlog.helpers import KEY, SIGNER, make_log

with tempfile.TemporaryDirectory() as directory:
    LOG = make_log(Path(directory), 7)
    ENTRIES = list(LOG.entries())
    PROOFS = [prove(LOG, index).to_bytes() for index in (0, 3, 6)]
NOTE = LOG.checkpoint().note


def check_auditlog(data: bytes) -> None:
    """Whatever comes is refused, or is what it says; what verifies was signed."""
    for check in (check_note, check_key, check_json, check_proof):
        with contextlib.suppress(LogError):
            check(data)


def check_note(data: bytes) -> None:
    note = parse_note(data)
    assert note.text.endswith("\n")
    assert note.signatures
    state = parse_checkpoint(data)
    assert state.text == note.text
    state.verify(KEY)
    assert state == LOG.checkpoint()


def check_key(data: bytes) -> None:
    key = parse_key(data)
    assert len(key.public_key if isinstance(key, NoteKey) else key) == 32


def check_json(data: bytes) -> None:
    assert canonical(parse_canonical(data)) == data
    entry = parse_entry(data, index=3)
    assert entry.to_line() == data


def check_proof(data: bytes) -> None:
    proof = parse_proof(data)
    assert proof.to_bytes() == data
    assert proof.verify(KEY) == ENTRIES[proof.proof.index]


if __name__ == "__main__":
    vkey = KEY.to_vkey().encode()
    seeds = [
        NOTE,
        *PROOFS,
        vkey,
        *(entry.to_line() for entry in ENTRIES),
        SIGNER.public_key,
        b"[" * 40 + b"]" * 40,
    ]
    run(check_auditlog, seeds)
