"""Incidents: where each stands, and one of them whole. All of it follows from their records."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from immure.clock import Clock, now
from immure.errors import ImmureError, InputError
from immure.response.containment.running import ACTIONS
from immure.response.deadlines.standing import Deadline, deadlines_of
from immure.response.errors import FormError
from immure.response.facts import Conflict, conflicts, summary
from immure.response.finding import Finding
from immure.response.incident import LOG, Incident
from immure.response.steps import Steps
from immure.response.timeline import Confidence, Entry, corrected

#: Incidents of a directory that are shown.
MOST: Final = 2000
#: Entries that are kept in memory, of all incidents together.
MOST_ENTRIES: Final = 200_000
_CHECKPOINT: Final = "checkpoint"


@dataclass(frozen=True, slots=True)
class Step:
    """A step and its newest entry.

    Attributes:
        containment: whether it is one of ``immure respond contain``.
        state: ``begun``, ``done`` or ``failed``.
        entry: which says so.
    """

    name: str
    target: str
    state: str
    containment: bool
    entry: Entry


@dataclass(frozen=True, slots=True)
class Line:
    """An entry of the timeline, in a line, and the entry that has corrected it last, if one has."""

    entry: Entry
    words: str
    corrected_by: int | None


@dataclass(frozen=True, slots=True)
class Summary:
    """Where an incident stands.

    Attributes:
        folder: name of its directory, by which pages call it.
        name: its own.
        opened: what it was opened on; None if it cannot be read.
        at: when it was opened.
        closed: when it was closed; None if it is open.
        leads: who leads it.
        entries: how many there are.
        overdue: deadlines that have passed without being met.
        next: the open deadline that is due first.
        steps: that were begun and are not done.
        conflicts: things about which facts contradict each other.
        error: why it cannot be read; empty if it can.
    """

    folder: str
    name: str
    opened: Finding | None = None
    at: int | None = None
    closed: int | None = None
    leads: tuple[str, ...] = ()
    entries: int = 0
    overdue: int = 0
    next: Deadline | None = None
    steps: int = 0
    conflicts: int = 0
    error: str = ""


@dataclass(frozen=True, slots=True)
class Whole:
    """An incident.

    Attributes:
        summary: of it.
        roles: people by role.
        deadlines: the one that is due first in front; ``doubtful`` says why they cannot be told.
        steps: in the order in which they are carried out.
        conflicts: facts that contradict each other.
        entries: its timeline, the oldest first.
        corrected: sequences of entries that were corrected, with those of their corrections.
    """

    summary: Summary
    roles: Mapping[str, tuple[str, ...]]
    deadlines: tuple[Deadline, ...]
    doubtful: str
    steps: tuple[Step, ...]
    conflicts: tuple[Conflict, ...]
    entries: tuple[Entry, ...]
    corrected: Mapping[int, tuple[int, ...]]

    def lines(self, entries: Iterable[Entry]) -> list[Line]:
        """Some of the entries, in words."""
        return [Line(one, summary(one), self.corrected.get(one.sequence, (None,))[-1]) for one in entries]


class Shelf:
    """The incidents in a directory; those that were read are kept until their records change.

    Args:
        directory: of them.
    """

    def __init__(self, directory: Path, clock: Clock = now) -> None:
        self.directory = directory
        self._clock = clock
        self._summaries: dict[str, tuple[object, Summary]] = {}
        self._kept: OrderedDict[str, tuple[object, Incident]] = OrderedDict()
        self._mutex = threading.Lock()

    def folders(self) -> list[str]:
        """Names of the directories that hold an incident.

        Raises:
            InputError: the directory cannot be read.
        """
        try:
            with os.scandir(self.directory) as found:
                names = sorted(one.name for one in found if not one.name.startswith("."))
        except OSError as error:
            raise InputError(error.strerror or "cannot be read", path=str(self.directory)) from error
        return [name for name in names if (self.directory / name / LOG).is_dir()][-MOST:]

    def stamps(self) -> list[tuple[str, object]]:
        """What changes when any record does."""
        return [(name, self._stamp(name)) for name in self.folders()]

    def summaries(self) -> list[Summary]:
        """Where each stands: those with passed deadlines first, then the open ones, each the newest first."""
        folders = self.folders()
        made = [self._summary(name) for name in folders]
        with self._mutex:
            for gone in self._summaries.keys() - folders:
                del self._summaries[gone]
        return sorted(made, key=_order)

    def whole(self, folder: str) -> Whole | None:
        """One of them; None if there is none of that name.

        Raises:
            IncidentError: it cannot be read.
        """
        if folder not in self.folders():
            return None
        incident = self._incident(folder)
        entries = incident.entries()
        found, doubtful = self._deadlines(entries)
        return Whole(
            self._of(folder, incident),
            {role: tuple(sorted(people)) for role, people in incident.roles().items()},
            tuple(found),
            doubtful,
            tuple(_steps(incident)),
            conflicts(entries),
            entries,
            corrected(entries),
        )

    def _summary(self, folder: str) -> Summary:
        """A minute old at most: deadlines pass while the record stays the same."""
        when = self._stamp(folder), int(self._clock().timestamp()) // 60
        with self._mutex:
            known = self._summaries.get(folder)
        if known is not None and known[0] == when:
            return known[1]
        try:
            made = self._of(folder, self._incident(folder))
        except ImmureError as error:
            made = Summary(folder, folder, error=error.reason)
        with self._mutex:
            self._summaries[folder] = when, made
        return made

    def _of(self, folder: str, incident: Incident) -> Summary:
        entries, closed = incident.entries(), incident.closed
        found, _ = self._deadlines(entries)
        moment = int(self._clock().timestamp())
        return Summary(
            folder,
            incident.name,
            incident.opened,
            entries[0].at,
            None if closed is None else closed.at,
            tuple(sorted(incident.roles()["lead"])),
            len(entries),
            sum(one.overdue for one in found),
            next((one for one in found if one.left(moment) is not None), None),
            sum(entry.body.get("state") != "done" for _, _, entry in Steps(incident, "").all()),
            len(conflicts(entries)),
        )

    def _deadlines(self, entries: Sequence[Entry]) -> tuple[list[Deadline], str]:
        try:
            return deadlines_of(entries, int(self._clock().timestamp())), ""
        except FormError as error:
            return [], error.reason

    def _incident(self, folder: str) -> Incident:
        stamp = self._stamp(folder)
        with self._mutex:
            kept = self._kept.get(folder)
            if kept is not None and kept[0] == stamp:
                self._kept.move_to_end(folder)
                return kept[1]
        incident = Incident.load(self.directory / folder)
        with self._mutex:
            self._kept[folder] = stamp, incident
            self._kept.move_to_end(folder)
            while len(self._kept) > 1 and self._entries() > MOST_ENTRIES:
                self._kept.popitem(last=False)
        return incident

    def _entries(self) -> int:
        return sum(len(one.entries()) for _, one in self._kept.values())

    def _stamp(self, folder: str) -> object:
        try:
            found = os.stat(self.directory / folder / LOG / _CHECKPOINT)
        except OSError as error:
            return error.errno
        return found.st_mtime_ns, found.st_size, found.st_ino


def _steps(incident: Incident) -> list[Step]:
    order = {action.name: place for place, action in enumerate(ACTIONS)}
    found = [
        Step(name, target, str(entry.body.get("state")), name in order, entry)
        for name, target, entry in Steps(incident, "").all()
    ]
    return sorted(found, key=lambda one: (not one.containment, order.get(one.name, 0), one.target))


def _order(one: Summary) -> tuple[int, int, str]:
    place = 0 if one.error or one.overdue else 1 if one.closed is None else 2
    return place, -(one.at or 0), one.folder


def confidences() -> tuple[str, ...]:
    """How sure an entry can be."""
    return tuple(one.value for one in Confidence)
