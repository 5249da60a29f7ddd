"""Patterns of names: ``*`` stands for any characters, everything else for itself.

>>> parse_pattern("dump:*").matches("dump:9f86d081")
True
>>> parse_pattern("INC-*").matches("CHG-12")
False

Not regular expressions: nobody can write one that takes for ever, or that means more than it seems to.
"""

from __future__ import annotations

from dataclasses import dataclass

from immure.errors import UsageError

_MOST_STARS = 4
_MOST_TEXT = 256


@dataclass(frozen=True, slots=True)
class Pattern:
    """A pattern; made by :func:`parse_pattern`."""

    text: str

    def matches(self, name: str) -> bool:
        """Whether it stands for ``name``, all of it."""
        first, *others = self.text.split("*")
        if not others:
            return name == first
        last = others.pop()
        if not name.startswith(first) or len(name) < len(first) + len(last) or not name.endswith(last):
            return False
        at, end = len(first), len(name) - len(last)
        for part in others:  # the leftmost place of each part leaves the most for the others
            found = name.find(part, at, end)
            if found < 0:
                return False
            at = found + len(part)
        return True


def parse_pattern(text: str) -> Pattern:
    """The pattern that ``text`` is; raises UsageError if it is too long, or has too many stars."""
    if not 0 < len(text) <= _MOST_TEXT or text.count("*") > _MOST_STARS:
        raise UsageError(f"a pattern has 1 to {_MOST_TEXT} characters, up to {_MOST_STARS} of them *")
    return Pattern(text)
