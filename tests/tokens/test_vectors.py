"""The signed examples of the RFCs: public keys and tokens, as printed there."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from immure.keymaterial.key import b64url
from immure.tokens import jws
from immure.tokens.algorithms import ALGORITHMS
from immure.tokens.check import AllOf
from immure.tokens.checks import HasClaims, NotExpired, WithinKeyScope
from immure.tokens.errors import AlgorithmError, ExpiredError, SignatureError, TokenError
from immure.tokens.keyset import KeySet
from immure.tokens.parse import parse_header, parse_signature, split_token
from immure.tokens.policy import IssuerRule, Policy
from immure.tokens.prepared import PreparedKey
from immure.tokens.source import KeySource
from immure.tokens.sources.static import StaticSource
from immure.tokens.validator import Validator
from tokens.minting import key_set

VECTORS = json.loads(Path(__file__).with_name("rfc_vectors.json").read_text())
NOT_TAKEN = json.loads(Path(__file__).with_name("rfc_not_taken.json").read_text())
BEFORE = datetime(2011, 3, 22, 18, 0, tzinfo=UTC)
each = pytest.mark.parametrize("vector", [pytest.param(one, id=one["name"]) for one in VECTORS])


@each
def test_the_signature_holds_and_no_other_does(vector):
    signed, head, _, last = split_token(vector["token"])
    signature = parse_signature(last)
    key = PreparedKey(key_set(vector["jwk"]).find(None))
    key.check_usable()
    holds = key.check_algorithm(parse_header(head).alg, frozenset())
    assert holds(signature, signed)
    assert not holds(signature, signed + b"A")
    assert not holds(signature[:-1], signed)
    assert not holds(signature + b"\0", signed)
    assert not holds(bytes(len(signature)), signed)
    assert not holds(signature[:-1] + bytes([signature[-1] ^ 1]), signed)


@each
def test_as_a_signed_text(vector):
    keys = KeySet.from_jwks(vector["jwk"], vector["name"])
    header, payload = jws.verify(vector["token"], keys)
    assert header.alg in ALGORITHMS
    assert b64url(payload) == vector["token"].split(".")[1]
    with pytest.raises(AlgorithmError):
        jws.verify(vector["token"], keys, algorithms=ALGORITHMS - {header.alg})


@pytest.mark.parametrize("row", [pytest.param(one, id=one["name"]) for one in NOT_TAKEN])
def test_what_is_not_taken(row):
    """Printed as right in their RFCs (but for appendix E), and not signed with a private key."""
    text, code = row["text"], row["code"]
    with pytest.raises(TokenError) as caught:
        jws.verify(text, Only(key_set(VECTORS[0]["jwk"]).keys[0]))
    assert caught.value.code == code
    one = Validator(Policy({"joe": IssuerRule(Only(key_set(VECTORS[0]["jwk"]).keys[0]), "workload")}, {}))
    with pytest.raises(TokenError):
        one.validate(text, now=BEFORE)


class Only(KeySource):
    """One key, whatever is asked for."""

    def __init__(self, key):
        self.key = key

    def find(self, kid):
        return self.key


@pytest.mark.parametrize("vector", VECTORS[:2], ids=lambda vector: vector["name"])
def test_those_with_claims_are_validated(vector):
    source = StaticSource(key_set(vector["jwk"], issuer="joe"))
    rule = IssuerRule(source, "workload")
    check = AllOf(WithinKeyScope(), NotExpired(), HasClaims())  # they have no audience
    one = Validator(Policy({"joe": rule}, {}, check=check))
    assert one.validate(vector["token"], now=BEFORE)["http://example.com/is_root"] is True
    with pytest.raises(ExpiredError):
        one.validate(vector["token"])
    head, payload, signature = vector["token"].split(".")
    with pytest.raises(SignatureError):
        one.validate(f"{head}.{payload}.{signature[::-1].replace('==', '')[:-2]}AA", now=BEFORE)
