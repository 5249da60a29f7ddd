"""Suppressions: findings that are not to count, each with a reason and a day on which that ends.

    [[suppress]]
    place = "tests/vectors/"
    reason = "test vectors of RFC 8037, published with their private keys"
    expires = 2027-06-30

``key`` (a thumbprint), ``place`` (a glob) or both say what. After the day the finding counts again.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from immure.watching.errors import RulesError
from immure.watching.finding import Sighting
from immure.watching.rules.globs import glob, is_everything
from immure.watching.rules.owners import read_text

_MOST_BYTES: Final = 4 << 20
#: For how long a suppression may hold, from today.
LONGEST: Final = timedelta(days=731)
_LEAST_REASON: Final = 8
_KEY: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_FIELDS: Final = frozenset({"key", "place", "reason", "expires"})


@dataclass(frozen=True, slots=True)
class Suppression:
    """One of them: it holds up to the end of the day ``expires``, UTC."""

    reason: str
    expires: date
    key: str | None = None
    place: str | None = None

    def covers(self, sighting: Sighting) -> bool:
        """Whether it is about this key at this place."""
        if self.key is not None and self.key != sighting.hit.key.thumbprint:
            return False
        if self.place is None:
            return True
        pattern = glob(self.place)
        return pattern.matches(sighting.full_path)

    def has_expired(self, today: date) -> bool:
        """Whether it holds no more."""
        return today > self.expires

    @property
    def words(self) -> str:
        """What it is about: ``of KEY in PLACE``, or one of them."""
        parts = (f"of {self.key}" if self.key else None, f"in {self.place}" if self.place else None)
        return " ".join(filter(None, parts))


def parse_suppressions(text: str, today: date, path: str | None = None) -> list[Suppression]:
    """The suppressions of a file.

    Raises:
        RulesError: one has no reason, no day or one too far away, is about everything, or is not understood.
    """
    try:
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise RulesError(f"is no TOML: {error}", path=path) from error
    entries = document.pop("suppress", [])
    if document or not isinstance(entries, list):
        unknown = next(iter(document), "suppress")
        raise RulesError(f"{unknown!r} is not understood; there is [[suppress]] only", path=path)
    found = []
    for number, entry in enumerate(entries, 1):
        try:
            found.append(_suppression(entry, today))
        except RulesError as error:
            raise RulesError(f"suppression {number}: {error.reason}", path=path) from error
    return found


def read_suppressions(path: str | os.PathLike[str], today: date) -> list[Suppression]:
    """As :func:`parse_suppressions`, of a file."""
    return parse_suppressions(read_text(path, _MOST_BYTES), today, os.fspath(path))


def _suppression(entry: Any, today: date) -> Suppression:
    if not isinstance(entry, dict) or (unknown := sorted(entry.keys() - _FIELDS)):
        raise RulesError(
            f"{(unknown or ['it'])[0]!r} is not understood" if isinstance(entry, dict) else "is none"
        )
    reason, expires, key, place = (entry.get(name) for name in ("reason", "expires", "key", "place"))
    if not isinstance(reason, str) or len(reason.strip()) < _LEAST_REASON:
        raise RulesError("has no reason that tells anything")
    if not isinstance(expires, date) or isinstance(expires, datetime):
        raise RulesError("has no day on which it ends: expires = 2027-06-30")
    if expires - today > LONGEST:
        raise RulesError(f"ends on {expires}, more than two years from now")
    if key is not None and not (isinstance(key, str) and _KEY.fullmatch(key)):
        raise RulesError("its key is no thumbprint")
    if place is not None and not isinstance(place, str):
        raise RulesError("its place is no text")
    if key is None and (place is None or is_everything(place)):
        raise RulesError("is about everything: it needs a key, or a place")
    if place is not None:
        glob(place)
    return Suppression(reason.strip(), expires, key, place)


def suppression_of(
    sighting: Sighting, suppressions: Sequence[Suppression], today: date
) -> Suppression | None:
    """The suppression that holds for a sighting; of several, the one that holds for longest."""
    holding = [one for one in suppressions if not one.has_expired(today) and one.covers(sighting)]
    return max(holding, key=lambda one: one.expires, default=None)
