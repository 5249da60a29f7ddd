"""A TOML table that is read by name and leaves nothing over: what nobody asked for is refused.

>>> table = Table({"max_size": "8 GiB", "max_sise": 5}, "policy.toml", "dump")
>>> table.size("max_size")
8589934592
>>> table.done()
Traceback (most recent call last):
...
immure.errors.PolicyError: policy.toml: [dump] has no member 'max_sise'; is 'max_size' meant?
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final, TypeVar

from immure.errors import PolicyError

T = TypeVar("T")

#: Longest TOML file that is read, and longest text and list in one.
MOST_BYTES: Final = 1 << 18
MOST_TEXT: Final = 1 << 12
MOST_ITEMS: Final = 1 << 10

_SIZES = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}
_AGES = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_SIZE = re.compile(r"([0-9]{1,15}) ?(B|KiB|MiB|GiB|TiB)", re.ASCII)
_AGE = re.compile(r"([0-9]{1,9}) ?([smhd])", re.ASCII)
_THUMBPRINT = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
_LONGEST = timedelta(days=36525)
_REQUIRED: Any = object()
_SIZE_KINDS: Any = (int, str)
_LIST_KINDS: Any = (list, tuple)


class Table:
    """A table, for messages ``where`` in the file ``path``."""

    def __init__(self, members: Mapping[str, Any], path: str, where: str = "") -> None:
        self._members = members
        self._asked: set[str] = set()
        self.path = path
        self.where = where

    def fail(self, reason: str) -> PolicyError:
        """An error about this table, to raise."""
        return PolicyError(f"{self._label()} {reason}", path=self.path)

    def _label(self) -> str:
        return f"[{self.where}]" if self.where else "the top of the file"

    def _take(self, name: str, kind: type[T] | tuple[type[T], ...], words: str, default: T) -> T:
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

    def number(self, name: str, default: int = _REQUIRED, *, least: int = 0, most: int = 1 << 53) -> int:
        """A whole number within bounds."""
        value = self._take(name, int, "a whole number", default)
        if not least <= value <= most:
            raise self.fail(f"'{name}' is not from {least} to {most}")
        return value

    def fraction(self, name: str, default: float = _REQUIRED) -> float:
        """A number from 0 to 1."""
        value = self._take(name, (int, float), "a number from 0 to 1", default)
        if not 0 <= value <= 1:  # nor is "nan"
            raise self.fail(f"'{name}' is not a number from 0 to 1")
        return float(value)

    def text(self, name: str, default: str = _REQUIRED, *, choices: Sequence[str] = ()) -> str:
        """A text, one of ``choices`` if there are any."""
        words = " or ".join(f'"{choice}"' for choice in choices) or "a text"
        value = self._take(name, str, words, default)
        if len(value) > MOST_TEXT or (choices and value not in choices):
            raise self.fail(f"'{name}' is not {words}")
        return value

    def texts(
        self, name: str, default: Sequence[str] = _REQUIRED, *, choices: Sequence[str] = ()
    ) -> tuple[str, ...]:
        """A list of texts, each once."""
        words = "a list of texts"
        values: Sequence[str] = self._take(name, _LIST_KINDS, words, default)
        if len(values) > MOST_ITEMS or not all(
            isinstance(v, str) and 0 < len(v) <= MOST_TEXT for v in values
        ):
            raise self.fail(f"'{name}' is not {words}")
        for value in values:
            if choices and value not in choices:
                raise self.fail(f"'{name}' names {value[:80]!r}; there are {', '.join(choices)}")
        return tuple(dict.fromkeys(values))

    def thumbprints(self, name: str) -> frozenset[str]:
        """A list of fingerprints of keys (RFC 7638, SHA-256); none if it is left out."""
        values = self.texts(name, ())
        for value in values:
            if not _THUMBPRINT.fullmatch(value):
                raise self.fail(f"'{name}': {value[:80]!r} is not a fingerprint (43 characters of base64url)")
        return frozenset(values)

    def size(self, name: str, default: int = _REQUIRED) -> int:
        """A number of bytes: 4096, or a text as "8 GiB"."""
        value: Any = self._take(name, _SIZE_KINDS, 'a size, such as "8 GiB"', default)
        if isinstance(value, str):
            match = _SIZE.fullmatch(value)
            if match is None:
                raise self.fail(f"'{name}' is not a size, such as \"8 GiB\"")
            value = int(match[1]) * _SIZES[match[2]]
        if not 0 <= value < 1 << 60:
            raise self.fail(f"'{name}' is not a size, such as \"8 GiB\"")
        return int(value)

    def age(self, name: str) -> timedelta:
        """A span of time, as "24h" or "30d"."""
        match = _AGE.fullmatch(self._take(name, str, 'a time, such as "24h"', _REQUIRED))
        span = timedelta(seconds=int(match[1]) * _AGES[match[2]]) if match else None
        if span is None or span > _LONGEST:
            raise self.fail(f'\'{name}\' is not a time, such as "24h" or "30d"')
        return span

    def optional_age(self, name: str) -> timedelta | None:
        """The same, or None if it is left out."""
        self._asked.add(name)
        return self.age(name) if name in self._members else None

    def table(self, name: str, *, required: bool = False) -> Table:
        """A table within; an empty one if it is left out and not required."""
        where = f"{self.where}.{name}" if self.where else name
        members = self._take(name, dict, "a table", _REQUIRED if required else {})
        return Table(members, self.path, where)

    def tables(self, name: str) -> list[Table]:
        """A list of tables within (``[[…]]``)."""
        where = f"{self.where}.{name}" if self.where else name
        items = self._take(name, list, "a list of tables", [])
        if len(items) > MOST_ITEMS or not all(isinstance(item, dict) for item in items):
            raise self.fail(f"'{name}' is not a list of tables")
        return [Table(item, self.path, f"{where} {number}") for number, item in enumerate(items, start=1)]

    def value(self, name: str) -> Any:
        """Whatever is there; None if nothing is."""
        self._asked.add(name)
        return self._members.get(name)

    def done(self) -> None:
        """See that everything was asked for.

        Raises:
            PolicyError: something was not.
        """
        for name in self._members:
            if name not in self._asked:
                near = difflib.get_close_matches(name[:80], self._asked, 1)
                hint = f"; is '{near[0]}' meant?" if near else ""
                raise self.fail(f"has no member {name[:80]!r}{hint}")


def parse_toml(data: bytes, path: str, what: str) -> Table:
    """The table at the top of a TOML file.

    Raises:
        PolicyError: it is no TOML, or too long.
    """
    if len(data) > MOST_BYTES:
        raise PolicyError(f"is longer than the {MOST_BYTES} bytes that {what} may have", path=path)
    return Table(_guarded(lambda: tomllib.loads(data.decode("utf-8")), path, what), path)


def _guarded(parse: Callable[[], dict[str, Any]], path: str, what: str) -> dict[str, Any]:
    try:
        return parse()
    except UnicodeDecodeError as error:
        raise PolicyError(f"is not {what}: no UTF-8", path=path, offset=error.start) from error
    except RecursionError as error:
        raise PolicyError(f"is not {what}: nested too deep", path=path) from error
    except ValueError as error:  # TOMLDecodeError among them; also numbers of too many digits
        raise PolicyError(f"is not {what}: {str(error)[:200]}", path=path) from error
