"""The signed examples of the RFCs: public keys and tokens, as printed there."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from immure.tokens.check import AllOf
from immure.tokens.checks import HasClaims, NotExpired, WithinKeyScope
from immure.tokens.errors import ExpiredError, SignatureError
from immure.tokens.parse import parse_header, parse_signature, split_token
from immure.tokens.policy import IssuerRule, Policy
from immure.tokens.prepared import PreparedKey
from immure.tokens.sources.static import StaticSource
from immure.tokens.validator import Validator
from tokens.minting import key_set

VECTORS = json.loads(Path(__file__).with_name("rfc_vectors.json").read_text())
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
