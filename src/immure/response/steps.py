"""Work that goes on where it was broken off: each step of it begun, done or failed, in the timeline.

A step is done *for* a target: a relying party, a tenant, a receiver. Whoever carries steps out writes
``begun`` before it acts and ``done`` after; a step that was begun and not ended is one of which nobody knows
whether it happened, so that what it does must be idempotent, or be asked for at the other side.

What counts is what stands: a ``done`` that somebody has corrected was not done, and is begun again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from immure.response.incident import Incident
from immure.response.timeline import Entry, JsonValue, standing

STATES: Final = ("begun", "done", "failed")


class Steps:
    """The steps of one incident.

    Args:
        incident: its record.
        actor: who carries them out.
    """

    def __init__(self, incident: Incident, actor: str) -> None:
        self._incident = incident
        self._actor = actor
        self._read = 0
        self._last: dict[tuple[str, str], Entry] = {}

    def begun(self, step: str, target: str = "", detail: JsonValue = None) -> Entry:
        """Write down that a step is begun; raises as :meth:`Incident.add`, like the others."""
        return self._write(step, target, "begun", detail)

    def done(self, step: str, target: str = "", detail: JsonValue = None) -> Entry:
        """Write down that it is done, and what came of it."""
        return self._write(step, target, "done", detail)

    def failed(self, step: str, target: str = "", reason: str = "") -> Entry:
        """Write down that it failed, and why; it may be begun again."""
        return self._write(step, target, "failed", reason)

    def state(self, step: str, target: str = "") -> str | None:
        """``begun``, ``done`` or ``failed``; None if it was never begun."""
        entry = self.last(step, target)
        return None if entry is None else str(entry.body.get("state"))

    def last(self, step: str, target: str = "") -> Entry | None:
        """The newest entry about a step; None if there is none."""
        self._catch_up()
        return self._last.get((step, target))

    def all(self) -> Iterator[tuple[str, str, Entry]]:
        """Each step and target with its newest entry, in the order in which they were first begun."""
        self._catch_up()
        for (step, target), entry in self._last.items():
            yield step, target, entry

    def _write(self, step: str, target: str, state: str, detail: JsonValue) -> Entry:
        body: dict[str, JsonValue] = {"step": step, "target": target, "state": state, "detail": detail}
        return self._incident.add("step", body, actor=self._actor)

    def _catch_up(self) -> None:
        entries = self._incident.entries()
        new = entries[self._read :]
        self._read = len(entries)
        if any(entry.corrects is not None for entry in new):
            self._last.clear()  # what was taken back may have been the newest of its step
            new = tuple(sorted(standing(entries, "step"), key=lambda entry: _place(entry, entries)))
        for entry in new:
            if (entry.kind == "step" or entry.corrects is not None) and entry.body.get("state") in STATES:
                place = (str(entry.body.get("step", "")), str(entry.body.get("target", "")))
                self._last[place] = entry


def _place(entry: Entry, entries: Sequence[Entry]) -> int:
    """Where an entry counts: in the place of what it corrects (which is before it), and so on."""
    while entry.corrects is not None:
        entry = entries[entry.corrects]
    return entry.sequence
