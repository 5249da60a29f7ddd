"""Any text that a draft may have is a text in every form of the advisory."""

from __future__ import annotations

import json
from typing import Any

import stix2
from hypothesis import given, settings
from hypothesis import strategies as st
from stix2patterns.validator import validate as validate_pattern

from immure.response.advisory.content import Content, Finding
from immure.response.advisory.draft import Draft, Indicator, Publisher, Reference
from immure.response.advisory.publishing import forms
from immure.response.advisory.revisions import Revision
from response.advisory.making import faults

LINES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=40).map(
    lambda text: "".join(sign for sign in " ".join(text.split()) if sign.isprintable()) or "x"
)
INDICATORS = st.builds(Indicator, st.sampled_from(["user-agent", "kid", "domain"]), LINES, LINES)
REFERENCES = st.builds(Reference, st.just("https://login.example/x"), LINES)
DRAFTS = st.builds(
    Draft, st.just("EXAMPLE-1"), LINES, LINES,
    st.builds(Publisher, LINES, st.just("https://login.example"), st.just("vendor"), LINES), st.just(()),
    st.lists(REFERENCES, min_size=1, max_size=2).map(tuple),
    st.lists(INDICATORS, max_size=2, unique_by=lambda one: (one.kind, one.value)).map(tuple),
    published_at=st.just("https://login.example/csaf"),
)  # fmt: skip


@given(DRAFTS, LINES, LINES, LINES)
@settings(max_examples=25, deadline=None)
def test_any_text(draft: Draft, kid: str, first: str, second: str) -> None:
    content = Content(draft, "i", kid, "", (Finding("dump", second, "likely", 2),), ("unknown",), "")
    said: list[dict[str, Any]] = [{"text": text, "confidence": "likely"} for text in (first, second)]
    revisions = [
        Revision(1, 1_800_000_000, first, "", (), "", {"dump": said[0]}),
        Revision(2, 1_800_000_060, "", second, ({"finding": "dump", "was": said[0], "is": said[1]},), "", {}),
    ]
    made = forms(content, revisions)
    document = json.loads(made["example-1.json"])
    assert faults(document) == []
    assert document["document"]["title"] == draft.title
    bundle = stix2.parse(json.loads(made["example-1.stix.json"]), allow_custom=False)
    for one in bundle.objects:
        if getattr(one, "pattern_type", "") == "stix":
            assert validate_pattern(one.pattern)
    assert made["example-1.html"].decode().count("<script") == 0
    assert made["example-1.md"].decode().splitlines()[0].startswith("# ")
