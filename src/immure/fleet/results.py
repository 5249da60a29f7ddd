"""What a worker answers: findings and figures, no byte of a key.

Every answer says which bytes it went through (``covered``), so that the coordinator can prove that each was
searched exactly once.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from immure.fleet.tasks import Tally
from immure.keymaterial.key import Numbers, PublicKey
from immure.scanning.finding import FindingKind, ImageReport, NotSearched, Occurrence

Spans = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Looked:
    """What an object is. ``can_split``: it is an image as it stands, not compressed and not an archive."""

    format: str
    can_split: bool


@dataclass(frozen=True, slots=True)
class Scanned:
    """The reports on all images in an object."""

    reports: tuple[ImageReport, ...]
    covered: Spans


@dataclass(frozen=True, slots=True)
class Surveyed:
    """What one range brings to the plan: windows, and keys in order of offset."""

    tally: Tally
    keys: tuple[tuple[PublicKey, FindingKind], ...]
    covered: Spans


@dataclass(frozen=True, slots=True)
class Rank:
    """How good the proof of a key is that one range gave: of several the least is reported."""

    order: tuple[bool, int, int]
    words: str
    offset: int


@dataclass(frozen=True, slots=True)
class Searched:
    """The report on one range, and a rank for each key that was proved in it."""

    report: ImageReport
    ranks: tuple[tuple[Numbers, Rank], ...]
    covered: Spans


@dataclass(frozen=True, slots=True)
class Swept:
    """The places of keys in one range."""

    occurrences: tuple[tuple[Numbers, tuple[Occurrence, ...]], ...]
    covered: Spans
    not_searched: tuple[NotSearched, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Failure:
    """The task could not be done. ``passes``: it may succeed if it is tried again."""

    reason: str
    passes: bool


Result = Looked | Scanned | Surveyed | Searched | Swept | Failure
