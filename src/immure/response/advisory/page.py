"""An advisory for people: Markdown, and a page that stands alone."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from immure.response.advisory.content import Content
from immure.response.advisory.csaf import notes
from immure.response.advisory.revisions import Revision
from immure.response.moments import to_text
from immure.scanning.report.markup import Markup, element, facts, page_head, table
from immure.scanning.report.style import STYLE
from immure.scanning.report.words import visible

_SPECIAL: Final = re.compile(r"([\\`*_\[\]<>#|~&])")
#: What begins a list, a heading or a rule, at the beginning of a line.
_BEGINNING: Final = re.compile(r"^([0-9]{0,9})([-+=.)])")


def to_markdown(content: Content, revisions: Sequence[Revision]) -> str:
    """The advisory in Markdown (CommonMark, with a table of GitHub's)."""
    return "\n".join(_markdown(content, revisions)) + "\n"


def to_html(content: Content, revisions: Sequence[Revision]) -> str:
    """The advisory as a page that loads nothing."""
    draft = content.draft
    body = [
        element("header", element("h1", draft.publisher.name), element("h2", draft.title)),
        element("main", *_main(content, revisions)),
    ]
    head = page_head(draft.title, STYLE)
    opened = f'<!DOCTYPE html>\n<html lang="{draft.language}">'
    return "\n".join([opened, head, "<body>", *body, "</body>", "</html>"]) + "\n"


def _facts(content: Content, revisions: Sequence[Revision]) -> list[tuple[str, str]]:
    draft, last = content.draft, revisions[-1]
    return [
        ("Advisory", draft.id),
        ("Version", f"{last.number} ({draft.status})"),
        ("First published", to_text(revisions[0].at)),
        ("This version", to_text(last.at)),
        ("Distribution", f"TLP:{draft.tlp.upper()}"),
        (
            "Publisher",
            draft.publisher.name + (f", {draft.publisher.contact}" if draft.publisher.contact else ""),
        ),
    ]


def _markdown(content: Content, revisions: Sequence[Revision]) -> Iterator[str]:
    draft = content.draft
    yield f"# {_escaped(draft.title)}\n"
    for term, fact in _facts(content, revisions):
        yield f"- **{term}:** {_escaped(fact)}"
    for note in notes(content, revisions):
        yield f"\n## {_escaped(note['title'])}\n\n{_escaped(note['text'])}"
    if draft.indicators:
        yield "\n## Indicators\n\n| Kind | Value | |\n|---|---|---|"
        for one in draft.indicators:
            yield f"| {_escaped(one.kind)} | {_escaped(one.value)} | {_escaped(one.description)} |"
    yield "\n## References\n"
    for reference in draft.references:
        yield f"- {_escaped(reference.summary)}: <{reference.url}>"
    yield "\n## Revision history\n\n| Version | Date | |\n|---|---|---|"
    for revision in revisions:
        yield f"| {revision.number} | {to_text(revision.at)} | {_escaped(revision.words)} |"


def _main(content: Content, revisions: Sequence[Revision]) -> Iterator[Markup]:
    draft = content.draft
    yield facts(_facts(content, revisions))
    for note in notes(content, revisions):
        yield element("h3", note["title"])
        yield element("p", *_whole(note["text"]))
    if draft.indicators:
        yield element("h3", "Indicators")
        rows = [(one.kind, element("code", one.value), one.description) for one in draft.indicators]
        yield table(("Kind", "Value", "Description"), rows, "Indicators")
    yield element("h3", "References")
    yield element(
        "ul",
        *(element("li", f"{one.summary}: ", element("a", one.url, href=one.url)) for one in draft.references),
    )
    yield element("h3", "Revision history")
    history = [(str(one.number), to_text(one.at), one.words) for one in revisions]
    yield table(("Version", "Date", "Summary"), history, "Revision history")


def _whole(text: str) -> list[str]:
    """A long text in parts that reports do not cut."""
    return [text[start : start + 500] for start in range(0, len(text), 500)]


def _escaped(text: str) -> str:
    shown = "".join(visible(part) for part in _whole(text))
    return _BEGINNING.sub(r"\1\\\2", _SPECIAL.sub(r"\\\1", shown))
