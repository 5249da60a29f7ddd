"""Globs over paths, by the rules of ``.gitignore`` and of CODEOWNERS files, without negation.

>>> glob("*.pem").matches("conf/a.pem"), glob("/conf/*.pem").matches("conf/old/a.pem")
(True, False)

Paths are foreign, so a match takes no more steps than the product of both lengths: regular expressions match
segments only, and do not go back in them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from immure.watching.errors import RulesError

_MOST: Final = 1024


@dataclass(frozen=True, slots=True)
class Glob:
    """A pattern, taken apart.

    Attributes:
        segments: what stands between slashes; None for ``**``.
        is_directory: whether only what is inside of something of that name matches.
    """

    segments: tuple[re.Pattern[str] | None, ...]
    is_directory: bool

    def matches(self, path: str) -> bool:
        """Whether it matches the path, or a directory or archive that the path goes through."""
        names, segments = path.replace("!", "/").split("/"), self.segments
        at = number = 0
        star, tried = -1, 0
        while number < len(segments):
            segment = segments[number]
            if segment is None:
                star, tried, number = number, at, number + 1
            elif at < len(names) and segment.fullmatch(names[at]):
                at, number = at + 1, number + 1
            elif star >= 0 and tried < len(names):
                # one name more for the last ** : what was before it need not be tried in another way
                tried += 1
                at, number = tried, star + 1
            else:
                return False
        return at < len(names) or not (self.is_directory or segments[-1] is None)


@lru_cache(maxsize=4096)
def glob(pattern: str) -> Glob:
    """A pattern. With a slash other than at its end it holds from the top on, others at any depth; ``**``
    goes over slashes. What is inside of an archive is told by ``!``, which counts as a slash.

    Raises:
        RulesError: the pattern is empty or longer than 1,024 characters.
    """
    text = pattern.strip().replace("!", "/")
    if not text.strip("/") or len(text) > _MOST:
        raise RulesError(f"{pattern[:80]!r} is no pattern that is taken")
    parts = [None if part == "**" else _segment(part) for part in text.strip("/").split("/") if part]
    if "/" not in text.rstrip("/"):
        parts.insert(0, None)
    return Glob(tuple(parts), text.endswith("/"))


def _segment(part: str) -> re.Pattern[str]:
    """``*`` and ``?``; each star takes as little as lets what is behind it match, and keeps that."""
    first, *others = re.split(r"\*+", part)
    if not others:
        return re.compile(_fixed(first), re.DOTALL)
    *middle, last = others
    inner = "".join(f"(?>.*?{_fixed(piece)})" for piece in middle)
    return re.compile(f"{_fixed(first)}{inner}.*{_fixed(last)}", re.DOTALL)


def _fixed(text: str) -> str:
    return "".join("." if character == "?" else re.escape(character) for character in text)


def is_everything(pattern: str) -> bool:
    """Whether a pattern names nothing in particular."""
    return not pattern.strip().strip("*/?.!")
