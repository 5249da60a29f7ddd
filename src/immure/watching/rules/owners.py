"""Owners of paths, as CODEOWNERS files of GitHub and GitLab name them: of the lines that match, the last
holds.

>>> owners = parse_owners("*       @security\\n/conf/  @ops ops@example.com # all of it\\n")
>>> owners.of("conf/a.pem"), owners.of("b.pem")
(('@ops', 'ops@example.com'), ('@security',))
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from immure.watching.errors import RulesError
from immure.watching.rules.globs import glob

_MOST_BYTES: Final = 1 << 20
_OWNER: Final = re.compile(r"@[\w./@-]+|[^\s@]+@[^\s@]+")
_WORD: Final = re.compile(r"(?:\\.|[^\s\\])+")


@dataclass(frozen=True, slots=True)
class Owners:
    """Patterns in their order, and whose they are."""

    lines: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def of(self, path: str) -> tuple[str, ...]:
        """The owners of a path; nobody, if no line names it, or the last one that does names nobody."""
        for pattern, owners in reversed(self.lines):
            if glob(pattern).matches(path):
                return owners
        return ()


def parse_owners(text: str, path: str | None = None) -> Owners:
    """The owners that a file names. Headings of sections (GitLab) are passed over.

    Raises:
        RulesError: a line is none of such a file; the reason says which.
    """
    lines = []
    for number, line in enumerate(text.splitlines(), 1):
        words = _words(line)
        if not words or words[0].startswith(("[", "^[")):
            continue
        pattern = re.sub(r"\\(.)", r"\1", words[0])
        wrong = [word for word in words[1:] if not _OWNER.fullmatch(word)]
        if wrong or pattern.startswith("!"):
            raise RulesError(f"line {number}: {(wrong or [pattern])[0]!r} is not understood", path=path)
        try:
            glob(pattern)
        except RulesError as error:
            raise RulesError(f"line {number}: {error.reason}", path=path) from error
        lines.append((pattern, tuple(words[1:])))
    return Owners(tuple(lines))


def read_owners(path: str | os.PathLike[str]) -> Owners:
    """As :func:`parse_owners`, of a file."""
    return parse_owners(read_text(path, _MOST_BYTES), os.fspath(path))


def read_text(path: str | os.PathLike[str], most: int) -> str:
    """A file of rules.

    Raises:
        RulesError: it cannot be read, is longer than ``most`` bytes, or is no UTF-8.
    """
    try:
        with Path(path).open("rb") as stream:
            data = stream.read(most + 1)
        if len(data) > most:
            raise RulesError(f"is longer than {most} bytes", path=os.fspath(path))
        return data.decode("utf-8")
    except (OSError, ValueError) as error:
        raise RulesError(
            f"cannot be read: {getattr(error, 'strerror', None) or error}", path=os.fspath(path)
        ) from error


def _words(line: str) -> list[str]:
    """The words of a line; a comment ends it."""
    words = []
    for word in _WORD.findall(line):
        if word.startswith("#"):
            break
        words.append(word)
    return words
