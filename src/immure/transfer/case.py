"""What a decision is about: a dump, a clearance, where to, and when; and what was decided."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from immure.clock import to_rfc3339

if TYPE_CHECKING:
    from immure.attest.clearance import Clearance
    from immure.transfer.policy import PolicyVersion


@dataclass(frozen=True, slots=True)
class Shown:
    """A clearance whose signatures hold.

    Attributes:
        clearance: what it says.
        subject: SHA-256 of the bytes that it says it of, in hex.
        signers: fingerprints of the keys that may sign clearances and have signed this one.
    """

    clearance: Clearance
    subject: str
    signers: frozenset[str]


@dataclass(frozen=True, slots=True)
class NotShown:
    """That there is no clearance: the rule that says so, and why."""

    rule: str
    reason: str


@dataclass(frozen=True, slots=True)
class Case:
    """All that the rules look at.

    Attributes:
        sha256, size: of the sealed bytes.
        taken: when the dump was made, as far as can be told.
        now: when it is decided.
        destination: where it is to go.
        name: under which name.
        shown: the clearance, or why there is none.
        grant: whether people have granted it; None if nobody has said so or can tell.
        granted: why not.
    """

    sha256: str
    size: int
    taken: datetime
    now: datetime
    destination: str
    name: str
    shown: Shown | NotShown = NotShown("clearance", "there is no clearance")
    grant: bool | None = None
    granted: str = "no grant was shown"

    @property
    def signers(self) -> frozenset[str]:
        """Who has signed the clearance, of those who may."""
        return self.shown.signers if isinstance(self.shown, Shown) else frozenset()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one rule says; ``reason`` is for people, and empty if it has nothing against it."""

    rule: str
    allowed: bool
    reason: str = ""

    def to_json(self) -> dict[str, Any]:
        """As logs and receipts have it."""
        members: dict[str, Any] = {"rule": self.rule, "allowed": self.allowed}
        return members | ({"reason": plain(self.reason)} if self.reason else {})


@dataclass(frozen=True, slots=True)
class Decision:
    """What all rules together say, and under which policy."""

    case: Case
    policy: PolicyVersion | None
    outcomes: tuple[Outcome, ...]

    @property
    def allowed(self) -> bool:
        """Whether every rule allows it; there is at least one."""
        return bool(self.outcomes) and all(outcome.allowed for outcome in self.outcomes)

    @property
    def denials(self) -> tuple[Outcome, ...]:
        """The rules that say no, in the order of the rules."""
        return tuple(outcome for outcome in self.outcomes if not outcome.allowed)

    def to_json(self, evidence: Mapping[str, Any]) -> dict[str, Any]:
        """The body of a log entry; ``evidence`` are digests of the envelope and the grant that were shown."""
        case = self.case
        return {
            "dump": {"sha256": case.sha256, "size": case.size, "taken": to_rfc3339(case.taken)},
            "name": plain(case.name),
            "destination": plain(case.destination),
            "decided": to_rfc3339(case.now),
            "policy": self.policy.to_json() if self.policy is not None else None,
            "evidence": dict(evidence),
            "signers": sorted(case.signers),
            "rules": [outcome.to_json() for outcome in self.outcomes],
        }


def plain(text: str) -> str:
    """``text`` with what no JSON can say spelled out (file names may hold bytes that are not UTF-8)."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
