"""What a run, or all runs of a state together, have come to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from immure.detections.finding import Finding, Severity, at_least
from immure.detections.records import NotUnderstood

Verdict = Literal["found", "clean", "incomplete"]


@dataclass(frozen=True, slots=True)
class IssuerStanding:
    """Of what time the ledger of an issuer is complete.

    Attributes:
        issuer: its name.
        known_from, watermark: seconds since 1970.
        gaps: ``(from, to, why)``.
        segments: how many count.
        proved: whether a signed log says so.
    """

    issuer: str
    known_from: int
    watermark: int
    gaps: tuple[tuple[int, int, str], ...]
    segments: int
    proved: bool


@dataclass(frozen=True)
class Outcome:
    """See the module.

    Attributes:
        findings: the worst first.
        verdicts: how many acceptances have which (:data:`~immure.detections.reconcile_sql.VERDICTS`).
        issuers: what is known of the ledger of each.
        sources: for each source, counts of what was read: ``read``, ``rows.KIND``, ``lost``,
            ``passed-over.WORD``.
        odd: what was not understood.
        missing: why something cannot be said, one reason each; what is here makes a run incomplete.
        notes: what else should be known, which makes it not incomplete.
        rules: ids of the rules that were asked.
        hidden: by rule, how many findings more there are than are shown.
        windows: of time that were looked at in this run.
    """

    findings: tuple[Finding, ...] = ()
    verdicts: Mapping[str, int] = field(default_factory=dict)
    issuers: tuple[IssuerStanding, ...] = ()
    sources: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    odd: tuple[NotUnderstood, ...] = ()
    missing: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    hidden: Mapping[str, int] = field(default_factory=dict)
    windows: int = 0

    def verdict(self, least: Severity = "medium") -> Verdict:
        """What is to be concluded; findings outweigh incompleteness."""
        if any(at_least(one.severity, least) for one in self.findings):
            return "found"
        return "incomplete" if self.missing else "clean"

    @property
    def lost(self) -> int:
        """Records of which no row was made, because they were not understood."""
        return sum(one.count for one in self.odd if one.lost)
