"""A radius as a value: written, read again, never changed without being noticed."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from immure.custody.signer import Signer
from immure.response.errors import RadiusError
from immure.response.finding import Finding
from immure.response.incident import Incident
from immure.response.notification.radius_in_force import has_radius, radius_in_force
from immure.response.radius import (
    BlastRadius,
    Cell,
    Interval,
    Mailbox,
    RelyingParty,
    Scope,
    Source,
    StateSpan,
    TenantImpact,
)
from immure.response.radius_json import parse_radius
from immure.response.radius_record import keep_radius
from immure.response.report.formats import read_schema, to_text
from response.house import opened

_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
_TEXTS = st.lists(_TEXT, max_size=3).map(tuple)
_SECOND = st.integers(-(1 << 40), 1 << 40)
_MAYBE = st.none() | _SECOND
_COUNT = st.integers(0, 1 << 40)
_GAPS = st.lists(st.builds(Interval, _SECOND, _SECOND, _TEXT), max_size=3).map(tuple)
_BOX = st.builds(Mailbox, _TEXT, _TEXTS, _TEXTS, _COUNT)
_TENANT = st.builds(
    TenantImpact, _TEXT, _COUNT, _TEXTS, st.lists(_BOX, max_size=2).map(tuple), _GAPS, _MAYBE, _MAYBE
)
_PARTY = st.builds(
    RelyingParty, _TEXT, _TEXT, st.sampled_from(["yes", "no", "unknown"]), _TEXT, _COUNT, _GAPS
)
_SCOPE = st.builds(Scope, _TEXT, _TEXTS, _TEXTS, _TEXTS, _TEXTS, _MAYBE, _MAYBE)
RADII = st.builds(
    BlastRadius,
    kid=_TEXT,
    issuer=_TEXT,
    thumbprint=_TEXT,
    begin=_SECOND,
    end=_SECOND,
    judged=st.sampled_from(["ledger", "all"]),
    scope=st.none() | _SCOPE,
    states=st.lists(st.builds(StateSpan, _TEXT, _SECOND, _MAYBE, _TEXT), max_size=2).map(tuple),
    relying_parties=st.lists(_PARTY, max_size=2).map(tuple),
    tenants=st.lists(_TENANT, max_size=3).map(tuple),
    unknown=_GAPS,
    sources=st.lists(
        st.builds(Source, _TEXT, st.sampled_from(["mail", "acceptance"]), _COUNT, _MAYBE, _MAYBE), max_size=2
    ).map(tuple),
    tokens=_COUNT,
    step=st.integers(1, 1 << 30),
    cells=st.lists(st.builds(Cell, _TEXT, _SECOND, _COUNT), max_size=3).map(tuple),
)
VALID = jsonschema.Draft202012Validator(read_schema())
GAP = Interval(0, 60, "no log was kept")
PLAIN = BlastRadius("k1", "https://login.example", begin=0, end=60, step=60, tenants=(
    TenantImpact("contoso", 2, ("ada",), (Mailbox("ada@c", ("m1",), (), 1),), (GAP,), 1, 2),))  # fmt: skip


@given(RADII)
@settings(max_examples=15, deadline=None)
def test_what_is_written_is_read(radius: BlastRadius) -> None:
    text = to_text(radius)
    assert text.isascii()
    again = parse_radius(text.encode())
    assert again == radius
    assert again.version == radius.version
    VALID.validate(json.loads(text))


def test_the_schema_itself() -> None:
    jsonschema.Draft202012Validator.check_schema(read_schema())


@pytest.mark.parametrize(
    ("tokens", "boxes", "gaps", "standing", "at_least"),
    [
        (0, (), (), "not seen", False),
        (0, (), (GAP,), "unknown", True),
        (1, (), (), "affected", False),
        (1, (), (GAP,), "affected", True),
        (0, (Mailbox("a", (), ("Inbox",), 1),), (), "affected", False),
    ],
)
def test_never_nothing_where_it_is_unknown(
    tokens: int, boxes: tuple[Mailbox, ...], gaps: tuple[Interval, ...], standing: str, at_least: bool
) -> None:
    one = TenantImpact("t", tokens, (), boxes, gaps, None, None)
    assert (one.standing, one.at_least) == (standing, at_least)
    assert BlastRadius("k", "i", tenants=(one,)).at_least == at_least


def _with(**members: Any) -> Callable[[dict[str, Any]], object]:
    return lambda value: {**value, **members}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda _: [], "not an object"),
        (lambda _: None, "not an object"),
        (_with(schema="https://immure.example/schemas/blast-radius-2.json"), "not an object"),
        (_with(tokens=1), "it was changed"),
        (_with(version="0" * 64), "it was changed"),
        (_with(more=1), "is an object of"),
        (lambda value: {name: part for name, part in value.items() if name != "unknown"}, "is an object of"),
        (_with(tokens=True), "a whole number"),
        (_with(tokens=1.0), "a whole number"),
        (_with(tokens=1 << 60), "a whole number"),
        (_with(kid=None), "a text"),
        (_with(judged="guess"), "one of ledger, all"),
        (_with(tenants={}), "is a list"),
        (_with(tenants=["contoso"]), "is an object of"),
        (_with(scope=[]), "is an object of"),
        (_with(unknown=[{"begin": "0", "end": 1, "reason": ""}]), "a whole number"),
        (_with(kid="\ud800"), "lone surrogate"),
    ],
)
def test_what_is_no_radius(change: Callable[[dict[str, Any]], object], words: str) -> None:
    with pytest.raises(RadiusError, match=words):
        BlastRadius.from_json(change(copy.deepcopy(PLAIN.to_json())))


@pytest.mark.parametrize("data", [b"", b"{", b"\xff", b"[" * 10_000, b"null"])
def test_foreign_bytes(data: bytes) -> None:
    with pytest.raises(RadiusError, match=r"^radius.json: "):
        parse_radius(data, path="radius.json")


def test_a_radius_is_kept_once_and_corrected(incident: Incident, key: Signer) -> None:
    first = keep_radius(incident, PLAIN, actor="ann")
    assert (first.kind, first.body["radius"]) == ("fact", PLAIN.version)
    assert keep_radius(incident, PLAIN, actor="ann") == first
    other = BlastRadius("k1", PLAIN.issuer, begin=0, end=120, step=60)
    second = keep_radius(Incident.load(incident.folder, key=key), other, actor="bo")
    assert (second.kind, second.corrects, second.confidence) == ("correction", first.sequence, "confirmed")
    files = sorted(path.name for path in incident.work.glob("radius-*.json"))
    assert files == sorted(f"radius-{one.version}.json" for one in (PLAIN, other))
    assert parse_radius(Path(incident.folder, str(second.body["file"])).read_bytes()) == other
    third = keep_radius(incident, BlastRadius("k2", PLAIN.issuer, step=60), actor="bo")
    assert third.kind == "fact"  # of another key


THUMBPRINT = "T" * 43


def by_thumbprint(folder: Path, key: Signer) -> Incident:
    """An incident that was opened on a key of which only the thumbprint was known."""
    return opened(folder, key, finding=Finding("key-in-dump", kid=THUMBPRINT, issuer=PLAIN.issuer))


def test_the_radius_of_a_key_that_was_found_by_its_thumbprint(tmp_path: Path, key: Signer) -> None:
    """The registry has said what tokens call it: letters, advisory and containment find it all the same."""
    incident = by_thumbprint(tmp_path / "i", key)
    found = replace(PLAIN, thumbprint=THUMBPRINT)
    entry = keep_radius(incident, found, actor="ann")
    assert (entry.body["kid"], entry.body["thumbprint"]) == ("k1", THUMBPRINT)
    assert has_radius(incident.entries(), incident.opened.kid)
    assert radius_in_force(incident).radius == found
    later = keep_radius(incident, replace(found, step=3600), actor="bo")
    assert later.corrects == entry.sequence
    assert radius_in_force(incident).entry == later
    keep_radius(incident, BlastRadius("k2", PLAIN.issuer, thumbprint="U" * 43), actor="bo")
    assert radius_in_force(incident).entry == later  # that one is of another key


def test_a_radius_that_does_not_say_its_thumbprint_is_corrected(tmp_path: Path, key: Signer) -> None:
    incident = by_thumbprint(tmp_path / "i", key)
    found = replace(PLAIN, thumbprint=THUMBPRINT)
    old = incident.add("fact", {"radius": found.version, "kid": "k1"}, actor="ann")
    assert not has_radius(incident.entries(), THUMBPRINT)
    assert keep_radius(incident, found, actor="ann").corrects == old.sequence
    assert radius_in_force(incident).radius == found
