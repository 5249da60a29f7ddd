"""The report for a person at a terminal: every colour has a word beside it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from immure.probe.answer import Outcome
from immure.probe.case import GROUPS, Case
from immure.probe.report.words import counts_words, headline, not_asked, notable
from immure.probe.result import ProbeReport, Result, Verdict
from immure.scanning.report.words import visible

_STYLES = {Verdict.LET_IN: "bold red", Verdict.NOTHING: "bold green", Verdict.CANNOT_TELL: "bold yellow"}


def write_terminal(report: ProbeReport, stream: TextIO, *, color: bool | None = None) -> None:
    """Print ``report``."""
    plain = color is False or None
    console = Console(file=stream, no_color=plain, highlight=False, emoji=False, markup=False)
    _print(console, f"{report.channel} {report.target}")
    _print(console, f"lets in: tokens of {report.issuer} for {report.audience}")
    keys = ", ".join(f"{kid} ({alg})" for kid, alg, _ in report.keys)
    _print(console, f"keys:    {keys or 'none of the kit'}")
    for heading, results in notable(report):
        console.print()
        _print(console, heading)
        console.print(_table(results))
    console.print()
    _print_groups(console, report)
    for why, count in not_asked(report):
        _print(console, f"{count} not asked: {why}")
    console.print()
    _print(console, counts_words(report))
    console.print(Text(visible(headline(report)), _STYLES[report.verdict]), soft_wrap=True)


def write_catalogue(cases: Iterable[Case], stream: TextIO) -> None:
    """Print the catalogue."""
    group = None
    for case in cases:
        if case.group != group:
            group = case.group
            stream.write(f"{GROUPS[group]}\n")
        may = "; the standards leave it open" if case.expected == "may" else ""
        stream.write(f"  {case.id:<32} {case.severity:<9} {case.title} ({case.reference}{may})\n")


def _table(results: Iterable[Result]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column()
    for one in results:
        words = f"{one.case.title} ({one.answer.detail}; {one.case.reference})"
        table.add_row(one.case.severity, one.case.id, Text(visible(words)))
    return table


def _print_groups(console: Console, report: ProbeReport) -> None:
    for group, words in GROUPS.items():
        mine = [one for one in report.results if one.case.group == group]
        asked = [one for one in mine if one.answer.outcome is not Outcome.NOT_ASKED]
        if mine:
            held = sum(one.answer.outcome is Outcome.REFUSED for one in asked)
            _print(console, f"{group:<9} {held:>3} of {len(asked):>3} refused  {words}")


def _print(console: Console, text: str) -> None:
    console.print(Text(visible(text)), soft_wrap=True)
