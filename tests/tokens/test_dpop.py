"""Proofs of possession: for this request, this token, this moment, once."""

from __future__ import annotations

import hashlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from immure.keymaterial.key import b64url
from immure.tokens.dpop import ProofChecker
from immure.tokens.errors import ProofError
from tokens.minting import NOW, Mint, T, jwk, key_set, sealed, validator

URL = "https://mail.example/inbox"
KEY = {name: value for name, value in jwk("ES256:client").items() if name in ("kty", "crv", "x", "y")}
THUMBPRINT = key_set(KEY).keys[0].key.thumbprint
TOKEN = Mint().token(cnf={"jkt": THUMBPRINT})


def proof(key="ES256:client", alg="ES256", header=None, **changes):
    head = {"typ": "dpop+jwt", "alg": alg, "jwk": KEY} | (header or {})
    claims = {
        "jti": "1", "htm": "GET", "htu": URL, "iat": T,
        "ath": b64url(hashlib.sha256(TOKEN.encode()).digest()),
    } | changes  # fmt: skip
    return sealed(json.dumps(head).encode(), json.dumps(claims).encode(), key, alg)


def check(made, checker=None, url=URL):
    return (checker or ProofChecker(time=lambda: NOW)).verify(made, method="GET", url=url, token=TOKEN)


def test_a_proof_lets_its_token_in():
    assert validator().validate(TOKEN, proof=check(proof())).subject == "mailbox-7"


@pytest.mark.parametrize("url", [URL + "?q=1", URL + "#x", "https://MAIL.example:443/inbox"])
def test_the_same_address(url):
    assert check(proof(), url=url) == THUMBPRINT


REFUSED = [
    pytest.param("", id="nothing"),
    pytest.param(proof(key="ES256:thief"), id="signature-of-another"),
    pytest.param(proof(header={"typ": "JWT"}), id="typ"),
    pytest.param(proof(header={"typ": None}), id="no-typ"),
    pytest.param(proof(header={"alg": "none"}), id="alg-none"),
    pytest.param(proof(header={"alg": "HS256"}), id="alg-symmetric"),
    pytest.param(proof(header={"alg": 1}), id="alg-a-number"),
    pytest.param(proof(header={"jwk": None}), id="no-key"),
    pytest.param(proof(header={"jwk": {"kty": "oct", "k": "AA"}}), id="symmetric-key"),
    pytest.param(proof(header={"jwk": {**KEY, "d": "AA"}}), id="private-key"),
    pytest.param(proof(header={"jwk": {**KEY, "x": "AA"}}), id="no-point"),
    pytest.param(proof(header={"crit": ["x"]}), id="crit"),
    pytest.param(proof(htm="POST"), id="method"),
    pytest.param(proof(htu="https://mail.example/outbox"), id="address"),
    pytest.param(proof(htu="http://mail.example/inbox"), id="scheme"),
    pytest.param(proof(htu="https://[x"), id="address-malformed"),
    pytest.param(proof(htu=7), id="address-a-number"),
    pytest.param(proof(ath="AA"), id="token"),
    pytest.param(proof(ath=None), id="no-token"),
    pytest.param(proof(iat=T - 61), id="old"),
    pytest.param(proof(iat=T + 6), id="of-the-future"),
    pytest.param(proof(iat=str(T)), id="time-a-text"),
    pytest.param(proof(jti=None), id="no-id"),
]


@pytest.mark.parametrize("made", REFUSED)
def test_it_is_refused(made):
    with pytest.raises(ProofError):
        check(made)


def test_none_is_taken_twice():
    checker = ProofChecker(time=lambda: NOW)
    assert check(proof(), checker)
    with pytest.raises(ProofError):
        check(proof(), checker)
    assert check(proof(jti="2"), checker)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=80) | st.text(max_size=80))
def test_garbage(made):
    with pytest.raises(ProofError):
        check(made)
