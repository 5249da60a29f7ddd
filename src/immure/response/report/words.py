"""Sentences that all formats of a blast radius share.

>>> number(0, True), number(7, False), number(7, True)
('unknown', '7', 'at least 7')
"""

from __future__ import annotations

from immure.response.moments import to_text
from immure.response.radius import BlastRadius, TenantImpact
from immure.scanning.report.words import count_words


def number(count: int, at_least: bool) -> str:
    """A count, which is a lower bound where something is unknown, and never nothing there."""
    if not at_least:
        return f"{count:,}"
    return f"at least {count:,}" if count else "unknown"


def moment(seconds: int | None) -> str:
    """Seconds since 1970 as RFC 3339; a hyphen for none."""
    try:
        return "-" if seconds is None else to_text(seconds)
    except ValueError:
        return f"{seconds} s"


def headline(radius: BlastRadius) -> str:
    """The radius in a sentence."""
    affected = sum(one.standing == "affected" for one in radius.tenants)
    unknown = sum(one.standing == "unknown" for one in radius.tenants)
    of = f"key {radius.kid}"
    if not affected and not unknown:
        return (
            f"nothing of {of} was seen, and something is unknown"
            if radius.at_least
            else f"{of} reached nobody"
        )
    kind = "forged token" if radius.judged == "ledger" else "token"
    least = "at least " if radius.at_least and radius.tokens else ""
    words = f"{of}: {least}{count_words(radius.tokens, kind)}, {count_words(affected, 'tenant')} affected"
    return f"{words}, of {unknown:,} more nobody knows" if unknown else words


def judged(radius: BlastRadius) -> str:
    """What counts."""
    if radius.judged == "ledger":
        return "tokens that were accepted and never issued"
    return "every token that was accepted under this kid: there was no ledger to tell which were issued"


def mailboxes(one: TenantImpact) -> str:
    """How many mailboxes, messages and folders of a tenant were read."""
    messages = sum(len(box.messages) for box in one.mailboxes)
    folders = sum(len(box.folders) for box in one.mailboxes)
    if not one.mailboxes:
        return number(0, one.at_least)
    words = number(len(one.mailboxes), one.at_least)
    return f"{words} ({count_words(messages, 'message')}, {count_words(folders, 'whole folder')})"
