"""What a probe has seen, and what follows from it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from immure.probe.answer import Answer, Outcome
from immure.probe.case import Case


class Verdict(Enum):
    """What can be said of the relying party."""

    NOTHING = "nothing let in"
    LET_IN = "let in"
    CANNOT_TELL = "cannot tell"


@dataclass(frozen=True)
class Control:
    """A token whose fate is known beforehand: without it, a refusal means nothing.

    Attributes:
        name: what was sent.
        wanted: what must become of it.
        answer: what did.
        before: how many cases had been asked.
    """

    name: str
    wanted: Outcome
    answer: Answer
    before: int

    @property
    def holds(self) -> bool:
        """Whether it went as it must."""
        return self.answer.outcome is self.wanted


@dataclass(frozen=True)
class Result:
    """A case, and what became of its token.

    Attributes:
        case: the question.
        answer: to it.
        digests: of the tokens, in hexadecimal (:mod:`immure.digest`); empty if none was made.
        seconds: for which the last answer took.
    """

    case: Case
    answer: Answer
    digests: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def is_hole(self) -> bool:
        """Whether a token was let in that had to be refused."""
        return self.answer.outcome is Outcome.LET_IN and self.case.expected == "refuse"

    @property
    def is_remark(self) -> bool:
        """Whether a token was let in that the standards do not forbid."""
        return self.answer.outcome is Outcome.LET_IN and self.case.expected == "may"


@dataclass(frozen=True)
class ProbeReport:
    """A probe.

    Attributes:
        target: the relying party's address.
        channel: how it was asked.
        begun, ended: when.
        issuer, audience: of the tokens that it lets in.
        keys: kid, algorithm and thumbprint of the keys whose tokens it lets in.
        controls, results: in the order of asking.
        reason: why it ended before its end, if it did.
    """

    target: str
    channel: str
    begun: datetime
    ended: datetime
    issuer: str
    audience: str
    keys: tuple[tuple[str, str, str], ...]
    controls: tuple[Control, ...]
    results: tuple[Result, ...]
    reason: str | None = None

    @property
    def holes(self) -> list[Result]:
        """What was let in that had to be refused."""
        return [one for one in self.results if one.is_hole]

    def of(self, outcome: Outcome) -> list[Result]:
        """The results with one outcome."""
        return [one for one in self.results if one.answer.outcome is outcome]

    @property
    def is_complete(self) -> bool:
        """Whether the probe came to its end, and every token that was sent was answered.

        Cases that the kit has no keys for, or that the channel cannot carry, are listed; they make nothing
        incomplete, as the owner of the kit has chosen them.
        """
        return self.reason is None and not self.of(Outcome.NO_ANSWER) and not self.of(Outcome.UNCLEAR)

    @property
    def verdict(self) -> Verdict:
        """What was let in outweighs what could not be told."""
        if self.holes:
            return Verdict.LET_IN
        asked = len(self.results) - len(self.of(Outcome.NOT_ASKED))
        return Verdict.NOTHING if self.is_complete and asked else Verdict.CANNOT_TELL
