"""Tokens that are bound to a key of their holder (RFC 8705, RFC 9449), at a guard."""

from __future__ import annotations

import hashlib

import pytest

from immure.integrations.bearer import Refusal
from immure.keymaterial.key import b64url
from immure.tokens.dpop import ProofChecker
from integrations.asking import outcome, request
from integrations.doors import BOUND, bearer, bound, guard, proof
from tokens.minting import CHAT, MAIL, NOW, Mint, validator


def test_a_proof_is_taken_once():
    door, headers = guard(), bound(proof())
    assert outcome(door, request(headers=headers)).subject == "mailbox-7"
    assert outcome(door, request(headers=headers)).rule == "dpop-proof"


def test_only_a_genuine_token_makes_us_remember_a_proof():
    checker = ProofChecker(time=lambda: NOW)
    door = guard(proofs=checker)
    thief = Mint(key="Ed25519:consumer").token(cnf={"jkt": "A" * 43})
    for token in ("garbage", "a.b.c", thief, Mint().token(cnf={"jkt": "A" * 43}, exp=1)):
        assert outcome(door, request(headers=bound(proof(token), token=token))).status == 401
    assert not checker._seen


def test_without_proofs_there_is_no_dpop():
    got = outcome(guard(proofs=None), request(headers=bound(proof())))
    assert (got.status, got.rule) == (401, "token-absent")
    assert "DPoP" not in got.headers[0][1]


@pytest.mark.parametrize(
    ("origin", "url", "status"),
    [
        pytest.param(MAIL, "http://10.0.0.7:8000", 200, id="behind-a-proxy"),
        pytest.param(None, MAIL, 200, id="what-the-request-says"),
        pytest.param(None, "http://10.0.0.7:8000", 401, id="which-is-wrong-behind-a-proxy"),
        pytest.param(CHAT, MAIL, 401, id="proof-for-another-host-and-a-forged-one"),
        pytest.param(MAIL, "https://[x", 401, id="malformed"),
        pytest.param(None, "https://[x", 401, id="malformed-without-origin"),
    ],
)
def test_the_address_that_a_proof_is_for(origin, url, status):
    got = outcome(guard(origin=origin), request(headers=bound(proof()), url=url))
    assert (got.status if isinstance(got, Refusal) else 200) == status


@pytest.mark.parametrize(
    ("shown", "rule"), [(b"der", None), (b"another", "token-confirmation"), (None, "token-confirmation")]
)
def test_certificates(shown, rule):
    token = Mint().token(cnf={"x5t#S256": b64url(hashlib.sha256(b"der").digest())})
    got = outcome(guard(), request(headers=bearer(token), certificate=shown))
    assert (got.rule if isinstance(got, Refusal) else None) == rule


def test_a_token_bound_both_ways_needs_both():
    both = {"x5t#S256": b64url(hashlib.sha256(b"der").digest()), "jkt": _thumbprint()}
    token = Mint().token(cnf=both)
    for headers, shown, good in (
        (bound(proof(token), token=token), b"der", True),
        (bound(proof(token), token=token), None, False),
        (bearer(token), b"der", False),
    ):
        got = outcome(guard(), request(headers=headers, certificate=shown))
        assert isinstance(got, Refusal) != good


def _thumbprint():
    return validator().validate(BOUND, proof=_proved())["cnf"]["jkt"]


def _proved():
    return ProofChecker(time=lambda: NOW).verify(proof(), method="GET", url=MAIL + "/me", token=BOUND)
