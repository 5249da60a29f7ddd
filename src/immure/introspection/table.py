"""A table of a TOML file, read strictly: every member is taken once, and what nobody took is an error."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from immure.errors import UsageError


class Table:
    """One table.

    Args:
        values: what it holds.
        name: how the file calls it, empty for the whole file.
    """

    def __init__(self, values: Any, name: str = "") -> None:
        if not isinstance(values, dict):
            raise UsageError(f"{name} is not a table")
        self._values: dict[str, Any] = dict(values)
        self.name = name

    def _where(self, name: str) -> str:
        short = name if name.isascii() and name.isprintable() and len(name) <= 80 else ascii(name[:80])
        return f"{self.name}.{short}" if self.name else short

    def has(self, name: str) -> bool:
        """Whether a member is there that was not taken yet."""
        return name in self._values

    def text(self, name: str, default: str | None = None) -> str:
        """A text that is not empty; it must be there if there is no default."""
        value = self._values.pop(name, default)
        if not isinstance(value, str) or not value:
            raise UsageError(f"{self._where(name)} is {'missing' if value is None else 'not a text'}")
        return value

    def optional(self, name: str) -> str | None:
        """A text, if it is there."""
        return self.text(name) if self.has(name) else None

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of texts; none if it is not there."""
        value = self._values.pop(name, [])
        if not isinstance(value, list) or not all(isinstance(one, str) and one for one in value):
            raise UsageError(f"{self._where(name)} is not a list of texts")
        return tuple(value)

    def flag(self, name: str, *, default: bool = False) -> bool:
        """True or false."""
        value = self._values.pop(name, default)
        if not isinstance(value, bool):
            raise UsageError(f"{self._where(name)} is neither true nor false")
        return value

    def number(self, name: str, default: int, least: int, most: int) -> int:
        """A whole number between two bounds."""
        value = self._values.pop(name, default)
        if type(value) is not int or not least <= value <= most:
            raise UsageError(f"{self._where(name)} is not a number between {least} and {most}")
        return value

    def choice(self, name: str, choices: tuple[str, ...], default: str | None = None) -> Any:
        """One of some texts."""
        value = self._values.pop(name, default)
        if value not in choices:
            raise UsageError(f"{self._where(name)} is not one of {', '.join(choices)}")
        return value

    def table(self, name: str) -> Table:
        """A table in it; an empty one if it is not there."""
        return Table(self._values.pop(name, {}), self._where(name))

    def tables(self, name: str) -> Iterator[tuple[str, Table]]:
        """The tables of a table, by their names."""
        inner = self.table(name)
        for key in list(inner._values):
            yield key, inner.table(key)

    def end(self) -> None:
        """Raises UsageError if something is left that nobody asked for."""
        if self._values:
            raise UsageError(f"{self._where(min(self._values))} is not known")
