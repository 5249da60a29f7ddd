"""Radii for people: at a terminal and as a page, whatever stands in them."""

from __future__ import annotations

import io
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings

from immure.response.radius import BlastRadius, Cell, Interval, Mailbox, RelyingParty, StateSpan, TenantImpact
from immure.response.report.formats import FORMATS, write_radius
from immure.response.report.words import headline, moment, number
from response.test_radius import RADII

GAP = Interval(100, 200, "no log was kept")
FULL = BlastRadius(
    "k1", "https://login.example", "t", 0, 1000, "ledger", None, (StateSpan("active", 0, None),),
    (RelyingParty("mail", "https://mail.example", "yes", "its log", 2, (GAP,)),),
    (
        TenantImpact("contoso", 2, ("ada",), (Mailbox("ada@c", ("<1@x>",), ("Inbox",), 3),), (GAP,), 10, 20),
        TenantImpact("fabrikam", 0, (), (), (GAP,), None, None),
        TenantImpact("quiet", 0, (), (), (), None, None),
    ),
    (), (), 2, 60, (Cell("contoso", 0, 2),),
)  # fmt: skip


def written(radius: BlastRadius, form: str) -> str:
    stream = io.StringIO()
    write_radius(radius, stream, form)
    return stream.getvalue()


@pytest.mark.parametrize("form", FORMATS)
def test_what_is_said(form: str) -> None:
    text = written(FULL, form)
    for word in ("contoso", "fabrikam", "no log was kept", "mail", "k1"):
        assert word in text


def test_never_nothing_where_it_is_unknown() -> None:
    lines = {line.split()[0]: line for line in written(FULL, "terminal").splitlines() if line.strip()}
    assert "unknown   unknown  unknown" in re.sub(" {2,}", "  ", lines["fabrikam"]).replace(
        "unknown  ", "unknown   ", 1
    )
    assert re.search(r"quiet +not seen +0 +0 +0 ", lines["quiet"])
    assert re.search(
        r"contoso +affected +at least 2 +at least 1 +at least 1 \(1 message, 1 whole folder\)",
        lines["contoso"],
    )


@pytest.mark.parametrize(
    ("radius", "words"),
    [
        (FULL, "key k1: at least 2 forged tokens, 1 tenant affected, of 1 more nobody knows"),
        (BlastRadius("k1", "i"), "key k1 reached nobody"),
        (BlastRadius("k1", "i", unknown=(GAP,)), "nothing of key k1 was seen, and something is unknown"),
        (BlastRadius("k1", "i", tokens=1, tenants=(FULL.tenants[2], TenantImpact("t", 1, (), (), (), 1, 1))),
         "key k1: 1 token, 1 tenant affected"),
    ],
)  # fmt: skip
def test_headlines(radius: BlastRadius, words: str) -> None:
    assert headline(radius) == words


def test_words() -> None:
    assert [number(0, True), number(0, False), number(1200, True)] == ["unknown", "0", "at least 1,200"]
    assert [moment(None), moment(0), moment(1 << 60)] == ["-", "1970-01-01T00:00:00Z", f"{1 << 60} s"]


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))
        if tag not in ("meta", "br", "hr"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@given(RADII)
@settings(max_examples=40, deadline=None)
def test_pages_are_whole_and_load_nothing(radius: BlastRadius) -> None:
    text = written(radius, "html")
    page = _Page()
    page.feed(text)
    assert page.open == []
    assert not {"script", "link", "img", "iframe", "form"} & {tag for tag, _ in page.tags}
    for _, attributes in page.tags:
        assert not {"href", "src", "style", "onload", "onclick"} & attributes.keys()
    assert "default-src 'none'" in text.replace("&#x27;", "'")


@given(RADII)
@settings(max_examples=25, deadline=None)
def test_terminals_get_no_controls(radius: BlastRadius) -> None:
    text = written(radius, "terminal")
    assert not set(text) & {chr(code) for code in range(32) if code != 10}


def test_hostile_names() -> None:
    evil = "<script>alert(1)</script>\x1b[31m\u202e"
    box, gap = Mailbox(evil, (evil,), (evil,), 1), Interval(0, 1, evil)
    impact = TenantImpact(evil, 1, (evil,), (box,), (gap,), 0, 1)
    radius = BlastRadius(evil, evil, step=60, tenants=(impact,))
    text = written(radius, "html")
    assert "<script" not in text
    assert "\x1b" not in text + written(radius, "terminal")
    assert "\u202e" not in text + written(radius, "terminal")


def test_drawings_are_svg() -> None:
    found = re.findall(r"<svg.*?</svg>", written(FULL, "html"), re.DOTALL)
    assert len(found) == 2
    for drawing in found:
        root = ET.fromstring(drawing)
        assert root.get("role") == "img"
        assert [one for one in root.iter() if one.get("class") == "unknown"]
    rects = [one for one in ET.fromstring(found[0]).iter("rect") if one.get("class") == "bar"]
    assert len(rects) == 1
