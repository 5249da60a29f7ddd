"""Members of records, by names without regard to case, and by paths.

>>> low = Lookup({"Actor": {"alternateId": "ada@example.com"}, "target": [{"id": 7}]})
>>> low.text("actor.alternateid"), low.text("target.0.id"), low.text("nothing", "target.0.id")
('ada@example.com', '7', '7')
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from immure.detections.sources.decoding import UndecodableError, unwrapped
from immure.detections.sources.values import address, flag, integer, moment, seconds, text


class Lookup:
    """See the module. Paths are in small letters, parts are divided by points; a number is a place in a list.
    Texts that are JSON are opened when a path goes through them.
    """

    __slots__ = ("_low",)

    def __init__(self, plain: Mapping[str, Any]) -> None:
        self._low = lowered(plain)

    def names(self) -> frozenset[str]:
        """Names of the members, in small letters."""
        return frozenset(self._low)

    def get(self, *paths: str) -> Any:
        """The value of the first of the paths that leads to one that is neither null nor empty; else None."""
        for path in paths:
            value = self._low.get(path)
            if value is None and "." in path:
                value = self._walk(path)
            if value is not None and value != "":
                return value
        return None

    def _walk(self, path: str) -> Any:
        value: Any = self._low
        for part in path.split("."):
            value = opened(value)
            if isinstance(value, dict):
                value = value.get(part) if value is self._low else lowered(value).get(part)
            elif isinstance(value, list) and part.isdigit() and int(part) < len(value):
                value = value[int(part)]
            else:
                return None
        return value

    def text(self, *paths: str) -> str | None:
        """The first text."""
        return next((made for path in paths if (made := text(self.get(path))) is not None), None)

    def address(self, *paths: str) -> str | None:
        """The first IP address."""
        return next((made for path in paths if (made := address(self.get(path))) is not None), None)

    def moment(self, *paths: str) -> int | None:
        """The first time, in microseconds since 1970."""
        return next((made for path in paths if (made := moment(self.get(path))) is not None), None)

    def seconds(self, *paths: str) -> int | None:
        """The first time, in whole seconds since 1970."""
        return seconds(self.get(*paths))

    def integer(self, *paths: str) -> int | None:
        """The first whole number."""
        return integer(self.get(*paths))

    def flag(self, *paths: str) -> bool | None:
        """The first flag."""
        return flag(self.get(*paths))

    def list(self, *paths: str) -> list[Any]:
        """A list, also if it is written as a text; one object is a list of it."""
        value = opened(self.get(*paths))
        return value if isinstance(value, list) else [value] if isinstance(value, dict) else []


def opened(value: Any) -> Any:
    """A list or an object that is written as a text; anything else as it is."""
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            return unwrapped(value, 3)
        except UndecodableError:
            return value
    return value


def lowered(plain: Mapping[str, Any]) -> dict[str, Any]:
    """With small names; if two differ in case only, the one that holds something."""
    low: dict[str, Any] = {}
    for key, value in plain.items():
        small = key.lower()
        if low.get(small) in (None, ""):
            low[small] = value
    return low
