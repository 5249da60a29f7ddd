"""An independent implementation of DSSE and in-toto signatures verifies our envelopes, and we verify its."""

from __future__ import annotations

import json

import pytest

from custody.keys import key
from immure.attest.envelope import PAYLOAD_TYPE, pae, parse_envelope
from immure.attest.reasons import Reason
from immure.attest.verify import verify_envelope
from immure.errors import AttestationError

from .samples import clearance, clock, envelope, signer, statement_json, trusted

dsse = pytest.importorskip("securesystemslib.dsse")
peer = pytest.importorskip("securesystemslib.signer")
exceptions = pytest.importorskip("securesystemslib.exceptions")

SCHEMES = {
    ("Ed25519", "EdDSA"): "ed25519",
    ("P-256", "ES256"): "ecdsa-sha2-nistp256",
    ("P-384", "ES384"): "ecdsa-sha2-nistp384",
    ("RSA-2048", "PS256"): "rsassa-pss-sha256",
    ("RSA-2048", "RS256"): "rsa-pkcs1v15-sha256",
}


def peer_key(kind, algorithm):
    scheme = SCHEMES[kind, algorithm]
    return peer.SSlibKey.from_crypto(key(kind).public_key(), signer(kind).thumbprint, scheme)


@pytest.mark.parametrize(("kind", "algorithm"), SCHEMES)
def test_it_verifies_ours(kind, algorithm):
    from immure.attest.sign import sign_statement

    data = sign_statement(clearance().statement("app.core", "ab" * 32), signer(kind, algorithm))
    theirs = dsse.Envelope.from_dict(json.loads(data))
    assert list(theirs.verify([peer_key(kind, algorithm)], 1)) == [signer(kind).thumbprint]
    assert theirs.payload == parse_envelope(data).payload
    assert theirs.pae() == pae(PAYLOAD_TYPE, parse_envelope(data).payload)
    theirs.payload += b" "
    with pytest.raises(exceptions.VerificationError):
        theirs.verify([peer_key(kind, algorithm)], 1)


@pytest.mark.parametrize(("kind", "algorithm"), SCHEMES)
def test_we_verify_what_it_signed(kind, algorithm):
    payload = json.dumps(statement_json(), indent=3).encode()
    theirs = dsse.Envelope(payload, PAYLOAD_TYPE, {})
    theirs.sign(peer.CryptoSigner(key(kind), peer_key(kind, algorithm)))
    data = json.dumps(theirs.to_dict()).encode()
    assert verify_envelope(data, [trusted(kind, algorithm)], now=clock).clearance == clearance()
    theirs.payload += b" "
    with pytest.raises(AttestationError, match=Reason.BAD_SIGNATURE):
        verify_envelope(json.dumps(theirs.to_dict()).encode(), [trusted(kind, algorithm)], now=clock)


def test_several_signatures():
    theirs = dsse.Envelope.from_dict(json.loads(envelope("Ed25519", "P-256")))
    keys = [peer_key("Ed25519", "EdDSA"), peer_key("P-256", "ES256")]
    assert len(theirs.verify(keys, 2)) == 2
