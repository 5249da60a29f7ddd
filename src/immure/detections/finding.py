"""What a rule has found.

>>> one = Finding("token-forged", "critical", "a token that nobody issued", keys={"digest": "00"})
>>> one.id == Finding("token-forged", "critical", "other words", keys={"digest": "00"}).id
True
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any, Final, Literal, get_args

Severity = Literal["info", "low", "medium", "high", "critical"]
SEVERITIES: Final[tuple[Severity, ...]] = get_args(Severity)
#: Names of records that a finding shows.
MOST_RECORDS: Final = 10


@dataclass(frozen=True)
class Finding:
    """Something that was found, in one record or many.

    Attributes:
        rule: id of the rule.
        severity: how bad it is if it is true.
        title: what was found, in a line; the same for all findings of a rule.
        keys: what makes two findings one: names of columns and their values, as text; never a secret.
        reason: why the rule says so, with the figures.
        strength: ``strong``: it follows from records that are complete. ``weak``: it is likely, or strange.
        count: records.
        first, last: of their times, microseconds since 1970; None if they have none.
        score: rarity, in bits: the greater, the stranger; 0 if the rule has no such thing.
        records: names of some records.
        facts: more that is known.
    """

    rule: str
    severity: Severity
    title: str
    keys: Mapping[str, str] = field(default_factory=dict)
    reason: str = ""
    strength: Literal["strong", "weak"] = "strong"
    count: int = 1
    first: int | None = None
    last: int | None = None
    score: float = 0.0
    records: tuple[str, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def id(self) -> str:
        """Its name: the same in every run that finds the same."""
        text = json.dumps([self.rule, sorted(self.keys.items())], separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:32]

    def plain(self) -> dict[str, Any]:
        """As JSON has it."""
        members: dict[str, Any] = {"id": self.id}
        for one in fields(self):
            value = getattr(self, one.name)
            members[one.name] = dict(value) if isinstance(value, Mapping) else value
        members["records"] = list(self.records)
        return members

    @classmethod
    def from_plain(cls, members: Mapping[str, Any]) -> Finding:
        """The finding that :meth:`plain` has made this of."""
        values = {name: value for name, value in members.items() if name != "id"}
        return cls(**{**values, "records": tuple(values["records"])})

    def order(self) -> tuple[int, float, int, str]:
        """Sorts the worst, then the strangest, then the oldest first."""
        return -SEVERITIES.index(self.severity), -self.score, self.first or 0, self.id


def at_least(severity: Severity, least: Severity) -> bool:
    """Whether one severity is as bad as another.

    >>> at_least("high", "medium"), at_least("low", "medium")
    (True, False)
    """
    return SEVERITIES.index(severity) >= SEVERITIES.index(least)
