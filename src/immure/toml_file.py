"""Files of settings: read within bounds, and told apart from what is no TOML, in the words of every command.

>>> parse_toml(b"a = 1", "x.toml", 10, UsageError)
{'a': 1}
>>> parse_toml(b"a = 1", "x.toml", 3, UsageError)
Traceback (most recent call last):
...
immure.errors.UsageError: x.toml: is longer than 3 bytes
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Mapping, Sequence
from typing import Any, Final, Self, TypeVar

from immure.errors import ImmureError, PolicyError, UsageError

__all__ = ["Table", "parse_toml", "read_bounded"]

T = TypeVar("T")

#: Longest text, and longest list, in a table.
MOST_TEXT: Final = 1 << 13
MOST_ITEMS: Final = 1 << 10
#: Stands for a default that there is not.
REQUIRED: Any = object()
_LIST_KINDS: Any = (list, tuple)


def read_bounded(
    path: str | os.PathLike[str], most: int, error: type[ImmureError] = UsageError
) -> tuple[str, bytes]:
    """The name of a file, and its bytes: one more than ``most`` if it is longer: :func:`parse_toml` says so.

    Args:
        path: of the file.
        most: bytes that it may have.
        error: what is raised if it cannot be read; its path is the file's name.
    """
    name = os.fspath(path)
    try:
        with open(name, "rb") as stream:
            return name, stream.read(most + 1)
    except (OSError, ValueError) as cause:
        words = getattr(cause, "strerror", None) or cause
        raise error(f"cannot be read: {words}", path=name) from cause


def parse_toml(data: bytes, path: str, most: int, error: type[ImmureError] = UsageError) -> dict[str, Any]:
    """The table that a document is.

    Args:
        data: the document.
        path: what it is called in errors.
        most: bytes that it may have.
        error: what is raised if it is longer, or no TOML.
    """
    if len(data) > most:
        raise error(f"is longer than {most} bytes", path=path)
    try:
        return tomllib.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as cause:
        raise error(f"is no TOML: {str(cause)[:200]}", path=path) from None


class Table:
    """A table of a policy that is read by name and leaves nothing over: what nobody asked for may have been
    meant to forbid something.

    >>> table = Table({"hours": 4, "hourz": 5}, "policy.toml", "rule 1")
    >>> table.number("hours", least=1, most=24)
    4
    >>> table.done()
    Traceback (most recent call last):
    ...
    immure.errors.PolicyError: policy.toml: [rule 1] has no member 'hourz'; is 'hours' meant?

    Every method but :meth:`has` raises PolicyError if what is there is something else.

    Args:
        members: what :func:`parse_toml` gives.
        path, where: of the file, and of the table in it, for errors.
    """

    def __init__(self, members: Mapping[str, Any], path: str, where: str = "") -> None:
        self._members = members
        self._asked: set[str] = set()
        self.path = path
        self.where = where

    def fail(self, reason: str) -> PolicyError:
        """An error about this table, to raise."""
        label = f"[{self.where}]" if self.where else "the top of the file"
        return PolicyError(f"{label} {reason}", path=self.path)

    def has(self, name: str) -> bool:
        """Whether there is such a member."""
        return name in self._members

    def take(self, name: str, kind: type[T] | tuple[type[T], ...], words: str, default: T = REQUIRED) -> T:
        """A member of a type, which ``words`` name; only where it is asked for is a truth a number."""
        self._asked.add(name)
        if name not in self._members:
            if default is REQUIRED:
                raise self.fail(f"needs '{name}', {words}")
            return default
        value = self._members[name]
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise self.fail(f"'{name}' is not {words}")
        return value

    def flag(self, name: str, default: bool = REQUIRED) -> bool:
        """``true`` or ``false``."""
        return self.take(name, bool, "true or false", default)

    def number(self, name: str, default: int = REQUIRED, *, least: int, most: int) -> int:
        """A whole number within bounds."""
        words = f"a whole number from {least} to {most}"
        value = self.take(name, int, words, default)
        if not least <= value <= most:
            raise self.fail(f"'{name}' is not {words}")
        return value

    def text(self, name: str, default: str = REQUIRED, *, choices: Sequence[str] = ()) -> str:
        """A text, one of ``choices`` if there are any; empty only if that is the default or a choice."""
        words = " or ".join(f'"{choice}"' for choice in choices) or f"a text of 1 to {MOST_TEXT} characters"
        value = self.take(name, str, words, default)
        fits = value in choices if choices else bool(value) or default == ""
        if len(value) > MOST_TEXT or not fits:
            raise self.fail(f"'{name}' is not {words}")
        return value

    def texts(
        self, name: str, default: Sequence[str] = REQUIRED, *, choices: Sequence[str] = ()
    ) -> tuple[str, ...]:
        """A list of texts, each once."""
        words = "a list of texts"
        values: Sequence[Any] = self.take(name, _LIST_KINDS, words, default)
        fitting = all(isinstance(one, str) and 0 < len(one) <= MOST_TEXT for one in values)
        if len(values) > MOST_ITEMS or not fitting:
            raise self.fail(f"'{name}' is not {words}")
        for value in values:
            if choices and value not in choices:
                raise self.fail(f"'{name}' names {value[:80]!r}; there are {', '.join(choices)}")
        return tuple(dict.fromkeys(values))

    def table(self, name: str, *, required: bool = False) -> Self:
        """A table within; an empty one if it is left out and not required."""
        members = self.take(name, dict, "a table", REQUIRED if required else {})
        return type(self)(members, self.path, self._inner(name))

    def tables(self, name: str) -> list[Self]:
        """A list of tables within (``[[…]]``)."""
        items = self.take(name, list, "a list of tables", [])
        if len(items) > MOST_ITEMS or not all(isinstance(item, dict) for item in items):
            raise self.fail(f"'{name}' is not a list of tables")
        where = self._inner(name)
        return [
            type(self)(item, self.path, f"{where} {number}") for number, item in enumerate(items, start=1)
        ]

    def _inner(self, name: str) -> str:
        return f"{self.where}.{name}" if self.where else name

    def done(self) -> None:
        """See that everything was asked for."""
        for name in self._members:
            if name not in self._asked:
                near = difflib.get_close_matches(name[:80], self._asked, 1)
                hint = f"; is '{near[0]}' meant?" if near else ""
                raise self.fail(f"has no member {name[:80]!r}{hint}")
