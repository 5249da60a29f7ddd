"""A blast radius as a page: one file that needs nothing else and may load nothing else.

There is no script in it; its policy (CSP) forbids everything but its own style sheet, by that sheet's hash.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, TextIO

from immure.response.radius import BlastRadius, Interval, TenantImpact
from immure.response.report import plots
from immure.response.report.words import headline, judged, mailboxes, moment, number
from immure.scanning.report import tool
from immure.scanning.report.markup import Markup, element, facts, join, page_head, table
from immure.scanning.report.style import STYLE as COMMON

_STYLE: Final = COMMON + plots.STYLE
_TONES: Final = {
    "affected": "found",
    "unknown": "incomplete",
    "not seen": "clean",
    "yes": "found",
    "no": "clean",
}
#: Tenants, mailboxes and intervals that are listed in a table; messages of a mailbox.
MOST: Final = 200
MOST_MESSAGES: Final = 50


def write_html(radius: BlastRadius, stream: TextIO) -> None:
    """Write it as a page in UTF-8."""
    for part in _page(radius):
        stream.write(part)
        stream.write("\n")


def _page(radius: BlastRadius) -> Iterator[str]:
    words = headline(radius)
    yield '<!DOCTYPE html>\n<html lang="en">'
    yield page_head(f"Immure: {words}", _STYLE)
    yield "<body>"
    tone = "found" if any(one.standing == "affected" for one in radius.tenants) else "incomplete"
    tone = tone if radius.at_least or tone == "found" else "clean"
    name = element("h1", element("b", "Immure"), " blast radius")
    banner = element("p", words[:1].upper() + words[1:])
    yield element("header", name, element("div", banner, class_=f"banner {tone}"))
    yield "<main>"
    yield _key(radius)
    yield _drawings(radius)
    yield _parties(radius)
    yield _tenants(radius)
    yield from map(_mailboxes, radius.tenants[:MOST])
    yield _unknown(radius)
    yield "</main>"
    yield _footer(radius)
    yield "</body>\n</html>"


def _key(radius: BlastRadius) -> Markup:
    scope = radius.scope
    pairs = [
        ("Key", radius.kid),
        ("Issuer", radius.issuer or "unknown"),
        ("Thumbprint", radius.thumbprint or "unknown: in no registry"),
        ("Looked at", f"{moment(radius.begin)} to {moment(radius.end)}"),
        ("Counted", judged(radius)),
        ("Tokens", number(radius.tokens, radius.at_least)),
    ]
    if scope is not None:
        pairs.append(
            ("May sign for", f"{scope.issuer}; {', '.join(scope.audience_classes) or 'no'} audiences")
        )
    rows = [
        (one.state, moment(one.begin), "now" if one.end is None else moment(one.end), one.reason)
        for one in radius.states
    ]
    parts = [element("h2", "The key"), facts(pairs)]
    if rows:
        parts.append(table(("State", "From", "To", "Why"), rows, "States"))
    return element("section", *parts, class_="card")


def _drawings(radius: BlastRadius) -> Markup:
    caption = "Red: tokens by their first use. Hatched: nobody knows. Below: the states of the key."
    first = element("figure", element("figcaption", caption), plots.timeline(radius))
    if not radius.tenants:
        return element("section", element("h2", "When"), first, class_="card")
    caption = (
        "The darker, the more tokens. Hatched: nobody knows. Empty: the logs are whole and show nothing."
    )
    second = element("figure", element("figcaption", caption), plots.matrix(radius))
    parts = [element("h2", "When"), first, element("h3", "Tenants by time"), second]
    return element("section", *parts, class_="card")


def _tag(words: str) -> Markup:
    return element("span", words, class_=f"tag {_TONES.get(words, 'incomplete')}")


def _parties(radius: BlastRadius) -> Markup:
    rows = [
        (one.name or "(unnamed)", one.audience, _tag(one.would_accept), one.why)
        for one in radius.relying_parties
    ]
    if not rows:
        return Markup("")
    headings = ("Relying party", "Audience", "Would accept", "Why")
    return element(
        "section", element("h2", "Relying parties"), table(headings, rows, "Relying parties"), class_="card"
    )


def _tenants(radius: BlastRadius) -> Markup:
    rows = [
        (
            one.tenant or "(no tenant)",
            _tag(one.standing),
            number(one.tokens, one.at_least),
            number(len(one.subjects), one.at_least),
            mailboxes(one),
            moment(one.first),
            moment(one.last),
        )
        for one in radius.tenants[:MOST]
    ]
    headings = ("Tenant", "Standing", "Tokens", "Subjects", "Mailboxes", "First", "Last")
    parts = [element("h2", "Tenants"), table(headings, rows, "Tenants"), *_more(len(radius.tenants))]
    return element("section", *parts, class_="card found") if rows else Markup("")


def _mailboxes(one: TenantImpact) -> Markup:
    if not one.mailboxes:
        return Markup("")
    rows = [
        (
            box.address or "(unnamed)",
            f"{box.accesses:,}",
            _listed(box.messages),
            _listed(box.folders),
        )
        for box in one.mailboxes[:MOST]
    ]
    headings = ("Mailbox", "Accesses", "Messages that were read", "Folders that count as read")
    heading = element("h2", f"Mailboxes of {one.tenant or '(no tenant)'}")
    return element("section", heading, table(headings, rows, "Mailboxes"), *_more(len(one.mailboxes)),
                   class_="card")  # fmt: skip


def _listed(values: tuple[str, ...]) -> Markup:
    shown = [element("code", one) for one in values[:MOST_MESSAGES]]
    rest = len(values) - len(shown)
    words = [Markup("<br>").join([*shown])] if shown else []
    return join([*map(Markup, words), f" … and {rest:,} more" if rest > 0 else ""])


def _unknown(radius: BlastRadius) -> Markup:
    found: dict[Interval, list[str]] = {gap: ["everybody"] for gap in radius.unknown}
    for party in radius.relying_parties:
        for gap in party.unknown:
            found.setdefault(gap, ["everybody"])
    for one in radius.tenants:
        for gap in one.unknown:
            if found.setdefault(gap, []) != ["everybody"]:
                found[gap].append(one.tenant or "(no tenant)")
    ordered = sorted(found.items(), key=lambda each: (each[0].begin, each[0].end, each[0].reason))
    rows = [
        (
            moment(gap.begin),
            moment(gap.end),
            gap.reason,
            ", ".join(whom[:5]) + (" …" if len(whom) > 5 else ""),
        )
        for gap, whom in ordered[:MOST]
    ]
    if not rows:
        return Markup("")
    headings = ("From", "To", "Because", "Of")
    parts = [element("h2", "What is not known"), table(headings, rows, "Unknown intervals"),
             *_more(len(ordered))]  # fmt: skip
    return element("section", *parts, class_="card incomplete")


def _more(count: int) -> Iterable[Markup]:
    if count > MOST:
        yield element("p", f"… and {count - MOST:,} more; the JSON has all", class_="soft")


def _footer(radius: BlastRadius) -> Markup:
    words = (
        "No token is in this page. It names people, tenants and messages: show it only to those who answer "
        "the incident."
    )
    version = element("code", radius.version)
    return element("footer", element("p", words), element("p", "Version of this radius: ", version),
                   element("p", f"{tool.NAME} {tool.version()}"))  # fmt: skip
