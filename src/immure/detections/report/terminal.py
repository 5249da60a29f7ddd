"""The report for a person at a terminal: every colour has a word beside it."""

from __future__ import annotations

from typing import Final, TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from immure.detections.finding import Finding, Severity
from immure.detections.outcome import Outcome
from immure.detections.report.words import ORDER, headline, named, seconds, span
from immure.scanning.report.words import visible

_STYLES: Final = {"found": "bold red", "clean": "bold green", "incomplete": "bold yellow"}
_COLOURS: Final = {"critical": "bold red", "high": "red", "medium": "yellow", "low": "cyan", "info": "dim"}
#: Findings and lines of other lists that are shown.
MOST: Final = 50


def write_terminal(outcome: Outcome, stream: TextIO, *, least: Severity) -> None:
    """Print the report."""
    console = Console(file=stream, highlight=False, emoji=False, markup=False)
    _sources(console, outcome)
    _verdicts(console, outcome)
    for one in outcome.findings[:MOST]:
        _finding(console, one)
    if len(outcome.findings) > MOST:
        _say(console, f"… and {len(outcome.findings) - MOST:,} more findings (--format json has all)")
    console.print()
    for word in outcome.missing[:MOST]:
        _say(console, f"not judged: {word}")
    for word in outcome.notes:
        _say(console, f"note: {word}")
    words = headline(outcome, least)
    console.print(Text(visible(words), _STYLES[outcome.verdict(least)]), soft_wrap=True)


def _say(console: Console, words: str) -> None:
    console.print(Text(visible(words)), soft_wrap=True)


def _sources(console: Console, outcome: Outcome) -> None:
    for name, counts in outcome.sources.items():
        words = ", ".join(f"{count:,} {what.replace('-', ' ')}" for what, count in counts.items())
        _say(console, f"{name or 'unknown logs'}: {words}")
    for one in outcome.odd[:MOST]:
        lost = "not understood" if one.lost else "understood in part"
        what = f" {one.what}" if one.what else ""
        _say(
            console, f"  {one.count:,} {lost}: {one.reason}{what} ({one.file}, first at byte {one.offset:,})"
        )


def _verdicts(console: Console, outcome: Outcome) -> None:
    if outcome.verdicts:
        console.print()
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
        table.add_column(justify="right")
        table.add_column()
        for name in ORDER:
            if outcome.verdicts.get(name):
                table.add_row(
                    f"{outcome.verdicts[name]:,}", Text(name, "bold red" if name == "forged" else "")
                )
        console.print(table)
    for one in outcome.issuers:
        proved = "" if one.proved else ", as the segments say themselves"
        begins = f"from {seconds(one.known_from)} " if one.known_from else ""
        _say(console, f"ledger of {one.issuer}: complete {begins}before {seconds(one.watermark)}{proved}")
        for start, end, why in one.gaps:
            _say(console, f"  gap from {seconds(start)} to {seconds(end)}: {why}")


def _finding(console: Console, one: Finding) -> None:
    console.print()
    head = Text(f"{one.severity:<9}", _COLOURS[one.severity])
    weak = " (weak)" if one.strength == "weak" else ""
    score = f", rarity {one.score:g}" if one.score else ""
    head.append(visible(f"{one.title}{weak}{score}"), "bold")
    console.print(head, soft_wrap=True)
    for words in (one.reason, named(one), f"{one.count:,} records, {span(one)}; rule {one.rule}"):
        if words:
            _say(console, f"  {words}")
