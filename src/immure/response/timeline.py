"""The timeline of an incident: who said what, when, on what grounds, and how sure it is.

>>> entry = Entry(3, 1764460800, "fact", "ann", {"says": "k1 was in the dump"}, "scan 7", Confidence.LIKELY)
>>> entry.corrects is None
True

An entry is never changed. What turns out to be wrong is corrected by another one that names it; what stands
is then the newest of such a chain (:func:`standing`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from immure.auditlog.canonical import JSON

#: A value of JSON without floating-point numbers, as the log takes it.
JsonValue = JSON

#: Kinds of entries.
KINDS: Final = (
    "opened",
    "fact",
    "correction",
    "role",
    "approval",
    "evidence",
    "step",
    "notice",
    "advisory",
    "deadline",
    "closed",
)


class Confidence(StrEnum):
    """How sure it is that something is so."""

    CONFIRMED = "confirmed"
    LIKELY = "likely"
    POSSIBLE = "possible"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the timeline.

    Attributes:
        sequence: its place in the incident's log, from 0.
        at: seconds since 1970, by the clock of who wrote it.
        kind: one of :data:`KINDS`.
        actor: who says it; as good as whoever ran the program, which has no way to know.
        body: the particulars; what a kind holds is written down in docs/reference/incident-record.md.
        source: from where it is known; None if it is the actor's own doing.
        confidence: how sure it is.
        corrects: sequence of the entry that this one corrects.
    """

    sequence: int
    at: int
    kind: str
    actor: str
    body: Mapping[str, JsonValue]
    source: str | None = None
    confidence: Confidence = Confidence.CONFIRMED
    corrects: int | None = None


def corrected(entries: Iterable[Entry]) -> dict[int, tuple[int, ...]]:
    """Sequences of entries that were corrected, each with those of its corrections, the oldest first."""
    found: dict[int, tuple[int, ...]] = {}
    for entry in entries:
        if entry.corrects is not None:
            found[entry.corrects] = (*found.get(entry.corrects, ()), entry.sequence)
    return found


def standing(entries: Iterable[Entry], *kinds: str) -> tuple[Entry, ...]:
    """The entries that nobody has corrected; a correction stands for what it corrects.

    Args:
        entries: a whole timeline.
        kinds: only entries of these kinds, and corrections of such; none means all.
    """
    known = tuple(entries)
    gone = corrected(known)
    root: dict[int, str] = {}
    for entry in known:  # a correction comes after what it corrects, so that its kind is known by then
        root[entry.sequence] = entry.kind if entry.corrects is None else root.get(entry.corrects, entry.kind)
    return tuple(
        entry
        for entry in known
        if entry.sequence not in gone and (not kinds or root[entry.sequence] in kinds)
    )
