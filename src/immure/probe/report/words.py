"""How reports say what follows from a probe.

>>> exit_code(Verdict.CANNOT_TELL)
3
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from immure.probe.answer import Outcome
from immure.probe.case import Severity
from immure.probe.result import ProbeReport, Result, Verdict
from immure.scanning.report.words import count_words, list_words

SEVERITIES: Final[tuple[Severity, ...]] = ("critical", "high", "medium", "low")
#: What a script may conclude.
EXIT_CODES: Final = {Verdict.NOTHING: 0, Verdict.LET_IN: 1, Verdict.CANNOT_TELL: 3}


def exit_code(verdict: Verdict) -> int:
    """The exit code of the command."""
    return EXIT_CODES[verdict]


def headline(report: ProbeReport) -> str:
    """The verdict in a sentence."""
    asked = len(report.results) - len(report.of(Outcome.NOT_ASKED))
    if report.verdict is Verdict.LET_IN:
        return f"{count_words(len(report.holes), 'token was', 'tokens were')} let in that must be refused"
    if report.verdict is Verdict.CANNOT_TELL:
        return f"Cannot tell: {report.reason or _unanswered(report, asked)}"
    return f"Nothing was let in that must be refused, of {count_words(asked, 'case')} asked"


def _unanswered(report: ProbeReport, asked: int) -> str:
    silent = len(report.of(Outcome.NO_ANSWER)) + len(report.of(Outcome.UNCLEAR))
    if not asked:
        return "nothing could be asked"
    return f"{count_words(silent, 'token')} got no answer that says yes or no"


def counts_words(report: ProbeReport) -> str:
    """How many tokens had which fate."""
    parts = [f"{len(found)} {one.value}" for one in Outcome if (found := report.of(one))]
    return list_words(parts)


def by_severity(results: Iterable[Result]) -> list[Result]:
    """The worst first, otherwise in the order of asking."""
    return sorted(results, key=lambda one: SEVERITIES.index(one.case.severity))


def notable(report: ProbeReport) -> list[tuple[str, list[Result]]]:
    """What a person should read, under headings; none of the lists is empty."""
    remarks = [one for one in report.results if one.is_remark]
    lists = [
        ("Let in, and must be refused", by_severity(report.holes)),
        ("Broke the server, or its connection", report.of(Outcome.BROKE)),
        ("No answer that says yes or no", report.of(Outcome.NO_ANSWER) + report.of(Outcome.UNCLEAR)),
        (
            "Let in, which the standards leave open",
            by_severity(remarks),
        ),
    ]
    return [(heading, results) for heading, results in lists if results]


def not_asked(report: ProbeReport) -> list[tuple[str, int]]:
    """Why cases were not asked, and how many."""
    why: dict[str, int] = {}
    for one in report.of(Outcome.NOT_ASKED):
        why[one.answer.detail] = why.get(one.answer.detail, 0) + 1
    return list(why.items())
