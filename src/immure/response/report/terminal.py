"""A blast radius for a person at a terminal: every colour has a word beside it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from immure.response.radius import BlastRadius, Interval
from immure.response.report.words import headline, judged, mailboxes, moment, number
from immure.scanning.report.words import visible

#: Rows of a table that are shown.
MOST: Final = 40
_WIDTH: Final = 240
_STYLES: Final = {"affected": "bold red", "unknown": "yellow", "not seen": "green", "yes": "bold red",
                  "no": "green"}  # fmt: skip


def write_terminal(radius: BlastRadius, stream: TextIO) -> None:
    """Print it."""
    width = None if stream.isatty() else _WIDTH  # lines of a file are for programs that search them
    console = Console(file=stream, width=width, highlight=False, emoji=False, markup=False)
    _say(console, f"key {radius.kid} of {radius.issuer or 'an unknown issuer'}")
    if radius.thumbprint:
        _say(console, f"  thumbprint  {radius.thumbprint}")
    _say(console, f"  looked at   {moment(radius.begin)} to {moment(radius.end)}")
    _say(console, f"  counted     {judged(radius)}")
    if radius.scope is not None:
        classes = ", ".join(radius.scope.audience_classes) or "no"
        _say(console, f"  may sign    for {radius.scope.issuer}, {classes} audiences")
    for state in radius.states:
        until = "now" if state.end is None else moment(state.end)
        _say(console, f"  {state.state:<11} {moment(state.begin)} to {until}")
    _parties(console, radius)
    _tenants(console, radius)
    _unknown(console, radius)
    console.print()
    bad = any(one.standing == "affected" for one in radius.tenants)
    console.print(Text(visible(headline(radius)), "bold red" if bad else "bold yellow"), soft_wrap=True)


def _say(console: Console, words: str) -> None:
    console.print(Text(visible(words)), soft_wrap=True)


def _parties(console: Console, radius: BlastRadius) -> None:
    rows = []
    for one in radius.relying_parties:
        answer = Text(one.would_accept, _STYLES.get(one.would_accept, "yellow"))
        rows.append((one.name or "(unnamed)", one.audience, answer, one.why))
    _table(console, ("relying party", "audience", "accepts", "why"), rows)


def _tenants(console: Console, radius: BlastRadius) -> None:
    rows = []
    for one in radius.tenants:
        rows.append(
            (
                one.tenant or "(no tenant)",
                Text(one.standing, _STYLES[one.standing]),
                number(one.tokens, one.at_least),
                number(len(one.subjects), one.at_least),
                mailboxes(one),
                moment(one.first),
                moment(one.last),
            )
        )
    _table(console, ("tenant", "standing", "tokens", "subjects", "mailboxes", "first", "last"), rows)


def _unknown(console: Console, radius: BlastRadius) -> None:
    """Each interval once, with how many tenants it is of."""
    found: dict[Interval, int] = dict.fromkeys(radius.unknown, 0)
    for one in radius.tenants:
        for gap in one.unknown:
            found[gap] = found.get(gap, 0) + 1
    for party in radius.relying_parties:
        for gap in party.unknown:
            found.setdefault(gap, 0)
    ordered = sorted(found.items(), key=lambda each: (each[0].begin, each[0].end, each[0].reason))
    rows = [(moment(gap.begin), moment(gap.end), f"{count:,}" if count else "all", gap.reason)
            for gap, count in ordered]  # fmt: skip
    _table(console, ("unknown from", "to", "tenants", "because"), rows)


def _table(console: Console, headings: tuple[str, ...], rows: Iterable[tuple[str | Text, ...]]) -> None:
    kept = list(rows)
    if not kept:
        return
    console.print()
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for row in kept[:MOST]:
        table.add_row(*(Text(visible(one)) if isinstance(one, str) else one for one in row))
    console.print(table)
    if len(kept) > MOST:
        _say(console, f"… and {len(kept) - MOST:,} more (--format json has all)")
