"""Reads the members of a decoded JSON object, and is strict about it.

>>> Fields({"allowed": 1}, "decision", Reason.PREDICATE).flag("allowed")
Traceback (most recent call last):
...
immure.errors.AttestationError: malformed predicate: decision.allowed is neither true nor false
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final, TypeVar

from immure.attest.reasons import Reason, refusal
from immure.clock import from_rfc3339
from immure.errors import AttestationError

T = TypeVar("T")

MAX_INTEGER: Final = (1 << 64) - 1
MAX_TEXT: Final = 4096
MAX_NAME: Final = 256
#: Spelled out, because ``\d`` would take the digits of every script.
_MOMENT: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_THUMBPRINT: Final = re.compile(r"[A-Za-z0-9_-]{43}")


class Fields:
    """The members of one object; each method takes one out, and :meth:`done` refuses what is left.

    Every method raises AttestationError with ``reason`` if the member is missing or not what it should be.

    Args:
        value: what should be an object.
        where: its place, for messages; empty for the outermost.
        reason: why it is refused, if it is.
    """

    __slots__ = ("_left", "_reason", "_where")

    def __init__(self, value: object, where: str, reason: Reason) -> None:
        self._where = where
        self._reason = reason
        if not isinstance(value, dict):
            raise refusal(reason, f"{where or 'it'} is not an object")
        self._left: dict[str, Any] = value.copy()

    def take(self, name: str) -> Any:
        """A member of any type."""
        try:
            return self._left.pop(name)
        except KeyError:
            raise self.error(name, "is missing") from None

    def has(self, name: str) -> bool:
        """Whether the member is there, and not taken yet."""
        return name in self._left

    def text(self, name: str, most: int = MAX_TEXT, *, least: int = 1) -> str:
        """A text of ``least`` to ``most`` characters that can be written as UTF-8."""
        value = self.take(name)
        if not isinstance(value, str) or not least <= len(value) <= most:
            raise self.error(name, f"is not a text of {least} to {most} characters")
        if not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
            raise self.error(name, "holds half of a surrogate pair")
        return value

    def name(self, name: str) -> str:
        """A short text."""
        return self.text(name, MAX_NAME)

    def nullable(self, name: str, read: Callable[[str], T]) -> T | None:
        """None for null, else what ``read`` (a method of this object) makes of the member."""
        if self._left.get(name, self) is None:
            del self._left[name]
            return None
        return read(name)

    def choice(self, name: str, choices: Sequence[T]) -> T:
        """One of some texts."""
        value = self.take(name)
        for choice in choices:
            if type(value) is str and value == choice:
                return choice
        raise self.error(name, f"is none of {', '.join(map(str, choices))}")

    def integer(self, name: str, most: int = MAX_INTEGER) -> int:
        """An integer from 0 to ``most``."""
        value = self.take(name)
        if type(value) is not int or not 0 <= value <= most:
            raise self.error(name, f"is not an integer from 0 to {most}")
        return value

    def flag(self, name: str) -> bool:
        """True or false."""
        value = self.take(name)
        if value is not True and value is not False:
            raise self.error(name, "is neither true nor false")
        return bool(value)

    def moment(self, name: str) -> datetime:
        """A moment as RFC 3339 has it, in UTC, to the second."""
        value = self.take(name)
        try:
            if isinstance(value, str) and _MOMENT.fullmatch(value):
                return from_rfc3339(value)
        except ValueError:
            pass  # the 30th of February: refused below like the rest
        raise self.error(name, "is not a moment such as 2026-11-25T00:00:00Z")

    def digest(self, name: str) -> str:
        """A SHA-256 digest in lower-case hexadecimal digits."""
        return self._matching(name, _DIGEST, "a SHA-256 digest of 64 lower-case hexadecimal digits")

    def thumbprint(self, name: str) -> str:
        """An RFC 7638 thumbprint."""
        return self._matching(name, _THUMBPRINT, "an RFC 7638 thumbprint (43 characters of base64url)")

    def _matching(self, name: str, pattern: re.Pattern[str], what: str) -> str:
        value = self.take(name)
        if not isinstance(value, str) or not pattern.fullmatch(value):
            raise self.error(name, f"is not {what}")
        return value

    def inside(self, name: str, read: Callable[[Fields], T]) -> T:
        """An object inside, read by ``read``, which must not leave anything over."""
        inner = Fields(self.take(name), self.place(name), self._reason)
        made = read(inner)
        inner.done()
        return made

    def items(self, name: str, most: int, read: Callable[[Fields], T]) -> tuple[T, ...]:
        """A list of at most ``most`` objects, each read as by :meth:`inside`."""
        place = self.place(name)
        made = []
        for number, value in enumerate(self._list(name, most)):
            fields = Fields(value, f"{place}[{number}]", self._reason)
            made.append(read(fields))
            fields.done()
        return tuple(made)

    def texts(self, name: str, most: int, most_characters: int = MAX_TEXT) -> tuple[str, ...]:
        """A list of at most ``most`` texts."""
        values = self._list(name, most)
        numbered = Fields({str(n): value for n, value in enumerate(values)}, self.place(name), self._reason)
        return tuple(numbered.text(str(n), most_characters) for n in range(len(values)))

    def _list(self, name: str, most: int) -> list[Any]:
        value = self.take(name)
        if not isinstance(value, list) or len(value) > most:
            raise self.error(name, f"is not a list of at most {most} elements")
        return value

    def done(self) -> None:
        """Refuse what was not taken."""
        if self._left:
            raise self.error(min(self._left)[:80], "is not a known member")

    def place(self, name: str) -> str:
        """What messages call the member."""
        return f"{self._where}.{name}" if self._where else name

    def error(self, name: str, words: str) -> AttestationError:
        """The error that says so of a member."""
        return refusal(self._reason, f"{self.place(name)} {words}")
