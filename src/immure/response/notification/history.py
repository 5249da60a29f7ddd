"""What was sent to whom, worked out from the timeline.

Each delivery leaves entries of kind ``notice`` whose ``notice`` is ``delivery``, with a ``state``:

- ``begun``: from here on it may have been taken; written before the first byte of a letter leaves.
- ``sent``: the server said that it has it.
- ``failed``: it surely was not taken; ``permanent`` if trying again as it is makes no sense.
- ``unknown``: the connection broke before there was an answer.

A delivery that was begun, and of which there is no outcome, is one whose sender was killed: as ``unknown``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from immure.response.notification.errors import LettersError
from immure.response.notification.settings import Channel
from immure.response.timeline import Entry, corrected, standing

KIND: Final = "notice"
DELIVERY: Final = "delivery"
LETTERS: Final = "letters"
_STATES: Final = ("begun", "sent", "failed", "unknown")


class State(StrEnum):
    """How a delivery stands."""

    SENT = "sent"
    UNCERTAIN = "uncertain"
    FAILED = "failed"
    REFUSED = "refused"
    """Failed for good: the server does not take it."""
    WAITING = "waiting"
    """Nothing was tried."""


@dataclass(slots=True)
class Told:
    """What came of one delivery.

    Attributes:
        id: of the delivery.
        tenant, channel, to: whom it was for.
        number: of the set of letters that it was in first.
        stem: the name of its letter's files in that set.
        edition: of the statement to this recipient.
        statement: digest of what it says.
        message_id: of its message.
        state: how it stands.
        at: seconds since 1970, of its newest entry; of the one that says it was sent, if one does.
        date: of its message, seconds since 1970; None if nothing was begun.
        detail: what the server said last.
        entry: sequence of its newest entry.
        attempts: how often it was begun.
    """

    id: str
    tenant: str
    channel: Channel
    to: str
    number: int
    stem: str
    edition: int
    statement: str
    message_id: str
    state: State = State.WAITING
    at: int = 0
    date: int | None = None
    detail: str = ""
    entry: int = 0
    attempts: int = 0
    _open: bool = field(default=False, repr=False)
    _lost: bool = field(default=False, repr=False)

    @property
    def place(self) -> tuple[str, Channel, str]:
        """Tenant, channel and address."""
        return self.tenant, self.channel, self.to

    @property
    def may_have_it(self) -> bool:
        """Whether the recipient has it, or may have it."""
        return self.state in (State.SENT, State.UNCERTAIN)

    def take(self, entry: Entry) -> None:
        """Take over what an entry says."""
        state, self.entry = entry.body["state"], entry.sequence
        self.detail = str(entry.body.get("detail", ""))
        if state == "begun":
            self._open = True
            self.attempts += 1
            date = entry.body.get("date")
            self.date = date if self.date is None and type(date) is int else self.date
        elif state == "unknown":
            self._open, self._lost = False, True
        else:
            self._open = False
        self.at = entry.at
        if self.state is State.SENT or state == "sent":
            self.state = State.SENT
        elif self._open or self._lost:
            self.state = State.UNCERTAIN
        else:
            self.state = State.REFUSED if entry.body.get("permanent") is True else State.FAILED


class History:
    """All deliveries of an incident.

    Args:
        entries: its whole timeline.

    Attributes:
        sets: every set of letters that was ever written, by its number.
        withdrawn: numbers of those whose entry somebody has corrected, with the sequence of the correction.

    Raises:
        LettersError: an entry is not of this form.
    """

    def __init__(self, entries: Iterable[Entry]) -> None:
        known = tuple(entries)
        self._found: dict[str, Told] = {}
        self.sets: dict[int, Entry] = {}
        self.withdrawn: dict[int, int] = {}
        gone = corrected(known)
        for entry in known:
            if entry.kind == KIND and entry.body.get("notice") == LETTERS:
                number = _number(entry, "number")
                self.sets[number] = entry
                if entry.sequence in gone:
                    self.withdrawn[number] = gone[entry.sequence][-1]
        for entry in standing(known, KIND):
            if entry.body.get("notice") == DELIVERY:
                self._take(entry)

    def of(self, delivery: str) -> Told | None:
        """The delivery with that id, if it was ever tried."""
        return self._found.get(delivery)

    def places(self) -> dict[tuple[str, Channel, str], Told]:
        """Everybody who has, or may have, a statement, with the newest of them."""
        found: dict[tuple[str, Channel, str], Told] = {}
        for one in self._found.values():
            before = found.get(one.place)
            newer = before is None or (before.edition, before.entry) < (one.edition, one.entry)
            if one.may_have_it and newer:
                found[one.place] = one
        return found

    def __iter__(self) -> Iterator[Told]:
        return iter(self._found.values())

    def _take(self, entry: Entry) -> None:
        body = entry.body
        if body.get("state") not in _STATES:
            raise _broken(entry)
        name = _text(entry, "delivery")
        if name not in self._found:
            channel: Any = _text(entry, "channel")
            self._found[name] = Told(
                name,
                _text(entry, "tenant"),
                channel,
                _text(entry, "to"),
                _number(entry, "number"),
                _text(entry, "stem"),
                _number(entry, "edition"),
                _text(entry, "statement"),
                _text(entry, "message_id"),
            )
        self._found[name].take(entry)


def _text(entry: Entry, name: str) -> str:
    value = entry.body.get(name)
    if not isinstance(value, str):
        raise _broken(entry)
    return value


def _number(entry: Entry, name: str) -> int:
    value = entry.body.get(name)
    if type(value) is not int:
        raise _broken(entry)
    return value


def _broken(entry: Entry) -> LettersError:
    return LettersError(f"entry {entry.sequence} is a notice that could not be understood")
