"""The account of a fleet's run: each byte range, by whom it was searched, and that it was once."""

from __future__ import annotations

from dataclasses import dataclass, field

from immure.fleet.unit import Outcome, Unit


@dataclass(frozen=True, slots=True)
class RangeRecord:
    """What became of one byte range in one stage.

    Attributes:
        stage: ``scan`` (a whole image), or ``look``, ``survey``, ``search``, ``sweep``.
        start, stop: the range in bytes of the object.
        outcome: ``done`` (its answer was counted, once), ``failed``, or ``quarantined``.
        attempts: how often it was begun.
        discarded: answers beyond the one that counts.
        reason: why it failed.
    """

    stage: str
    start: int
    stop: int
    outcome: Outcome
    attempts: int
    discarded: int = 0
    reason: str = ""

    @classmethod
    def of(cls, unit: Unit, start: int, stop: int) -> RangeRecord:
        """The record of a unit, as it stands."""
        return cls(unit.stage, start, stop, unit.outcome, unit.attempts, unit.discarded, unit.reason)


@dataclass
class ImageAccount:
    """The ranges of one object. ``fault``: bytes that were counted twice or never, which is a bug in Immure.

    ``searched_bytes`` were searched exactly once, each.
    """

    path: str
    size: int
    units: list[tuple[Unit, int, int]] = field(default_factory=list)
    searched_bytes: int = 0
    fault: str | None = None

    def open(self, unit: Unit, start: int, stop: int) -> Unit:
        """Note a unit that is to be done; returns it."""
        self.units.append((unit, start, stop))
        return unit

    @property
    def ranges(self) -> list[RangeRecord]:
        """All of them, in the order in which they were planned."""
        return [RangeRecord.of(unit, start, stop) for unit, start, stop in self.units]


@dataclass
class Account:
    """The whole run."""

    engine: str = ""
    images: list[ImageAccount] = field(default_factory=list)
    workers_seen: int = 0
    workers_lost: int = 0

    @property
    def ranges(self) -> list[RangeRecord]:
        """The ranges of all images."""
        return [record for image in self.images for record in image.ranges]

    @property
    def lost(self) -> list[tuple[str, RangeRecord]]:
        """What was not searched after all, with its path."""
        return [(image.path, one) for image in self.images for one in image.ranges if one.outcome != "done"]

    def totals(self) -> dict[str, int]:
        """Figures for reports."""
        ranges = self.ranges
        return {
            "ranges": len(ranges),
            "attempts": sum(one.attempts for one in ranges),
            "discarded": sum(one.discarded for one in ranges),
            "failed": sum(one.outcome == "failed" for one in ranges),
            "quarantined": sum(one.outcome == "quarantined" for one in ranges),
            "searched_bytes": sum(image.searched_bytes for image in self.images),
            "workers_seen": self.workers_seen,
            "workers_lost": self.workers_lost,
        }
