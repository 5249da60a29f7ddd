from __future__ import annotations

import base64
import hashlib
import io
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings

from immure.scanning.finding import ImageReport, ScanReport
from immure.scanning.report.html import write_html
from immure.scanning.report.markup import Markup, element

from .samples import FOUND, INCOMPLETE, MIXED, SAMPLES, big
from .strategies import reports

#: Everything that our own page is made of; anything else came from outside.
ELEMENTS = """
    html head meta title style body svg defs pattern line path circle rect a header h1 h2 h3 h4 b div p
    small main nav section span figure figcaption ul ol li article dl dt dd code table thead tbody tr th td
    details summary footer
"""
ATTRIBUTES = """
    lang charset http-equiv content name class id role title aria-label aria-hidden focusable tabindex scope
    href open viewbox preserveaspectratio width height x y x1 y1 x2 y2 d cx cy r fill stroke stroke-width
    patternunits patterntransform
"""
VOID = {"meta"}


class Page(HTMLParser):
    """Checks structure and collects what a browser would see."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.policy = ""
        self.style = ""
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in ELEMENTS.split()
        values = dict(attrs)
        assert set(values) <= set(ATTRIBUTES.split())
        if tag not in VOID:
            self.open.append(tag)
        if values.get("id"):
            self.ids.append(str(values["id"]))
        if "href" in values:
            self.links.append(str(values["href"]))
        if values.get("http-equiv") == "Content-Security-Policy":
            self.policy = str(values["content"])

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "style":
            self.style += data
        else:
            self.words.append(data)

    def handle_comment(self, data: str) -> None:
        pytest.fail("a comment got in")

    def unknown_decl(self, data: str) -> None:
        pytest.fail("a declaration got in")


def written(report: ScanReport) -> str:
    stream = io.StringIO()
    write_html(report, stream)
    return stream.getvalue()


@pytest.mark.parametrize("name", SAMPLES)
def test_samples(name: str) -> None:
    page = Page(written(SAMPLES[name]))
    assert len(page.ids) == len(set(page.ids))
    assert {link.removeprefix("#") for link in page.links} <= set(page.ids)
    words = "".join(page.words)
    assert "scan report" in words
    assert ("What was not searched" in words) == bool(SAMPLES[name].images)


@settings(deadline=None, max_examples=60)
@given(reports)
def test_no_markup_gets_through(report: ScanReport) -> None:
    text = written(report)
    page = Page(text)
    assert all(link.startswith("#i") for link in page.links)
    text.encode("utf-8")
    for bad in ("\x1b", "\x00", "\u202e", "\u2066", "\x9b"):
        assert bad not in text


def test_nothing_is_loaded_from_anywhere() -> None:
    page = Page(written(FOUND))
    directives = dict(part.strip().split(" ", 1) for part in page.policy.split(";"))
    digest = base64.b64encode(hashlib.sha256(page.style.encode()).digest()).decode()
    assert directives == {
        "default-src": "'none'",
        "style-src": f"'sha256-{digest}'",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    text = written(FOUND)
    assert not re.search(r"<script|<link|<img|<iframe|@import|url\((?!#)", text)
    assert not re.search(r"\sstyle=|\son[a-z]+=", text)


def test_says_what_matters() -> None:
    words = "".join(Page(written(FOUND)).words)
    for part in (
        "prod-2021-04",
        "a 1024-bit number divides n",
        "0x205230",
        "0x55678c1f1230",
        "[heap]",
        "rw-p",
    ):
        assert part in words
    words = "".join(Page(written(INCOMPLETE)).words)
    for part in (
        "high-entropy run",
        "segment 7 ends beyond the file",
        "program header 7 lies",
        "searched in part",
    ):
        assert part in words
    assert "hunter2" not in written(FOUND)


def test_images_are_listed_and_linked() -> None:
    page = Page(written(MIXED))
    assert [link for link in page.links if "f" not in link] == ["#i1", "#i2", "#i3", "#i4", "#i5"]
    assert "#i2f1" in page.links, "the map links to the finding"


def test_element_escapes_what_is_not_markup() -> None:
    assert element("p", "<b>", Markup("<b></b>"), title='"') == '<p title="&quot;">&lt;b&gt;<b></b></p>'


def test_big_report_is_bounded() -> None:
    text = written(big())
    assert len(text) < 600_000
    assert "the JSON report lists them all" in text


def test_of_what_was_never_opened_nothing_is_claimed() -> None:
    skipped = ImageReport("d/link", "none", 0, warnings=["is a symbolic link: skipped"])
    absent = ImageReport("absent.core", "none", 0, error="cannot be opened: No such file or directory")
    out = io.StringIO()
    write_html(ScanReport([skipped, absent]), out)
    text = out.getvalue()
    assert "every byte was searched" not in text
    assert "Memory map" not in text
    assert "Is a symbolic link: skipped" in text
    assert "All of it: cannot be opened: No such file or directory" in text
