"""The replay as it goes on, and its tables, as lines of text."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import Final

from immure.replay.matrix import Played, WorldName
from immure.replay.record import Moment, Outcome
from immure.replay.report.words import (
    STATUS,
    control_words,
    differing,
    ends_words,
    noticed_words,
    what_is,
)
from immure.replay.scenario import Scenario
from immure.scanning.report.words import visible

WIDTH: Final = 100
_WHO: Final = 10


class Teller:
    """Makes lines of moments; one for each world."""

    def __init__(self, scenario: Scenario, world: WorldName) -> None:
        self._scenario, self._world, self._link = scenario, world, 0

    def opening(self) -> Iterator[str]:
        """What is said before anything happens."""
        yield ""
        yield f"== {self._world.name} =="

    def lines(self, moment: Moment) -> Iterator[str]:
        """A moment; before the first of a link, the link."""
        if moment.link != self._link:
            self._link = moment.link
            link = self._scenario.links[moment.link - 1]
            yield ""
            yield f"{link.number}. {visible(link.title)}"
            for name in link.controls:
                yield f"     {name}: {what_is(name, is_on=name in self._world.controls)}"
        words = textwrap.wrap(visible(moment.words), WIDTH - _WHO - 12, break_on_hyphens=False) or [""]
        yield f"   {moment.at:5.1f} s  {moment.who:<{_WHO}}  {words[0]}"
        for more in words[1:]:
            yield f"{'':{_WHO + 14}}{more}"


def closing(outcome: Outcome) -> Iterator[str]:
    """What came of one world."""
    yield ""
    yield from textwrap.wrap(f">> {visible(outcome.verdict)}", WIDTH, subsequent_indent="   ")
    yield f"   {control_words(outcome)}"
    for result in outcome.links:
        yield f"   {result.link.number}  {visible(result.link.title):<52}  {STATUS[result.status]}"
    yield "   what a report could prove:"
    for proof in outcome.proofs:
        yield from textwrap.wrap(visible(proof), WIDTH, initial_indent="     - ", subsequent_indent="       ")


def table(played: Sequence[Played]) -> Iterator[str]:
    """Worlds side by side."""
    head = ("world", "chain ends at", "mailboxes", "noticed", "as it should")
    rows = [head]
    for one in played:
        outcome = one.outcome
        rows.append(
            (
                one.name,
                ends_words(outcome),
                str(outcome.reading.mailboxes),
                noticed_words(outcome),
                "yes" if outcome.is_as_expected else "NO",
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    yield ""
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def remarks(played: Sequence[Played], stands_in: Sequence[str]) -> Iterator[str]:
    """What must be said of the result as a whole."""
    for words in stands_in:
        yield f"not the real thing here: {words}"
    for words in differing(list(played)):
        yield f"NOT AS IT SHOULD BE: {words}"
