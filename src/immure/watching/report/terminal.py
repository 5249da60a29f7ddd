"""The report for a person at a terminal: plain lines that go into a log or a mail as well."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final, TextIO

from immure.scanning.report import tool
from immure.scanning.report.words import count_words, list_words, visible
from immure.watching.finding import KeyFinding, Sighting
from immure.watching.report.words import (
    day,
    form_words,
    half_words,
    key_words,
    run_words,
    verdict_words,
    why_words,
)
from immure.watching.result import Result
from immure.watching.run import Run

_PLACES_SHOWN: Final = 10
_GAPS_SHOWN: Final = 8


def write_terminal(result: Result, stream: TextIO, *, show_all: bool = False, brief: bool = False) -> None:
    """Print ``result``.

    Args:
        result: of a run.
        stream: where to.
        show_all: every place and every gap.
        brief: the verdicts only.
    """
    for line in _brief(result) if brief else _lines(result, show_all):
        stream.write(f"{line.rstrip()}\n")


def _brief(result: Result) -> Iterator[str]:
    for finding in result.findings:
        for one in finding.sightings:
            if one.standing == "open":
                yield f"FOUND  {key_words(finding.key)} in {visible(one.full_path)}"
    yield verdict_words(result)


def _lines(result: Result, show_all: bool) -> Iterator[str]:
    question = result.question
    named = f"{count_words(question.sought, 'key')} named" + (", rules asked" if question.rules else "")
    yield f"{tool.NAME} {tool.version()} watch, {question.options.mode} mode, {named}"
    for run in result.runs:
        yield f"{visible(run.target)}: {run_words(run)}"
    for finding in result.findings:
        yield ""
        yield from _finding(finding, result, show_all)
    yield from _gone(result)
    for one in result.expired:
        yield ""
        yield f"expired on {one.expires}: the suppression {visible(one.words)} ({visible(one.reason)})"
    yield ""
    yield "Not searched"
    yield from _gaps(result.runs, show_all)
    yield ""
    yield f"Altogether: {verdict_words(result)}"


def _finding(finding: KeyFinding, result: Result, show_all: bool) -> Iterator[str]:
    first = finding.sightings[0]
    kinds = dict.fromkeys(why_words(one.hit) for one in finding.sightings)
    word = "FOUND" if finding.is_open else "known"
    yield f"{word}  {half_words(finding.key)}"
    # what looks like something is not proved to be it
    yield f"     {'match' if first.hit.kind == 'rule' else 'proof'}        {visible(first.hit.proof)}"
    yield f"     fingerprint  {visible(finding.key.thumbprint)}"
    yield f"     learned      {list_words(list(kinds))}"
    yield f"     first seen   {day(finding.first_seen)}"
    shown = finding.sightings if show_all else finding.sightings[:_PLACES_SHOWN]
    for sighting in shown:
        yield from _sighting(sighting, len(result.runs) > 1)
    if len(finding.sightings) > len(shown):
        yield f"     … and {count_words(len(finding.sightings) - len(shown), 'place')} more (--all)"


def _sighting(sighting: Sighting, names_target: bool) -> Iterator[str]:
    where = f"{sighting.target}: {sighting.full_path}" if names_target else sighting.full_path
    line = sighting.hit.spots[0].line if sighting.hit.spots and not sighting.hit.inside else None
    yield f"     in  {visible(where)}" + (f", line {line}" if line is not None else "")
    facts = [form_words(sighting), f"since {day(sighting.first_seen)}"]
    facts += [visible(sighting.detail)] if sighting.detail else []
    facts += (
        [f"owned by {list_words([visible(owner) for owner in sighting.owners])}"] if sighting.owners else []
    )
    yield f"         {'; '.join(facts)}"
    if sighting.standing == "suppressed":
        yield f"         suppressed until {sighting.until}: {visible(sighting.reason)}"
    elif sighting.standing == "baseline":
        yield "         in the baseline"


def _gone(result: Result) -> Iterator[str]:
    if result.gone:
        yield ""
        yield "Gone since the last run (a key that was there remains known to whoever read it)"
        for one in result.gone:
            yield f"     {key_words(one.hit.key)} in {visible(one.full_path)}"


def _gaps(runs: Sequence[Run], show_all: bool) -> Iterator[str]:
    """Always something: silence is no evidence."""
    if all(run.complete for run in runs):
        yield "  nothing: every byte was searched, now or before"
        return
    for run in runs:
        if not run.items and not run.may_be_empty:
            yield f"  {visible(run.target)}: there is nothing in it that could be searched"
        reasons = Counter(trouble.reason for trouble in run.troubles)
        first = {trouble.reason: trouble.place for trouble in reversed(run.troubles)}
        chosen = reasons.most_common(None if show_all else _GAPS_SHOWN)
        for reason, count in chosen:
            where = visible(first[reason] or run.target)
            yield f"  {where}: {visible(reason)}" + (
                f" (and {count - 1:,} more like this)" if count > 1 else ""
            )
        left = run.gaps - sum(count for _, count in chosen)
        if left:
            yield f"  … and {count_words(left, 'gap')} more" + ("" if show_all else " (--all)")
