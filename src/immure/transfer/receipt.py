"""The receipt of a release: which bytes went where, by which policy and clearance, and where it is logged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from immure.auditlog import Checkpoint, Entry
from immure.transfer.case import Decision
from immure.transfer.destinations.interface import Placed

SCHEMA: Final = "https://immure.example/schemas/release-receipt-1.json"


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a release leaves in the hands of whoever asked for it.

    Attributes:
        decision: what was decided, and on what.
        evidence: digests of the envelope and the grant that were shown.
        placed: whether the dump is new there.
        allowed, done: the two entries of the log.
        checkpoint: the signed state of the log that counts both.
    """

    decision: Decision
    evidence: Mapping[str, str | None]
    placed: Placed
    allowed: Entry
    done: Entry
    checkpoint: Checkpoint

    def to_json(self) -> dict[str, Any]:
        """As ``immure release`` prints it."""
        return self.decision.to_json(self.evidence) | {
            "schema": SCHEMA,
            "placed": self.placed,
            "released": self.done.body["released"],
            "log": {
                "origin": self.checkpoint.origin,
                "allowed": self.allowed.index,
                "done": self.done.index,
                "checkpoint": self.checkpoint.note.decode("utf-8"),
            },
        }
