"""Checkpoints of the audit log, signed by keys in custody."""

from __future__ import annotations

import pytest

from custody.softhsm import PIN
from immure.auditlog import AuditLog, verify_log
from immure.custody import open_signer
from immure.custody.note_signer import NoteSigner
from immure.errors import SignerError

from . import keys

NAME = "logs.example/gate"


def log_and_verify(signer, directory):
    note = NoteSigner(NAME, signer)
    assert (note.name, len(note.public_key)) == (NAME, 32)
    assert keys.holds(signer.public.to_jwk(), "EdDSA", b"message", note.sign(b"message"))
    log = AuditLog.create(directory / "log", origin=NAME, signer=note)
    log.append("gate.deny", {"rule": "expired"})
    assert verify_log(directory / "log", public_key=note.public_key).checkpoint.size == 1


def test_a_key_in_a_file(directory):
    path = keys.write_key(directory / "key", keys.private_bytes("Ed25519"))
    with open_signer(f"file:{path}") as signer:
        log_and_verify(signer, directory)


def test_a_key_on_a_token(directory, token):
    with open_signer(token.uri("ed"), pin=PIN) as signer:
        log_and_verify(signer, directory)


@pytest.mark.parametrize("kind", ["P-256", "RSA-2048"])
def test_other_kinds_of_keys_do_not_sign_checkpoints(directory, kind):
    path = keys.write_key(directory / "key", keys.private_bytes(kind))
    with (
        open_signer(f"file:{path}") as signer,
        pytest.raises(SignerError, match=f"checkpoints need Ed25519, not {kind}"),
    ):
        NoteSigner(NAME, signer)
