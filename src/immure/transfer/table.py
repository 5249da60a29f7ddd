"""A table of the policy of releases: sizes, ages, fractions and fingerprints of keys beside what any has.

>>> table = Table({"max_size": "8 GiB", "max_sise": 5}, "policy.toml", "dump")
>>> table.size("max_size")
8589934592
>>> table.done()
Traceback (most recent call last):
...
immure.errors.PolicyError: policy.toml: [dump] has no member 'max_sise'; is 'max_size' meant?
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any, Final

from immure import toml_file
from immure.errors import PolicyError
from immure.toml_file import REQUIRED

#: Longest file that is read.
MOST_BYTES: Final = 1 << 18

_SIZES = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}
_AGES = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_SIZE = re.compile(r"([0-9]{1,15}) ?(B|KiB|MiB|GiB|TiB)", re.ASCII)
_AGE = re.compile(r"([0-9]{1,9}) ?([smhd])", re.ASCII)
_THUMBPRINT = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
_LONGEST = timedelta(days=36525)
_SIZE_KINDS: Any = (int, str)


class Table(toml_file.Table):
    """See :class:`immure.toml_file.Table`."""

    def fraction(self, name: str, default: float = REQUIRED) -> float:
        """A number from 0 to 1."""
        value = self.take(name, (int, float), "a number from 0 to 1", default)
        if not 0 <= value <= 1:  # nor is "nan"
            raise self.fail(f"'{name}' is not a number from 0 to 1")
        return float(value)

    def thumbprints(self, name: str) -> frozenset[str]:
        """A list of fingerprints of keys (RFC 7638, SHA-256); none if it is left out."""
        values = self.texts(name, ())
        for value in values:
            if not _THUMBPRINT.fullmatch(value):
                raise self.fail(f"'{name}': {value[:80]!r} is not a fingerprint (43 characters of base64url)")
        return frozenset(values)

    def size(self, name: str, default: int = REQUIRED) -> int:
        """A number of bytes: 4096, or a text as "8 GiB"."""
        words = 'a size, such as "8 GiB"'
        value: Any = self.take(name, _SIZE_KINDS, words, default)
        if isinstance(value, str):
            match = _SIZE.fullmatch(value)
            value = int(match[1]) * _SIZES[match[2]] if match else -1
        if not 0 <= value < 1 << 60:
            raise self.fail(f"'{name}' is not {words}")
        return int(value)

    def age(self, name: str) -> timedelta:
        """A span of time, as "24h" or "30d"."""
        match = _AGE.fullmatch(self.take(name, str, 'a time, such as "24h"'))
        span = timedelta(seconds=int(match[1]) * _AGES[match[2]]) if match else None
        if span is None or span > _LONGEST:
            raise self.fail(f'\'{name}\' is not a time, such as "24h" or "30d"')
        return span

    def optional_age(self, name: str) -> timedelta | None:
        """The same, or None if it is left out."""
        self._asked.add(name)
        return self.age(name) if self.has(name) else None

    def value(self, name: str) -> Any:
        """Whatever is there; None if nothing is."""
        self._asked.add(name)
        return self._members.get(name)


def parse_toml(data: bytes, path: str) -> Table:
    """The table at the top of a file; raises PolicyError if it is no TOML, or too long."""
    return Table(toml_file.parse_toml(data, path, MOST_BYTES, PolicyError), path)
