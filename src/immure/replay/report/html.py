"""The report as a page: one file that needs nothing else and may load nothing else.

There is no script in it; its policy (CSP) forbids everything but its own style sheet, by that sheet's hash.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, TextIO

from immure.replay.matrix import Played
from immure.replay.record import Outcome
from immure.replay.report.pictures import chain, timeline
from immure.replay.report.style import STYLE as OWN_STYLE
from immure.replay.report.words import (
    control_words,
    differing,
    ends_words,
    noticed_words,
    result_words,
)
from immure.scanning.report import tool
from immure.scanning.report.html_findings import findings_part
from immure.scanning.report.html_map import hatching, map_figure
from immure.scanning.report.markup import Markup, element, facts, join, page_head, table
from immure.scanning.report.style import STYLE as COMMON_STYLE
from immure.scanning.report.words import bytes_words

STYLE: Final = COMMON_STYLE + OWN_STYLE
#: Worlds that are shown one by one; of more, the table tells.
MOST_SHOWN: Final = 2


def write_html(played: Sequence[Played], stands_in: Sequence[str], stream: TextIO) -> None:
    """Write the page in UTF-8."""
    for part in _page(list(played), stands_in):
        stream.write(part)
        stream.write("\n")


def _page(played: list[Played], stands_in: Sequence[str]) -> Iterator[str]:
    yield '<!DOCTYPE html>\n<html lang="en">'
    yield page_head(f"Immure: replay of {played[0].outcome.scenario.name}", STYLE)
    yield "<body>"
    yield hatching()
    yield _banner(played)
    yield "<main>"
    shown = _shown(played)
    if len(played) > 1:
        yield _matrix(played)
    for number, one in enumerate(shown, 1):
        yield _world(one, f"w{number}")
    yield _dump(shown)
    yield _limits(played, stands_in)
    yield "</main>"
    yield element("footer", element("p", _FOOTER), element("p", f"{tool.NAME} {tool.version()}"))
    yield "</body>\n</html>"


_FOOTER: Final = (
    "Organizations, mailboxes and messages are invented. The keys were made for this run and are gone; no "
    "byte of a private key is in this page. The times are those of this machine; a key's month, and the "
    "years between theft and use, are seconds here."
)


def _shown(played: list[Played]) -> list[Played]:
    """Of a whole matrix the first and the last world: nothing on, everything on."""
    return played if len(played) <= MOST_SHOWN else [played[0], played[-1]]


def _banner(played: list[Played]) -> Markup:
    scenario = played[0].outcome.scenario
    wrong = differing(played)
    kind, words = "clean", "Each control did what it is there for."
    if wrong:
        kind, words = "found", f"{len(wrong)} worlds did not go as they should: a control is a sham."
    elif len(played) == 1:
        outcome = played[0].outcome
        kind, words = ("found" if outcome.reading.mailboxes else "clean"), outcome.verdict
    banner = element(
        "div", element("p", words, element("small", scenario.about.strip())), class_=f"banner {kind}"
    )
    return element("header", element("h1", element("b", "Immure"), f" replay: {scenario.title}"), banner)


def _matrix(played: list[Played]) -> Markup:
    rows = (
        (
            element("b", one.name),
            ends_words(one.outcome),
            f"{one.outcome.reading.mailboxes} of {one.outcome.reading.tries}",
            noticed_words(one.outcome),
            join([element("div", proof) for proof in one.outcome.proofs]),
            element("span", *_verdict(one.outcome)),
        )
        for one in played
    )
    head = ("World", "The chain ends at", "Mailboxes read", "Noticed", "A report could prove", "As it should")
    return element("section", element("h2", "Worlds"), table(head, rows, "Worlds"), class_="card")


def _verdict(outcome: Outcome) -> tuple[str, ...]:
    return ("yes",) if outcome.is_as_expected else ("NO",)


def _world(one: Played, anchor: str) -> Markup:
    outcome = one.outcome
    kind = "found" if outcome.reading.mailboxes else "clean"
    return element(
        "section",
        element("h2", one.name[:1].upper() + one.name[1:]),
        element("p", outcome.verdict, class_="verdict"),
        element("p", control_words(outcome), class_="soft"),
        element("figure", element("figcaption", "The chain"), chain(outcome)),
        element("h3", "Link by link"),
        _links(outcome),
        element("h3", "Timeline"),
        element("figure", timeline(outcome)),
        element("details", element("summary", f"{len(outcome.moments)} moments"), _moments(outcome)),
        element("h3", "What a report could prove"),
        element("ul", *(element("li", proof) for proof in outcome.proofs)),
        class_=f"card {kind}",
        id=anchor,
    )


def _links(outcome: Outcome) -> Markup:
    rows = (
        (
            str(one.link.number),
            element("b", one.link.title),
            one.link.happened,
            ", ".join(one.link.controls),
            result_words(one),
        )
        for one in outcome.links
    )
    return table(("", "Link", "What is known", "Controls", "Here"), rows, "Links")


def _moments(outcome: Outcome) -> Markup:
    rows = ((f"{one.at:.2f} s", str(one.link), one.who, one.words) for one in outcome.moments)
    return table(("When", "Link", "Who", "What"), rows, "Moments")


def _dump(shown: list[Played]) -> Markup:
    """The map of the first dump that holds the key."""
    for one in shown:
        dump = one.outcome.dump
        if dump is not None and dump.findings:
            return element(
                "section",
                element("h2", f"The dump that left production, {one.name}"),
                element("p", f"{dump.format}, {bytes_words(dump.size)}", class_="soft"),
                map_figure(dump, "dump"),
                findings_part(dump, "dump"),
                class_="card found",
            )
    return Markup("")


def _all_parts(played: list[Played]) -> Iterator[str]:
    """Those of each world: what has the key, and who compares tokens, is not the same in all of them."""
    for one in played:
        yield from one.outcome.parts


def _limits(played: list[Played], stands_in: Sequence[str]) -> Markup:
    standing = [element("li", f"Not the real thing here: {words}.") for words in stands_in]
    wrong = [element("li", f"Not as it should be: {words}") for words in differing(played)]
    parts = facts([("Part", words) for words in dict.fromkeys(_all_parts(played))])
    return element(
        "section",
        element("h2", "What this shows, and what not"),
        element("ul", *standing, *wrong),
        parts,
        class_="card",
    )
