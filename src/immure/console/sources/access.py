"""The access room: what waits for approval, what was granted, where the glass was broken, what happened."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Final

from immure.access import Approval, Door, Grant, HardwareKey, Person, Request
from immure.access.door import LOG
from immure.access.step import PREFIX
from immure.access.words import subject_words
from immure.clock import Clock, now
from immure.console.settings import TenantSettings
from immure.errors import UsageError

#: Entries of the log, the newest, among which happenings are looked for.
MOST_ENTRIES: Final = 2000
MOST_SHOWN: Final = 50
#: States of requests that can still be approved.
_OPEN: Final = ("keys", "open")
_TOLD: Final = {"used": "used", "certificate": "certificate", "refused": "refused", "alarm": "alarm",
                "enter": "went in", "break-glass": "broke the glass"}  # fmt: skip


#: Members of documents that say of what, by whom.
_NAMES: Final = frozenset(
    ("account", "of", "grant", "action", "kind", "serial", "rule", "reason", "resource", "purpose", "failed")
)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A request that waits.

    Attributes:
        request: itself.
        words: what is asked for, a line for each thing.
        approvers: accounts that have approved it.
    """

    request: Request
    words: tuple[str, ...]
    approvers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Given:
    """A grant. ``why`` says why it is not live; empty if it is."""

    grant: Grant
    why: str


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that is in the log.

    Attributes:
        entry: its number.
        at: when.
        what: in a word.
        words: of what, by whom.
    """

    entry: int
    at: datetime
    what: str
    words: str


@dataclass(frozen=True, slots=True)
class Overview:
    """A room.

    Attributes:
        room: its id.
        founded: whether all founders have signed.
        at: the time by its clock.
        entries: of its log.
        waiting: requests, the one that expires first in front.
        unreviewed: grants behind broken glass that nobody has reviewed.
        people, suspended, keys: how many can act, are kept from it, and hardware keys in use.
        happenings: the newest first.
    """

    room: str
    founded: bool
    at: datetime
    entries: int
    waiting: tuple[Waiting, ...]
    unreviewed: tuple[Grant, ...]
    people: int
    suspended: int
    keys: int
    happenings: tuple[Happening, ...]


@dataclass(frozen=True, slots=True)
class Grants:
    """A page of grants, the newest first, and how many there are."""

    total: int
    shown: tuple[Given, ...]


@contextmanager
def opened(tenant: TenantSettings, clock: Clock = now) -> Iterator[Door]:
    """The door, to be looked through only.

    Raises:
        UsageError: the tenant has none.
        AccessError, LogError: it cannot be read, or its log and database do not belong together.
    """
    if tenant.room is None:
        raise UsageError("this tenant has no access room")
    with Door.open(tenant.room, clock=clock) as door:
        yield door


def overview(door: Door) -> Overview:
    """Where a room stands; raises as :meth:`Door.records`."""
    at = door.time()
    people, keys = door.records(Person), door.records(HardwareKey, state="active")
    waiting = [
        one for state in _OPEN for one in _requests(door, state) if at < one.expires
    ]  # what has expired waits for nobody
    grants = door.records(Grant)
    return Overview(
        door.room_id,
        door.open_for_requests,
        at,
        len(door.log),
        tuple(_waiting(door, one) for one in sorted(waiting, key=lambda one: (one.expires, one.id))),
        tuple(one for one in grants if one.glass and not one.verdict),
        sum(one.state in ("founder", "active") for one in people),
        sum(one.state == "suspended" for one in people),
        len(keys),
        tuple(islice(_happenings(door), MOST_SHOWN)),
    )


def grants(door: Door, which: str, offset: int, most: int) -> Grants:
    """Grants of a room.

    Args:
        which: ``live`` (by their time and state), ``glass``, or ``all``.
        offset, most: the page.
    """
    at = door.time()
    found = [one for one in door.records(Grant) if _is_of(one, which, at)]
    found.sort(key=lambda one: (one.begins, one.id), reverse=True)
    shown = found[offset : offset + most]
    return Grants(len(found), tuple(Given(one, (door.grant_fault(one.id) or ("", ""))[1]) for one in shown))


def stamp(tenant: TenantSettings) -> object:
    """What changes when anything happens in the room."""
    if tenant.room is None:
        return None
    found = os.stat(tenant.room / LOG / "checkpoint")
    return found.st_mtime_ns, found.st_ino


def _is_of(grant: Grant, which: str, at: datetime) -> bool:
    if which == "glass":
        return grant.glass
    return which == "all" or (grant.state == "granted" and grant.begins <= at < grant.ends)


def _requests(door: Door, state: str) -> list[Request]:
    return door.records(Request, state=state)


def _waiting(door: Door, request: Request) -> Waiting:
    given = door.records(Approval, about=request.id, state="given")
    words = tuple(one.strip() for one in subject_words(request.kind, request.subject))
    return Waiting(request, words, tuple(one.account for one in given))


def _happenings(door: Door) -> Iterator[Happening]:
    for entry in islice(door.log.newest(), MOST_ENTRIES):
        act, document = entry.kind.removeprefix(PREFIX), entry.body.get("document")
        if entry.kind.startswith(PREFIX) and act in _TOLD and isinstance(document, dict):
            words = ", ".join(f"{name} {_plain(value)}" for name, value in document.items() if name in _NAMES)
            yield Happening(entry.index, entry.time, _TOLD[act], words)


def _plain(value: object) -> str:
    if isinstance(value, dict):
        return "; ".join(f"{name}: {one}" for name, one in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
