"""Whether logs are kept for as long as it can take to notice a theft: asked before there is one.

>>> need = Keeping(timedelta(days=60), timedelta(days=1), timedelta(days=365))
>>> judge(LogSource("mail", keeps=timedelta(days=180)), need).gap.days
246

What is needed is what the ledger needs (:mod:`immure.ledger.retention`): key life + longest token life +
detection lag. What a log keeps is what somebody has configured, and what is really there.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from immure.ledger.retention import Keeping

Verdict = Literal["kept", "gap", "unknown"]
#: By how much what is there may be less than what is configured: logs are cut by the day.
SLACK: Final = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class LogSource:
    """A log.

    Attributes:
        name: of it.
        keeps: how long it is kept, as somebody has configured it; None if nobody says.
        oldest: its oldest record; None if nobody has looked, or it is empty.
        began: when logging began, as somebody says.
        looked: whether somebody has looked what is there.
    """

    name: str
    keeps: timedelta | None = None
    oldest: datetime | None = None
    began: datetime | None = None
    looked: bool = False


@dataclass(frozen=True, slots=True)
class Judged:
    """What is to be said of a log.

    Attributes:
        source: the log.
        verdict: ``unknown``: nothing says that it is kept, and it is too young to show it.
        gap: for how long too little is kept; nothing if it is enough.
        words: why.
    """

    source: LogSource
    verdict: Verdict
    gap: timedelta
    words: str


def judge(source: LogSource, need: Keeping, now: datetime | None = None) -> Judged:
    """Hold a log against what is needed.

    Args:
        source: the log.
        need: what must be kept.
        now: for what is really there; without it only what is configured is asked.
    """
    wanted = need.total
    span = None if now is None else _span(source, now)
    if span is not None and source.began is not None and now is not None:
        lost = _lost(source, span, now - source.began, wanted)
        if lost is not None:
            return lost
    if source.keeps is not None and source.keeps < wanted:
        words = f"is kept for {days(source.keeps)} days, and {days(wanted)} are needed"
        return Judged(source, "gap", wanted - source.keeps, words)
    if now is not None and source.looked and span is None:
        words = "is empty, and nobody says since when there should be records (began)"
        return Judged(source, "unknown", wanted, f"{words}; {days(wanted)} days are needed")
    if source.keeps is not None:
        seen = "" if span is None else f", {days(span)} are there"
        return Judged(source, "kept", timedelta(0), f"is kept for {days(source.keeps)} days{seen}")
    if span is None:
        words = f"nothing says for how long it is kept, and {days(wanted)} days are needed"
        return Judged(source, "unknown", wanted, words)
    if span >= wanted:
        return Judged(source, "kept", timedelta(0), f"{days(span)} days are there")
    words = f"{days(span)} days are there, and nothing says that {days(wanted)} will be kept"
    return Judged(source, "unknown", wanted - span, words)


def _span(source: LogSource, now: datetime) -> timedelta | None:
    """How far back what is there goes; None if nobody knows. One that has begun and is empty goes nowhere."""
    if source.oldest is not None:
        return now - source.oldest
    return timedelta(0) if source.looked and source.began is not None else None


def _lost(source: LogSource, span: timedelta, age: timedelta, wanted: timedelta) -> Judged | None:
    """A gap, if less is there than there could be and should be."""
    should = min(age, wanted, wanted if source.keeps is None else source.keeps)
    if span + SLACK >= should:
        return None
    there = f"only {days(span)} days are there" if source.oldest is not None else "is empty"
    words = f"{there}, though it began {days(age)} days ago"
    return Judged(source, "gap", wanted - span, words)


def days(span: timedelta) -> str:
    """A span of time in days.

    >>> days(timedelta(days=1, hours=12)), days(timedelta(minutes=1))
    ('1.5', '0')
    """
    return f"{span / timedelta(days=1):.1f}".removesuffix(".0")
