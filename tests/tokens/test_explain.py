"""Explanations: every rule, also behind the first that is broken, and never a yes to what is refused."""

from __future__ import annotations

import hashlib
import json

import pytest

from immure.tokens.explain import Outcome, explain
from tokens.minting import MAIL, Mint, T, jwk, validator

GOOD = Mint().token()
STOLEN = Mint(key="Ed25519:consumer").token(exp=T - 999, iat=T - 1999, aud="https://other.example")


def failures(made):
    return [row.code for row in made.rows if row.outcome is Outcome.FAIL]


OTHER_SIGNATURE = GOOD[:-2] + ("AA" if GOOD[-2:] != "AA" else "BA")


def test_of_a_good_token_every_rule_passes():
    made = explain(validator(), GOOD, audience=MAIL)
    assert made.accepted
    assert {row.outcome for row in made.rows} == {Outcome.PASS}
    assert len(made.rows) == 25
    assert made.digest == hashlib.sha256(GOOD.encode()).hexdigest()


def test_it_goes_on_behind_the_first_failure():
    made = explain(validator(), STOLEN)
    assert not made.accepted
    assert made.code == "key-issuer"
    assert failures(made) == ["key-issuer", "token-audience", "token-expired"]


@pytest.mark.parametrize(
    ("token", "code", "asked"),
    [
        pytest.param("", "token-form", 1, id="nothing"),
        pytest.param("\ud800", "token-form", 1, id="half-a-character"),
        pytest.param("!" + GOOD, "token-base64", 6, id="no-header"),
        pytest.param(OTHER_SIGNATURE, "token-signature", 25, id="signature"),
        pytest.param(Mint().token(iss="x"), "token-issuer", 6, id="issuer"),
        pytest.param(Mint().token(exp="x"), "claim-type", 11, id="type"),
        pytest.param(Mint(key="Ed448").token(), "key-unknown", 7, id="key"),
    ],
)
def test_what_cannot_be_asked_is_not(token, code, asked):
    made = explain(validator(), token)
    assert (made.accepted, made.code) == (False, code)
    assert sum(row.outcome is not Outcome.NOT_ASKED for row in made.rows) == asked


def test_neither_token_nor_signature_is_in_it():
    for token in (GOOD, STOLEN, GOOD[:-2] + "AA"):
        made = explain(validator(), token)
        text = json.dumps(made.to_json()) + repr(made)
        assert not any(part in text for part in token.split("."))


def test_a_revoked_key_is_said_to_be_one():
    made = explain(validator(jwk("Ed25519", revoked={})), GOOD)
    assert failures(made) == ["key-state"]
    assert made.code == "key-state"
