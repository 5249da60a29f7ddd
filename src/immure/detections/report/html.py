"""The report as a page: one file that needs nothing else and may load nothing else.

There is no script in it; its policy (CSP) forbids everything but its own style sheet, by that sheet's hash.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, TextIO

from immure.detections.finding import Finding, Severity
from immure.detections.outcome import Outcome
from immure.detections.reconcile_sql import VERDICTS
from immure.detections.report import timeline
from immure.detections.report.words import ORDER, headline, named, seconds, span
from immure.scanning.report import tool
from immure.scanning.report.markup import Markup, element, join, page_head, table
from immure.scanning.report.style import STYLE as COMMON
from immure.scanning.report.words import count_words

_STYLE: Final = COMMON + timeline.STYLE
_CLASSES: Final = {"found": "found", "clean": "clean", "incomplete": "incomplete"}
_TAGS: Final = {"critical": "found", "high": "found", "medium": "incomplete"}
#: Findings of a rule that are in the page.
MOST: Final = 500


def write_html(outcome: Outcome, stream: TextIO, *, least: Severity) -> None:
    """Write the report as a page in UTF-8."""
    for part in _page(outcome, least):
        stream.write(part)
        stream.write("\n")


def _page(outcome: Outcome, least: Severity) -> Iterator[str]:
    words = headline(outcome, least)
    yield '<!DOCTYPE html>\n<html lang="en">'
    yield page_head(f"Immure: {words}", _STYLE)
    yield "<body>"
    name = element("h1", element("b", "Immure"), " detection report")
    kind = _CLASSES[outcome.verdict(least)]
    yield element("header", name, element("div", element("p", _capital(words)), class_=f"banner {kind}"))
    yield "<main>"
    yield _verdicts(outcome)
    yield _findings(outcome)
    yield _missing(outcome)
    yield _sources(outcome)
    yield "</main>"
    yield _footer()
    yield "</body>\n</html>"


def _capital(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]


def _verdicts(outcome: Outcome) -> Markup:
    rows = [
        (
            element("span", name, class_=f"tag {'found' if name == 'forged' else ''}"),
            f"{count:,}",
            VERDICTS[name],
        )
        for name in ORDER
        if (count := outcome.verdicts.get(name))
    ]
    ledgers = [
        (
            element("code", one.issuer),
            seconds(one.known_from) if one.known_from else "the beginning",
            seconds(one.watermark),
            "; ".join(f"{seconds(start)} to {seconds(end)}: {why}" for start, end, why in one.gaps) or "none",
            "signed log" if one.proved else "nobody but the segments",
        )
        for one in outcome.issuers
    ]
    parts = [element("h2", "Accepted tokens")]
    if rows:
        parts.append(table(("Verdict", "Acceptances", "Means"), rows, "Verdicts"))
    if ledgers:
        headings = ("Ledger of", "Known from", "Complete before", "Gaps", "Says")
        parts.append(table(headings, ledgers, "Ledgers"))
    return element("section", *parts, class_="card")


def _findings(outcome: Outcome) -> Markup:
    if not outcome.findings:
        return Markup("")
    parts = [element("h2", "Findings"), timeline.timeline(outcome)]
    for rule in dict.fromkeys(one.rule for one in outcome.findings):
        parts += _of_rule([one for one in outcome.findings if one.rule == rule])
    return element("section", *parts, class_="card found")


def _of_rule(mine: Sequence[Finding]) -> list[Markup]:
    first = mine[0]
    weak = ", weak" if first.strength == "weak" else ""
    rows = [
        (
            f"{one.score:g}" if one.score else "",
            one.reason,
            named(one),
            f"{one.count:,}",
            span(one),
            element("code", one.id),
        )
        for one in mine[:MOST]
    ]
    tag = element("span", first.severity + weak, class_=f"tag {_TAGS.get(first.severity, '')}")
    rest = len(mine) - MOST
    more = [element("p", f"… and {count_words(rest, 'more finding')}", class_="soft")] if rest > 0 else []
    headings = ("Rarity", "Reason", "About", "Records", "When", "Finding")
    heading = element("h3", join([_capital(first.title), " ", tag]))
    return [heading, table(headings, rows, first.title), *more]


def _missing(outcome: Outcome) -> Markup:
    if not outcome.missing and not outcome.notes:
        return Markup("")
    words = [element("li", one) for one in (*outcome.missing, *outcome.notes)]
    return element(
        "section", element("h2", "What was not judged"), element("ul", *words), class_="card incomplete"
    )


def _sources(outcome: Outcome) -> Markup:
    rows = [
        (name or "unknown logs", what.replace("-", " "), f"{count:,}")
        for name, counts in outcome.sources.items()
        for what, count in counts.items()
    ]
    odd = [
        (
            "lost" if one.lost else "in part",
            one.reason,
            one.what,
            f"{one.count:,}",
            one.file,
            f"{one.offset:,}",
        )
        for one in outcome.odd
    ]
    parts = [element("h2", "What was read"), table(("Source", "What", "Count"), rows, "Sources")]
    if odd:
        headings = ("Records", "Reason", "What", "Count", "File", "First at byte")
        parts += [element("h3", "Not understood"), table(headings, odd, "Not understood")]
    return element("section", *parts, class_="card")


def _footer() -> Markup:
    words = (
        "No token is in this page; it names tokens by digests, which cannot be used. Names of users, tenants "
        "and clients may be internal."
    )
    return join([element("footer", element("p", words), element("p", f"{tool.NAME} {tool.version()}"))])
