"""The report as a page: one file that needs nothing else and may load nothing else.

There is no script in it; its policy (CSP) forbids everything but its own style sheet, by that sheet's hash.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, TextIO

from immure.clock import to_rfc3339
from immure.probe.answer import Outcome
from immure.probe.case import GROUPS
from immure.probe.report.words import counts_words, headline, not_asked, notable
from immure.probe.result import ProbeReport, Result, Verdict
from immure.scanning.report import tool
from immure.scanning.report.markup import Markup, element, facts, page_head, table
from immure.scanning.report.style import STYLE
from immure.scanning.report.words import count_words

_CLASSES: Final = {Verdict.LET_IN: "found", Verdict.NOTHING: "clean", Verdict.CANNOT_TELL: "incomplete"}
_TAGS: Final = {Outcome.LET_IN: "found", Outcome.REFUSED: "clean"}


def write_html(report: ProbeReport, stream: TextIO) -> None:
    """Write ``report`` as a page in UTF-8."""
    for part in _page(report):
        stream.write(part)
        stream.write("\n")


def _page(report: ProbeReport) -> Iterator[str]:
    yield '<!DOCTYPE html>\n<html lang="en">'
    yield page_head(f"Immure: {headline(report)}", STYLE)
    yield "<body>"
    yield _banner(report)
    yield "<main>"
    yield _asked(report)
    for heading, results in notable(report):
        yield element("section", element("h2", heading), _cases(results, heading), class_="card")
    yield _all(report)
    yield "</main>"
    yield _footer()
    yield "</body>\n</html>"


def _banner(report: ProbeReport) -> Markup:
    words = element("p", headline(report), element("small", f"{report.channel}, {report.target}"))
    name = element("h1", element("b", "Immure"), " probe report")
    return element("header", name, element("div", words, class_=f"banner {_CLASSES[report.verdict]}"))


def _asked(report: ProbeReport) -> Markup:
    keys = [f"{kid} ({alg}, {name})" for kid, alg, name in report.keys]
    pairs = [
        ("Relying party", report.target),
        ("Asked by", report.channel),
        ("Begun", to_rfc3339(report.begun)),
        ("Ended", to_rfc3339(report.ended)),
        ("Lets in", f"tokens of {report.issuer} for {report.audience}"),
        ("Keys it takes", ", ".join(keys) or "none"),
        ("Cases", counts_words(report)),
    ]
    if report.reason is not None:
        pairs.append(("Ended early", report.reason))
    return element("section", element("h2", "What was asked"), facts(pairs), _controls(report), class_="card")


def _controls(report: ProbeReport) -> Markup:
    rows = (
        (one.name, one.wanted.value, one.answer.outcome.value, one.answer.detail, f"{one.before}")
        for one in report.controls
    )
    failed = sum(not one.holds for one in report.controls)
    summary = f"{count_words(len(report.controls), 'control')}, {failed} did not hold"
    headings = ("Control", "Must be", "Was", "Detail", "After cases")
    return element("details", element("summary", summary), table(headings, rows, "Controls"))


def _cases(results: Sequence[Result], label: str) -> Markup:
    rows = (
        (
            one.case.severity,
            element("code", one.case.id),
            one.case.title,
            _tag(one.answer.outcome),
            one.answer.detail,
            one.case.reference,
            element("code", " ".join(one.digests)),
        )
        for one in results
    )
    return table(("Severity", "Case", "Token", "Outcome", "Detail", "Standard", "Digest"), rows, label)


def _tag(outcome: Outcome) -> Markup:
    return element("span", outcome.value, class_=f"tag {_TAGS.get(outcome, 'incomplete')}")


def _all(report: ProbeReport) -> Markup:
    parts: list[Markup] = []
    for group, words in GROUPS.items():
        mine = [one for one in report.results if one.case.group == group]
        if mine:
            held = sum(one.answer.outcome is Outcome.REFUSED for one in mine)
            summary = element("summary", f"{words}: {held} of {len(mine)} refused")
            parts.append(element("details", summary, _cases(mine, words)))
    left = [element("p", f"{count} not asked: {why}", class_="soft") for why, count in not_asked(report)]
    return element("section", element("h2", "All cases"), *parts, *left, class_="card")


def _footer() -> Markup:
    words = (
        "No token and no private key is in this page. That a token was let in is certain; that nothing "
        "was let in means no more than what was asked, at one address, with these keys."
    )
    return element("footer", element("p", words), element("p", f"{tool.NAME} {tool.version()}"))
