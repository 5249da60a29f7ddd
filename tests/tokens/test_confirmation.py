"""Tokens that are bound to a key of their holder."""

from __future__ import annotations

import hashlib

import pytest

from immure.keymaterial.key import b64url
from immure.tokens.errors import ConfirmationError
from tokens.minting import Mint, validator

CERTIFICATE = b"DER of the client's certificate"
DIGEST = b64url(hashlib.sha256(CERTIFICATE).digest())
BOUND = Mint().token(cnf={"x5t#S256": DIGEST})
PROVED = Mint().token(cnf={"jkt": DIGEST})


def test_the_right_certificate():
    assert validator().validate(BOUND, certificate=CERTIFICATE)
    assert validator(confirmation="required").validate(BOUND, certificate=CERTIFICATE)


def test_the_right_proof():
    assert validator().validate(PROVED, proof=DIGEST)


REFUSED = [
    ("certificate-none", BOUND, {}),
    ("certificate-another", BOUND, {"certificate": b"another"}),
    ("certificate-but-a-proof", BOUND, {"proof": DIGEST}),
    ("proof-none", PROVED, {}),
    ("proof-another", PROVED, {"proof": DIGEST[:-1] + "A"}),
    ("proof-but-a-certificate", PROVED, {"certificate": CERTIFICATE}),
    ("proof-alone-of-both", Mint().token(cnf={"jkt": DIGEST, "x5t#S256": DIGEST}), {"proof": DIGEST}),
    ("beside-an-unknown-way", Mint().token(cnf={"jkt": DIGEST, "jwk": {}}), {"proof": DIGEST}),
]


@pytest.mark.parametrize(("token", "given"), [pytest.param(*row[1:], id=row[0]) for row in REFUSED])
def test_no_other(token, given):
    with pytest.raises(ConfirmationError):
        validator().validate(token, **given)


def test_a_policy_may_ignore_it():
    assert validator(confirmation="ignored").validate(BOUND)
