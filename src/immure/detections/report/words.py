"""Sentences that all formats share."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from immure.detections.finding import Finding, Severity
from immure.detections.outcome import Outcome, Verdict
from immure.scanning.report.words import count_words

#: In which order verdicts are shown.
ORDER: Final = ("issued", "forged", "not-yet-known", "ledger-gap", "unknown")


def headline(outcome: Outcome, least: Severity) -> str:
    """The verdict in a sentence."""
    verdict = outcome.verdict(least)
    forged = [one for one in outcome.findings if one.rule == "token-forged"]
    if forged:
        return f"{count_words(len(forged), 'token')} that nobody issued: somebody else has the key"
    if verdict == "found":
        return f"{count_words(len(outcome.findings), 'finding')}, no token that is proved to be forged"
    if verdict == "incomplete":
        return "nothing found so far, but not everything could be judged"
    if outcome.verdicts.get("issued"):
        return "every accepted token was issued, and no rule found anything"
    return "no rule that was asked found anything"


def exit_code(verdict: Verdict, fail_on: str) -> int:
    """As for ``scan``: 0, 1 or 3.

    >>> exit_code("incomplete", "incomplete"), exit_code("incomplete", "findings")
    (3, 0)
    """
    if fail_on == "never":
        return 0
    if verdict == "found":
        return 1
    return 3 if verdict == "incomplete" and fail_on == "incomplete" else 0


def moment(microseconds: int | None) -> str:
    """A time as RFC 3339, to the second; a hyphen for none.

    >>> moment(0), moment(None)
    ('1970-01-01T00:00:00Z', '-')
    """
    if microseconds is None:
        return "-"
    return seconds(microseconds // 1_000_000)


def seconds(value: int) -> str:
    """Seconds since 1970 as RFC 3339; the number itself if there is no such year."""
    try:
        return datetime.fromtimestamp(value, UTC).isoformat().replace("+00:00", "Z")
    except (ValueError, OverflowError, OSError):
        return f"{value} s"


def span(finding: Finding) -> str:
    """From when to when."""
    if finding.first is None:
        return "-"
    first, last = moment(finding.first), moment(finding.last)
    return first if first == last else f"{first} to {last}"


def named(finding: Finding) -> str:
    """What it is about, in a line."""
    return ", ".join(f"{name} {value}" for name, value in {**finding.keys, **finding.facts}.items())
