"""Verifying: every reason for a refusal, and that nothing altered is ever taken for what was signed."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from immure.attest.clearance import CLEARANCE_V1
from immure.attest.envelope import parse_envelope
from immure.attest.predicates import PREDICATES
from immure.attest.reasons import Reason
from immure.attest.sign import add_signature, sign_envelope, sign_statement
from immure.attest.statement import Digest
from immure.attest.trust import TrustedKey
from immure.attest.verify import verify_envelope, verify_release
from immure.errors import AttestationError

from .samples import (
    BYTES,
    DIGEST,
    at,
    changed,
    clearance,
    clock,
    envelope,
    full,
    signed,
    signer,
    statement_json,
    trusted,
)

KINDS = ("Ed25519", "P-256", "P-384", "RSA-2048")
ED = trusted()


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_signed_is_verified(kind):
    verified = verify_envelope(envelope(kind), [trusted(kind)], now=clock)
    assert verified.clearance == clearance()
    assert verified.statement == clearance().statement("app.core", DIGEST.sha256)
    assert verified.keys == (trusted(kind),)
    assert verified.thumbprints == (signer(kind).thumbprint,)


def test_rs256_only_where_it_is_trusted():
    data = sign_statement(clearance().statement("x", DIGEST.sha256), signer("RSA-2048", "RS256"))
    verify_envelope(data, [trusted("RSA-2048", "RS256")], now=clock)
    verify_envelope(data, [trusted("RSA-2048"), trusted("RSA-2048", "RS256")], now=clock)
    with pytest.raises(AttestationError, match=Reason.BAD_SIGNATURE):
        verify_envelope(data, [trusted("RSA-2048")], now=clock)


def wrong_signature(value: Any) -> None:
    value["signatures"][0]["sig"] = "A" * 86 + "=="


def with_predicate(**changes: Any) -> bytes:
    return signed(statement_json(predicate=full() | changes))


REFUSED = {
    "nothing": (b"", Reason.NOT_JSON),
    "a name twice": (envelope().replace(b'{"payload"', b'{"payload":"","payload"', 1), Reason.DUPLICATE),
    "no envelope": (b"[]", Reason.NOT_ENVELOPE),
    "a bare statement": (json.dumps(statement_json()).encode(), Reason.NOT_ENVELOPE),
    "no base64": (changed(envelope(), lambda value: value.update(payload="?")), Reason.NOT_BASE64),
    "another payload type": (signed(b"{}", "application/json"), Reason.PAYLOAD_TYPE),
    "payload type of another case": (signed(b"{}", "application/vnd.in-toto+JSON"), Reason.PAYLOAD_TYPE),
    "another key": (envelope("P-256"), Reason.UNTRUSTED),
    "another key's name": (
        changed(envelope(), lambda value: value["signatures"][0].update(keyid="x")),
        Reason.UNTRUSTED,
    ),
    "wrong bytes under the right name": (changed(envelope(), wrong_signature), Reason.BAD_SIGNATURE),
    "the other's signature under the right name": (
        changed(envelope("P-256"), lambda value: value["signatures"][0].update(keyid=ED.thumbprint)),
        Reason.BAD_SIGNATURE,
    ),
    "a good and a wrong one": (
        changed(envelope("Ed25519", "P-256"), wrong_signature),
        Reason.BAD_SIGNATURE,
    ),
    "payload that is no JSON": (signed(b"not JSON"), Reason.NOT_JSON),
    "payload with a name twice": (signed(b'{"_type":"","_type":""}'), Reason.DUPLICATE),
    "payload that is no statement": (signed(b"{}"), Reason.NOT_STATEMENT),
    "an older statement": (
        signed(statement_json(_type="https://in-toto.io/Statement/v0.1")),
        Reason.NOT_STATEMENT,
    ),
    "no subject": (signed(statement_json(subject=[])), Reason.NO_SUBJECT),
    "no digest": (signed(statement_json(subject=[{"name": "x"}])), Reason.SUBJECT_DIGEST),
    "digest in upper case": (
        signed(statement_json(subject=[{"digest": {"sha256": DIGEST.sha256.upper()}}])),
        Reason.SUBJECT_DIGEST,
    ),
    "two subjects": (
        signed(statement_json(subject=[{"digest": {"sha256": DIGEST.sha256}}] * 2)),
        Reason.PREDICATE,
    ),
    "another predicate": (
        signed(statement_json(predicateType="https://slsa.dev/provenance/v1")),
        Reason.PREDICATE_TYPE,
    ),
    "a later version": (
        signed(statement_json(predicateType="https://immure.example/predicates/clearance/v2")),
        Reason.PREDICATE_VERSION,
    ),
    "a version that looks alike": (
        signed(statement_json(predicateType=CLEARANCE_V1 + " ")),
        Reason.PREDICATE_VERSION,
    ),
    "a member too many": (with_predicate(more=1), Reason.PREDICATE),
    "no end": (
        signed(statement_json(predicate={k: v for k, v in full().items() if k != "expires"})),
        Reason.PREDICATE,
    ),
    "not yet": (with_predicate(issued="2026-11-25T12:01:01Z"), Reason.NOT_YET),
    "no longer": (with_predicate(expires="2026-11-25T11:58:59Z"), Reason.EXPIRED),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    data, reason = REFUSED[name]
    with pytest.raises(AttestationError) as caught:
        verify_envelope(data, [ED], now=clock)
    assert caught.value.reason.split(": ")[0] == reason
    assert caught.value.code == "attestation"


def test_every_reason_is_tested():
    seen = {reason for _, reason in REFUSED.values()}
    elsewhere = {Reason.TOO_LARGE, Reason.TOO_FEW, Reason.OTHER_BYTES, Reason.NOT_CLEARED}
    assert seen | elsewhere == set(Reason)


def test_nobody_is_trusted():
    with pytest.raises(AttestationError, match=Reason.UNTRUSTED):
        verify_envelope(envelope(), [], now=clock)


def test_predicates_must_be_wanted():
    with pytest.raises(AttestationError, match=Reason.PREDICATE_VERSION):
        verify_envelope(envelope(), [ED], predicate_types=(), now=clock)
    assert tuple(PREDICATES) == (CLEARANCE_V1,)


@pytest.mark.parametrize(
    ("clock", "reason"),
    [
        (at(hours=-1), None),
        (at(hours=-1, seconds=-60), None),
        (at(hours=-1, seconds=-61), Reason.NOT_YET),
        (at(days=7, hours=-1), None),
        (at(days=7, hours=-1, seconds=60), None),
        (at(days=7, hours=-1, seconds=60, microseconds=1), Reason.EXPIRED),
        (at(days=-10000), Reason.NOT_YET),
        (at(days=10000), Reason.EXPIRED),
    ],
)
def test_the_time(clock, reason):
    if reason is None:
        verify_envelope(envelope(), [ED], now=clock)
    else:
        with pytest.raises(AttestationError, match=f"^{reason}: it h"):
            verify_envelope(envelope(), [ED], now=clock)


def test_the_ends_of_the_calendar():
    data = with_predicate(issued="0001-01-01T00:00:00Z", expires="9999-12-31T23:59:59Z")
    verify_envelope(data, [ED], now=clock)


def test_signatures_of_others_are_passed_over():
    verified = verify_envelope(envelope("P-256", "Ed25519", "P-384"), [ED], now=clock)
    assert verified.keys == (ED,)


@pytest.mark.parametrize("keyid", [None, ""])
@pytest.mark.parametrize("kind", KINDS)
def test_a_signature_without_a_name_is_tried_with_every_key(keyid, kind):
    def unname(value: Any) -> None:
        value["signatures"][0].pop("keyid")
        if keyid is not None:
            value["signatures"][0]["keyid"] = keyid

    data = changed(envelope(kind), unname)
    assert verify_envelope(data, [trusted(other) for other in KINDS], now=clock).keys == (trusted(kind),)
    with pytest.raises(AttestationError, match=Reason.UNTRUSTED):
        verify_envelope(data, [trusted(other) for other in KINDS if other != kind], now=clock)


@pytest.mark.parametrize(
    ("signers", "threshold", "enough"),
    [
        (("Ed25519",), 1, True),
        (("Ed25519",), 2, False),
        (("Ed25519", "P-256"), 2, True),
        (("Ed25519", "P-384"), 2, False),
        (("P-384", "Ed25519", "P-256"), 2, True),
        (("Ed25519", "P-256"), 3, False),
    ],
)
def test_thresholds(signers, threshold, enough):
    keys = [trusted("Ed25519"), trusted("P-256")]
    if enough:
        assert (
            len(verify_envelope(envelope(*signers), keys, threshold=threshold, now=clock).keys) >= threshold
        )
    else:
        with pytest.raises(AttestationError, match=f"^{Reason.TOO_FEW}: [12] of {threshold}$"):
            verify_envelope(envelope(*signers), keys, threshold=threshold, now=clock)


def test_one_key_counts_once():
    def again(value: Any) -> None:
        value["signatures"] += [{"sig": value["signatures"][0]["sig"]}] * 3

    with pytest.raises(AttestationError, match=f"^{Reason.TOO_FEW}: 1 of 2$"):
        verify_envelope(changed(envelope(), again), [ED, ED], threshold=2, now=clock)


@pytest.mark.parametrize("threshold", [0, -1])
def test_a_threshold_of_nobody_is_a_mistake_of_the_caller(threshold):
    with pytest.raises(ValueError, match="below 1"):
        verify_envelope(envelope(), [ED], threshold=threshold, now=clock)


@pytest.mark.parametrize(
    ("begin", "end", "valid"),
    [
        (-1, 1, True),
        (1, 2, False),
        (-2, -1, False),
        (0, None, True),
        (None, 0, True),
        (1, None, False),
        (None, -1, False),
    ],
)
def test_keys_are_trusted_in_their_own_time(begin, end, valid):
    moments = {
        name: None if days is None else clock() + timedelta(days=days)
        for name, days in (("not_before", begin), ("not_after", end))
    }
    key = TrustedKey(replace(ED.public, origin=replace(ED.public.origin, **moments)), ED.algorithm)
    if valid:
        verify_envelope(envelope(), [key], now=clock)
    else:
        with pytest.raises(AttestationError, match=Reason.UNTRUSTED):
            verify_envelope(envelope(), [key], now=clock)


def test_further_signatures():
    data = add_signature(envelope(), signer("P-256"))
    keys = [ED, trusted("P-256")]
    assert verify_envelope(data, keys, threshold=2, now=clock).keys == tuple(keys)
    assert parse_envelope(data).payload == parse_envelope(envelope()).payload
    with pytest.raises(AttestationError, match="has signed it already"):
        add_signature(data, signer("P-256"))
    for what in (signed(b"{}"), signed(b"{}", "application/json"), b"{}"):
        with pytest.raises(AttestationError):
            add_signature(what, signer("P-256"))


def test_what_no_verifier_would_take_is_not_signed():
    statement = clearance().statement("x", "no digest")
    with pytest.raises(AttestationError, match=Reason.SUBJECT_DIGEST):
        sign_statement(statement, signer())
    broken = replace(clearance(), source=replace(clearance().source, size=-1)).statement("x", DIGEST.sha256)
    with pytest.raises(AttestationError, match=r"source\.size is not an integer"):
        sign_statement(broken, signer())
    with pytest.raises(AttestationError, match="nobody signs it"):
        sign_envelope(replace(parse_envelope(envelope()), signatures=()))


# --- the bytes ---


def test_the_bytes_that_are_cleared():
    stream = io.BytesIO(BYTES)
    stream.seek(7)
    for released in (stream, DIGEST):
        assert verify_release(envelope(), released, [ED], now=clock).clearance == clearance()
    assert stream.tell() == 0


@pytest.mark.parametrize("at", [0, len(BYTES) // 2, len(BYTES) - 1])
def test_other_bytes(at):
    other = bytearray(BYTES)
    other[at] ^= 1
    for data in (bytes(other), BYTES + b"\0", BYTES[:-1], b""):
        with pytest.raises(AttestationError, match=Reason.OTHER_BYTES):
            verify_release(envelope(), io.BytesIO(data), [ED], now=clock)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"dump": {"format": "x", "codec": None, "size": DIGEST.size + 1}}, Reason.OTHER_BYTES),
        ({"proof": full()["proof"] | {"holds": False}}, Reason.NOT_CLEARED),
        ({"decision": {"policy": "0" * 64, "allowed": False, "rules": []}}, Reason.NOT_CLEARED),
        ({"expires": "2026-11-25T11:30:00Z"}, Reason.EXPIRED),
    ],
)
def test_signed_and_yet_no_clearance(changes, reason):
    with pytest.raises(AttestationError, match=reason):
        verify_release(with_predicate(**changes), DIGEST, [ED], now=clock)


def test_a_name_that_is_the_same_is_no_reason():
    data = signed(statement_json(subject=[{"name": "app.core", "digest": {"sha256": "0" * 64}}]))
    with pytest.raises(AttestationError, match=Reason.OTHER_BYTES):
        verify_release(data, Digest(DIGEST.sha256, DIGEST.size), [ED], now=clock)


# --- properties ---

MUTATIONS = st.tuples(
    st.sampled_from(["change", "cut", "insert", "double"]), st.integers(0, 1 << 20), st.integers(1, 255)
)


def mutated(data: bytes, mutation: tuple[str, int, int]) -> bytes:
    kind, place, value = mutation
    place %= len(data)
    if kind == "change":
        return data[:place] + bytes([data[place] ^ value]) + data[place + 1 :]
    if kind == "cut":
        return data[:place] + data[place + value :]
    if kind == "insert":
        return data[:place] + bytes([value]) + data[place:]
    return data[: place + value] + data[place:]


def verdict(data: bytes, kind: str) -> Any:
    try:
        return verify_envelope(data, [trusted(kind)], now=clock).statement
    except AttestationError:
        return None


@settings(max_examples=600, deadline=None)
@given(kind=st.sampled_from(["Ed25519", "P-256"]), mutation=MUTATIONS)
def test_an_altered_envelope_is_refused_or_says_the_same(kind, mutation):
    data = envelope(kind)
    said = verdict(data, kind)
    assert said is not None
    assert verdict(mutated(data, mutation), kind) in (None, said)


@settings(max_examples=300, deadline=None)
@given(mutation=MUTATIONS)
def test_an_altered_payload_is_refused(mutation):
    whole = parse_envelope(envelope())
    payload = mutated(whole.payload, mutation)
    if payload != whole.payload:
        assert verdict(replace(whole, payload=payload).to_bytes(), "Ed25519") is None


@settings(max_examples=100, deadline=None)
@given(mutation=MUTATIONS)
def test_an_altered_payload_that_is_signed_raises_nothing_else(mutation):
    payload = mutated(parse_envelope(envelope()).payload, mutation)
    verdict(signed(payload), "Ed25519")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inside: (
        st.lists(inside, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["payload", "payloadType", "signatures", "sig", "_type", "subject", "predicate", "x"]
            ),
            inside,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(JSON)
def test_any_json_raises_nothing_else(value):
    data = json.dumps(value).encode()
    assert verdict(data, "Ed25519") is None
    assert verdict(signed(data), "Ed25519") is None


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_raise_nothing_else(data):
    assert verdict(data, "Ed25519") is None
