"""The versions of an advisory, as the timeline has them.

Each version is an entry of kind ``advisory`` with ``advisory`` (its id), ``number``, ``content`` (a digest),
``said`` (the findings, by name), ``summary`` and, where it takes something back, ``correction`` and
``changes``. It corrects the entry of the version before if it takes something back.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from immure.response.errors import IncidentError
from immure.response.timeline import Entry

KIND: Final = "advisory"


@dataclass(frozen=True, slots=True)
class Revision:
    """A version of an advisory.

    Attributes:
        number: from 1.
        at: seconds since 1970, when it was written.
        summary: what is new in it.
        correction: what it takes back, in the words of who wrote it; empty if it takes nothing back.
        changes: findings that it says otherwise than the version before.
        content: digest of what it says.
        said: its findings, by name.
        entry: sequence of its entry; -1 if it has none yet.
    """

    number: int
    at: int
    summary: str
    correction: str
    changes: tuple[dict[str, Any], ...]
    content: str
    said: dict[str, Any]
    entry: int = -1

    @property
    def words(self) -> str:
        """What the revision history says of it."""
        return f"Correction: {self.correction}" if self.correction else self.summary


def revisions_of(entries: Iterable[Entry], advisory: str) -> list[Revision]:
    """All versions of an advisory, the first in front.

    Raises:
        IncidentError: an entry is not of this form.
    """
    found: list[Revision] = []
    for entry in entries:
        if entry.kind == KIND and entry.body.get("advisory") == advisory:
            found.append(_revision(entry, len(found) + 1))
    return found


def _revision(entry: Entry, number: int) -> Revision:
    body: dict[str, Any] = dict(entry.body)
    texts = [body.get(name) for name in ("summary", "correction", "content")]
    changes, said, at = body.get("changes"), body.get("said"), body.get("at")
    fits = (
        all(isinstance(text, str) for text in texts)
        and isinstance(changes, (list, tuple))
        and all(isinstance(one, dict) and {"finding", "was", "is"} <= set(one) for one in changes)
        and isinstance(said, dict)
        and body.get("number") == number
        and type(at) is int
    )
    if not fits or at is None or changes is None or said is None:
        raise IncidentError(f"entry {entry.sequence} is no version {number} of an advisory")
    return Revision(
        number, at, body["summary"], body["correction"], tuple(changes), body["content"], said, entry.sequence
    )
