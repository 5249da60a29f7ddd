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


@pytest.mark.parametrize(
    ("token", "given"),
    [
        (BOUND, {}),
        (BOUND, {"certificate": b"another"}),
        (BOUND, {"proof": DIGEST}),
        (PROVED, {}),
        (PROVED, {"proof": DIGEST[:-1] + "A"}),
        (PROVED, {"certificate": CERTIFICATE}),
        (Mint().token(cnf={"jkt": DIGEST, "x5t#S256": DIGEST}), {"proof": DIGEST}),
        (Mint().token(cnf={"jkt": DIGEST, "jwk": {}}), {"proof": DIGEST}),
    ],
)
def test_no_other(token, given):
    with pytest.raises(ConfirmationError):
        validator().validate(token, **given)


def test_a_policy_may_ignore_it():
    assert validator(confirmation="ignored").validate(BOUND)
