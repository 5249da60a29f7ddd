"""What all turns of a state have come to, gathered for a report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from immure.detections.engine import Engine
from immure.detections.finding import Finding
from immure.detections.ledger_side import IssuerSide
from immure.detections.outcome import IssuerStanding, Outcome
from immure.detections.settings import Settings
from immure.detections.state import State
from immure.detections.waiting import count_waiting

_WORDS: Final = {
    "not-yet-known": "{} acceptances are from after the watermark: not yet known",
    "ledger-gap": "{} acceptances are from a time of which rows of the ledger were lost",
    "unknown": "of {} acceptances nobody can tell: no ledger of their issuer, no digest, or no time",
}


@dataclass(frozen=True, slots=True)
class Gathered:
    """See the module.

    Attributes:
        state, settings: of the turn.
        sides: what the ledger knows.
        missing: why something cannot be said, as far as the turn has noticed.
        notes: what else should be known.
        hidden: findings that are not shown, by rule.
    """

    state: State
    settings: Settings
    sides: Mapping[str, IssuerSide]
    missing: list[str]
    notes: list[str]
    hidden: Mapping[str, int]

    def outcome(self, *, windows: int) -> Outcome:
        """All of it."""
        counts = self.state.counts()
        verdicts = Counter(counts.pop("verdicts", {}))
        verdicts.update(self._waiting())
        odd = tuple(self.state.odd())
        self._say_missing(verdicts, sum(one.count for one in odd if one.lost))
        self._say_unused(counts)
        return Outcome(
            findings=tuple(sorted((finding for _, finding in self.state.findings()), key=Finding.order)),
            verdicts=dict(verdicts),
            issuers=tuple(self._standing(side) for side in self.sides.values()),
            sources=counts,
            odd=odd,
            missing=tuple(self.missing),
            notes=tuple(self.notes),
            rules=tuple(rule.id for rule in self.settings.rules),
            hidden={name: count for name, count in self.hidden.items() if count},
            windows=windows,
        )

    def _say_unused(self, counts: Mapping[str, Mapping[str, int]]) -> None:
        for source, named in counts.items():
            if rows := named.get("rows.issued"):
                self.missing.append(
                    f"{rows:,} rows of a ledger were among the logs ({source}), and are not used: "
                    "rows count only from segments (--issued)"
                )

    def _standing(self, side: IssuerSide) -> IssuerStanding:
        proved = self.settings.ledger is not None and self.settings.ledger.log is not None
        gaps = tuple(side.gaps)
        return IssuerStanding(side.issuer, side.known_from, side.watermark, gaps, len(side.files), proved)

    def _waiting(self) -> Counter[str]:
        parts = [one for one in self.state.parts("acceptance") if one.state == "pending"]
        if not parts:
            return Counter()
        with Engine(self.state.directory, memory=self.settings.memory) as engine:
            return count_waiting(engine, [str(self.state.path(one.name)) for one in parts], self.sides)

    def _say_missing(self, verdicts: Counter[str], lost: int) -> None:
        say = self.missing.append
        if self.settings.ledger is not None:
            for verdict, words in _WORDS.items():
                if verdicts[verdict]:
                    say(words.format(f"{verdicts[verdict]:,}"))
        elif sum(verdicts.values()):
            say(f"{sum(verdicts.values()):,} acceptances, and no ledger (--issued)")
        for side in self.sides.values():
            for facts in side.facts:
                if facts.wrong:
                    say(f"{facts.path}: {facts.wrong}")
        if lost:
            say(f"{lost:,} records were not understood")
        for name, count in self.hidden.items():
            if count:
                say(f"{count:,} more findings of {name} are not shown")
        if self.state.get("short-baseline"):
            days = f"{self.settings.baseline_days:g}"
            say(f"records of less than {days} days: what is new cannot be told (--baseline)")
