"""The clearance: parser and JSON Schema agree, and what a schema cannot say."""

from __future__ import annotations

import json
import random
from datetime import datetime, timedelta, timezone
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from immure.attest import clearance_parts as parts
from immure.attest import clearance_proof as proofs
from immure.attest.clearance import Clearance, read_schema
from immure.attest.reasons import Reason
from immure.attest.statement import Digest
from immure.errors import AttestationError

from .samples import DIGEST, FULL, NOW, full

VALIDATOR = Draft202012Validator(read_schema())
#: What only the parser knows.
BEYOND_SCHEMA = ("is not a moment", "is not after issued", "although", "half of a surrogate pair")


def test_the_schema_is_one():
    Draft202012Validator.check_schema(read_schema())
    assert read_schema()["$id"] == "https://immure.example/schemas/clearance-1.json"


def test_the_sample_is_taken_by_both_and_comes_back():
    assert VALIDATOR.is_valid(FULL)
    assert Clearance.from_json(FULL).to_json() == FULL
    least = full() | {"not_searched": [], "findings": [], "redactions": [], "decision": None}
    assert VALIDATOR.is_valid(least)
    assert Clearance.from_json(least).to_json() == least


def paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a JSON value."""
    found = [path] if path else []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, inside in items:
        found += paths(inside, (*path, name))
    return found


PLACES = paths(FULL)


def found(path: tuple[Any, ...], whole: Any) -> Any:
    """What stands in that place."""
    for name in path:
        whole = whole[name]
    return whole


def put(path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    """The sample with another value in that place; ``...`` takes the member away."""
    whole = full()
    if value is ...:
        del found(path[:-1], whole)[path[-1]]
    else:
        found(path[:-1], whole)[path[-1]] = value
    return whole


def refusal_of(value: Any) -> str | None:
    try:
        Clearance.from_json(value)
    except AttestationError as error:
        reason = error.reason
    else:
        return None
    assert reason.startswith(Reason.PREDICATE)
    return reason


def assert_agreement(value: Any) -> None:
    refused = refusal_of(value)
    if refused is None or not any(words in refused for words in BEYOND_SCHEMA):
        assert VALIDATOR.is_valid(value) is (refused is None), refused


@pytest.mark.parametrize("path", PLACES, ids=lambda path: ".".join(map(str, path)))
def test_in_every_place_both_refuse_what_does_not_belong_there(path):
    wrong = [None, True, -1, 1 << 64, "", "x", "x" * 4097, [], {}, [None], {"more": 1}]
    for value in wrong:
        assert_agreement(put(path, value))
    assert sum(refusal_of(put(path, value)) is not None for value in wrong) >= 6
    if isinstance(path[-1], str):
        assert refusal_of(put(path, ...)).endswith(" is missing")
        assert not VALIDATOR.is_valid(put(path, ...))


OBJECTS = [(), *(path for path in PLACES if isinstance(found(path, FULL), dict))]


@pytest.mark.parametrize("path", OBJECTS, ids=lambda path: ".".join(map(str, path)) or "all")
def test_members_that_are_not_known_are_refused(path):
    whole = full()
    found(path, whole)["more"] = 1
    assert refusal_of(whole).endswith("more is not a known member")
    assert not VALIDATOR.is_valid(whole)


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("issued",), "2026-11-25T11:00:00+00:00", "issued is not a moment"),
        (("issued",), "2026-11-25 11:00:00Z", "issued is not a moment"),
        (("issued",), "2026-11-25T11:00:00Z\n", "issued is not a moment"),
        (("issued",), "2026-11-25T11:00:00.5Z", "issued is not a moment"),
        (("issued",), "٢٠٢٦-11-25T11:00:00Z", "issued is not a moment"),
        (("issued",), "2026-02-30T11:00:00Z", "issued is not a moment"),
        (("issued",), "2026-11-25T11:00:60Z", "issued is not a moment"),
        (("issued",), "0000-11-25T11:00:00Z", "issued is not a moment"),
        (("expires",), "2026-11-25T11:00:00Z", "expires is not after issued"),
        (("expires",), "2026-11-25T10:59:59Z", "expires is not after issued"),
        (("source", "sha256"), "0" * 64 + "\n", "source.sha256 is not a SHA-256"),
        (("source", "sha256"), "A" * 64, "source.sha256 is not a SHA-256"),
        (("source", "size"), 1 << 64, "source.size is not an integer"),
        (("source", "size"), True, "source.size is not an integer"),
        (("source", "size"), "1", "source.size is not an integer"),
        (("searched", "mode"), "slow", "searched.mode is none of quick, exhaustive"),
        (("searched", "keys", 0, "thumbprint"), "A" * 42, r"keys\[0\].thumbprint is not an RFC 7638"),
        (("searched", "keys", 0, "thumbprint"), "A" * 43 + "\n", r"keys\[0\].thumbprint is not an RFC 7638"),
        (("searched", "keys", 0, "kty"), "oct", r"keys\[0\].kty is none of RSA, EC, OKP"),
        (("searched", "keys", 0, "kid"), "\ud800", r"keys\[0\].kid holds half of a surrogate pair"),
        (("searched", "detectors"), ["x"] * 1001, "searched.detectors is not a list of at most 1000"),
        (("searched", "detectors", 0), "x" * 257, "searched.detectors.0 is not a text of 1 to 256"),
        (("findings", 0, "kind"), "guessed", r"findings\[0\].kind is none of"),
        (("redactions", 1, "key"), "", r"redactions\[1\].key is not an RFC 7638"),
        (("proof", "checks", 1, "status"), "failed", "proof.holds is true, although a check failed"),
        (
            ("proof", "checks", 0, "status"),
            "not done",
            "proof.holds is true, although a check failed or none",
        ),
        (("proof", "checks"), [], "proof.holds is true, although a check failed or none"),
        (("proof", "complete"), True, "proof.complete is true, although"),
        (
            ("proof", "residues", 0, "bounds", 0, "share_ppm"),
            1_000_001,
            "share_ppm is not an integer from 0 to 1000000",
        ),
        (("decision", "policy"), None, "decision.policy is not a SHA-256"),
    ],
)
def test_wrong_values(path, value, words):
    assert_agreement(put(path, value))
    with pytest.raises(AttestationError, match=words):
        Clearance.from_json(put(path, value))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("source", "size"), 0),
        (("source", "size"), (1 << 64) - 1),
        (("expires",), "9999-12-31T23:59:59Z"),
        (("issued",), "0001-01-01T00:00:00Z"),
        (("dump", "codec"), None),
        (("redactions", 0, "key"), None),
        (("findings", 0, "proof"), "\u202e\0\x1b[31m😀"),
        (("decision",), None),
        (("proof", "checks", 0, "detail"), "x" * 4096),
    ],
)
def test_right_values(path, value):
    whole = put(path, value)
    assert VALIDATOR.is_valid(whole)
    assert Clearance.from_json(whole).to_json() == whole


def test_proofs_may_fail_if_they_say_so():
    whole = put(("proof", "checks", 0, "status"), "failed")
    whole["proof"]["holds"] = False
    Clearance.from_json(whole)
    whole["proof"]["complete"] = True
    assert "although not every check" in refusal_of(whole)


def test_long_lists_are_refused_before_they_are_read():
    for name, most in (("not_searched", parts.MAX_RANGES), ("findings", parts.MAX_FINDINGS)):
        with pytest.raises(AttestationError, match=f"{name} is not a list of at most {most} elements"):
            Clearance.from_json(put((name,), [None] * (most + 1)))


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 1 << 65)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=9),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.text(max_size=5), inside, max_size=3),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None)
@given(path=st.sampled_from(PLACES), value=VALUES | st.sampled_from([put(path, None) for path in PLACES[:3]]))
def test_any_value_in_any_place_is_judged_alike_by_parser_and_schema(path, value):
    assert_agreement(put(path, value))


@settings(max_examples=150, deadline=None)
@given(VALUES)
def test_any_value_as_a_whole_is_judged_alike(value):
    assert_agreement(value)


TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
COUNT = st.integers(0, 9999) | st.integers(0, (1 << 64) - 1)
THUMBPRINTS = st.text("abcXYZ019-_", min_size=43, max_size=43)
DIGESTS = st.text("0123456789abcdef", min_size=64, max_size=64)
KEYS = st.builds(
    parts.KeyFacts, THUMBPRINTS, st.sampled_from(get_args(parts.KeyType)), st.none() | TEXT, st.none() | TEXT
)
PPM = st.integers(0, proofs.PPM)
CHECKS = st.builds(proofs.Check, TEXT, st.sampled_from(["not done", "failed", "ok"]), st.just("") | TEXT)


def several(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(strategy, max_size=3).map(tuple)


BOUNDS = st.builds(proofs.Bound, TEXT, PPM, PPM, PPM)
CLEARANCES = st.builds(
    Clearance,
    tool=st.builds(parts.Tool, TEXT, TEXT),
    issued=st.just(NOW),
    expires=st.integers(1, 10**8).map(lambda seconds: NOW + timedelta(seconds=seconds)),
    dump=st.builds(parts.DumpFacts, TEXT, st.none() | TEXT, COUNT),
    source=st.builds(parts.FileFacts, DIGESTS, COUNT),
    searched=st.builds(
        parts.Searched,
        st.sampled_from(get_args(parts.Mode)),
        several(TEXT),
        st.booleans(),
        *(several(TEXT) for _ in range(4)),
        several(st.builds(parts.SearchedKey, KEYS, TEXT)),
    ),
    not_searched=several(st.builds(parts.NotSearched, COUNT, COUNT, TEXT, TEXT)),
    findings=several(
        st.builds(
            parts.ClearedFinding, KEYS, st.sampled_from(get_args(parts.FindingKind)), TEXT, COUNT, COUNT
        )
    ),
    redactions=several(
        st.builds(parts.Redaction, COUNT, COUNT, TEXT, st.just("") | TEXT, st.none() | THUMBPRINTS)
    ),
    proof=st.builds(
        proofs.Proof,
        st.just(False),
        st.just(False),
        COUNT,
        COUNT,
        several(CHECKS),
        several(st.builds(proofs.Residue, TEXT, TEXT, COUNT, COUNT, several(BOUNDS))),
    ),
    decision=st.none() | st.builds(parts.Decision, DIGESTS, st.booleans(), several(TEXT)),
)


@settings(max_examples=60, deadline=None)
@given(CLEARANCES)
def test_any_clearance_comes_back_and_fits_the_schema(clearance):
    value = json.loads(json.dumps(clearance.to_json()))
    assert Clearance.from_json(value) == clearance
    assert VALIDATOR.is_valid(value)


def test_from_plain_values():
    members = {name: value for name, value in FULL.items() if name not in ("issued", "expires")}
    members["findings"] = [{**FULL["findings"][0], "proof": "name \ud800 out of an image"}]
    issued = datetime(2026, 11, 25, 13, 0, 0, 987654, timezone(timedelta(hours=1)))
    made = Clearance.of(issued=issued, expires=issued + timedelta(days=1), **members)
    assert (made.to_json()["issued"], made.to_json()["expires"]) == (
        "2026-11-25T12:00:00Z",
        "2026-11-26T12:00:00Z",
    )
    assert made.findings[0].proof == "name ? out of an image"
    with pytest.raises(AttestationError, match="tool is missing"):
        Clearance.of(issued=issued, expires=issued + timedelta(days=1))
    with pytest.raises(AttestationError, match="more is not a known member"):
        Clearance.of(issued=issued, expires=issued + timedelta(days=1), **members, more=1)


@pytest.mark.parametrize(
    ("path", "value", "size", "words"),
    [
        (("source", "size"), 1, DIGEST.size, None),
        (("decision",), None, DIGEST.size, None),
        (
            ("source", "size"),
            1,
            DIGEST.size + 1,
            "the statement is about other bytes: 24001 bytes; it says 24000",
        ),
        (
            ("proof", "holds"),
            False,
            DIGEST.size,
            "the statement does not clear the dump: its proof does not hold",
        ),
        (
            ("decision", "allowed"),
            False,
            DIGEST.size,
            "the statement does not clear the dump: the policy did not",
        ),
    ],
)
def test_what_clears(path, value, size, words):
    clearance = Clearance.from_json(put(path, value))
    if words is None:
        clearance.check_clears(Digest(DIGEST.sha256, size))
    else:
        with pytest.raises(AttestationError, match=words):
            clearance.check_clears(Digest(DIGEST.sha256, size))


def test_the_order_of_members_does_not_matter():
    value = dict(random.Random(1).sample(list(FULL.items()), len(FULL)))
    assert Clearance.from_json(value) == Clearance.from_json(FULL)
