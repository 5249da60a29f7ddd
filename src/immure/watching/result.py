"""What a whole run over several targets came to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from immure.watching.finding import KeyFinding, Sighting
from immure.watching.question import Question
from immure.watching.rules.judging import Rules
from immure.watching.rules.suppressions import Suppression
from immure.watching.run import Run
from immure.watching.state import State


@dataclass(frozen=True)
class Result:
    """A run, and what is there after it.

    Attributes:
        runs: one for each target.
        findings: keys that are in the targets now, whenever they were found.
        gone: sightings that this run found to be no more.
        expired: suppressions that hold no more.
        question: what was looked for.
        began, ended: in UTC.
    """

    runs: Sequence[Run]
    findings: Sequence[KeyFinding]
    gone: Sequence[Sighting]
    expired: Sequence[Suppression]
    question: Question
    began: datetime
    ended: datetime

    @property
    def is_open(self) -> bool:
        """Whether anything was found that counts."""
        return any(finding.is_open for finding in self.findings)

    @property
    def complete(self) -> bool:
        """Whether everything was searched, and there was something to search."""
        return bool(self.runs) and all(run.complete for run in self.runs)

    @property
    def sightings(self) -> list[Sighting]:
        """All of all findings."""
        return [sighting for finding in self.findings for sighting in finding.sightings]


@dataclass
class Gathering:
    """Collects runs, and makes the result of them."""

    state: State
    question: Question
    rules: Rules
    runs: list[Run] = field(default_factory=list)

    def result(self, began: datetime, ended: datetime) -> Result:
        """What is in the targets, judged by the rules of the day.

        Raises:
            StateError: the state cannot be read.
        """
        today: date = ended.date()
        present: list[Sighting] = []
        gone: list[Sighting] = []
        for run in self.runs:
            for sighting in self.state.sightings(run.target, self.question):
                if sighting.gone is None:
                    present.append(sighting)
                elif sighting.gone >= began:
                    gone.append(sighting)
        findings = self.rules.findings(present, today)
        return Result(self.runs, findings, gone, self.rules.expired(today), self.question, began, ended)
