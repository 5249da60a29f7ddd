"""A table of a registry, read by name and leaving nothing over: what nobody asked for is refused.

>>> members = Members({"kid": "k1", "kit": 2}, "[key 1]", "keys.toml")
>>> members.text("kid")
'k1'
>>> members.done()
Traceback (most recent call last):
...
immure.registry.errors.RegistryError: keys.toml: [key 1] has no member 'kit'
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from immure.clock import from_rfc3339
from immure.registry.errors import RegistryError
from immure.registry.fit import MOST_ITEMS, MOST_TEXT

_REQUIRED: Final[Any] = object()


class Members:
    """Members of a table that is ``where`` in the file ``path``."""

    def __init__(self, value: Any, where: str, path: str) -> None:
        self.where = where
        self.path = path
        self._asked: set[str] = set()
        if not isinstance(value, dict):
            raise self.fail("is not a table")
        self._members: dict[str, Any] = value

    def fail(self, reason: str) -> RegistryError:
        """An error about this table, to raise."""
        return RegistryError(f"{self.where} {reason}", path=self.path)

    def value(self, name: str, default: Any = _REQUIRED) -> Any:
        """Whatever is there."""
        self._asked.add(name)
        if name not in self._members:
            if default is _REQUIRED:
                raise self.fail(f"has no '{name}'")
            return default
        return self._members[name]

    def text(self, name: str, default: str = _REQUIRED) -> str:
        """A text without control characters."""
        if default is not _REQUIRED and name not in self._members:
            self._asked.add(name)
            return default
        value = self.value(name)
        if not isinstance(value, str) or len(value) > MOST_TEXT or not value.isprintable():
            raise self.fail(f"'{name}' is not a text of up to {MOST_TEXT} printable characters")
        return value

    def texts(self, name: str) -> frozenset[str]:
        """A list of texts; none if it is left out."""
        values = self.value(name, [])
        if not isinstance(values, list) or len(values) > MOST_ITEMS:
            raise self.fail(f"'{name}' is not a list of up to {MOST_ITEMS} texts")
        for value in values:
            if not isinstance(value, str) or not 0 < len(value) <= MOST_TEXT or not value.isprintable():
                raise self.fail(f"'{name}' is not a list of texts")
        return frozenset(values)

    def moment(self, name: str) -> datetime | None:
        """A time with its offset from UTC, as TOML has it or as a text (RFC 3339); None if left out."""
        value = self.value(name, None)
        if value is None:
            return None
        try:
            if isinstance(value, datetime) and value.tzinfo is not None:
                return value.astimezone(UTC)
            if isinstance(value, str) and len(value) <= 40:
                return from_rfc3339(value)
        except (ValueError, OverflowError):  # no time, or one before year 1 or after 9999 in UTC
            pass
        raise self.fail(f"'{name}' is not a time with an offset, such as 2026-11-25T01:02:03Z")

    def table(self, name: str) -> Members | None:
        """A table within; None if it is left out."""
        value = self.value(name, None)
        return None if value is None else Members(value, f"{self.where} {name}", self.path)

    def tables(self, name: str, most: int) -> list[Members]:
        """A list of tables within; empty if it is left out."""
        values = self.value(name, [])
        if not isinstance(values, list) or len(values) > most:
            raise self.fail(f"'{name}' is not a list of up to {most} tables")
        words = f"{self.where} {name}".lstrip()
        return [Members(value, f"{words} {number}", self.path) for number, value in enumerate(values, 1)]

    def done(self) -> None:
        """See that everything was asked for; raises RegistryError if not."""
        for name in self._members:
            if name not in self._asked:
                raise self.fail(f"has no member {name[:80]!r}")
