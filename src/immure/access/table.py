"""A TOML table that is read by name and leaves nothing over: what nobody asked for is refused.

>>> table = Table({"hours": 4, "hourz": 5}, "policy.toml", "rule 1")
>>> table.number("hours", least=1, most=24)
4
>>> table.done()
Traceback (most recent call last):
...
immure.errors.PolicyError: policy.toml: [rule 1] has no member 'hourz'; is 'hours' meant?
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from typing import Any, Final, TypeVar

from immure.errors import PolicyError

T = TypeVar("T")

MOST_BYTES: Final = 1 << 17
MOST_TEXT: Final = 1 << 13
MOST_ITEMS: Final = 256
_REQUIRED: Any = object()


class Table:
    """A table, for messages ``where`` in the file ``path``."""

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

    def _take(self, name: str, kind: type[T], words: str, default: T) -> T:
        self._asked.add(name)
        if name not in self._members:
            if default is _REQUIRED:
                raise self.fail(f"needs '{name}', {words}")
            return default
        value = self._members[name]
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise self.fail(f"'{name}' is not {words}")
        return value

    def flag(self, name: str, default: bool = _REQUIRED) -> bool:
        """``true`` or ``false``."""
        return self._take(name, bool, "true or false", default)

    def number(self, name: str, default: int = _REQUIRED, *, least: int, most: int) -> int:
        """A whole number within bounds."""
        value = self._take(name, int, f"a whole number from {least} to {most}", default)
        if not least <= value <= most:
            raise self.fail(f"'{name}' is not a whole number from {least} to {most}")
        return value

    def text(self, name: str, default: str = _REQUIRED) -> str:
        """A text; not empty, unless that is the default."""
        value = self._take(name, str, "a text", default)
        if len(value) > MOST_TEXT or not (value or default == ""):
            raise self.fail(f"'{name}' is not a text of 1 to {MOST_TEXT} characters")
        return value

    def texts(self, name: str, default: tuple[str, ...] = _REQUIRED) -> tuple[str, ...]:
        """A list of texts, each once."""
        values: Any = self._take(name, object, "a list of texts", default)
        if isinstance(values, tuple):
            return values
        if (
            not isinstance(values, list)
            or len(values) > MOST_ITEMS
            or not all(isinstance(one, str) and 0 < len(one) <= MOST_TEXT for one in values)
        ):
            raise self.fail(f"'{name}' is not a list of texts")
        return tuple(dict.fromkeys(values))

    def table(self, name: str, *, required: bool = False) -> Table:
        """A table within; an empty one if it is left out and not required."""
        where = f"{self.where}.{name}" if self.where else name
        return Table(self._take(name, dict, "a table", _REQUIRED if required else {}), self.path, where)

    def tables(self, name: str) -> list[Table]:
        """A list of tables within (``[[…]]``)."""
        items = self._take(name, list, "a list of tables", [])
        if len(items) > MOST_ITEMS or not all(isinstance(item, dict) for item in items):
            raise self.fail(f"'{name}' is not a list of tables")
        return [Table(item, self.path, f"{name} {number}") for number, item in enumerate(items, start=1)]

    def done(self) -> None:
        """See that everything was asked for; raises PolicyError if not."""
        for name in self._members:
            if name not in self._asked:
                near = difflib.get_close_matches(name[:80], self._asked, 1)
                hint = f"; is '{near[0]}' meant?" if near else ""
                raise self.fail(f"has no member {name[:80]!r}{hint}")


def parse_toml(data: bytes, path: str, what: str) -> Table:
    """The table at the top of a TOML file; raises PolicyError if it is none, or too long."""
    if len(data) > MOST_BYTES:
        raise PolicyError(f"is longer than the {MOST_BYTES} bytes that {what} may have", path=path)
    try:
        return Table(tomllib.loads(data.decode("utf-8")), path)
    except UnicodeDecodeError as error:
        raise PolicyError(f"is not {what}: no UTF-8", path=path, offset=error.start) from error
    except RecursionError as error:
        raise PolicyError(f"is not {what}: nested too deep", path=path) from error
    except ValueError as error:  # TOMLDecodeError among them; also numbers of too many digits
        raise PolicyError(f"is not {what}: {str(error)[:200]}", path=path) from error
