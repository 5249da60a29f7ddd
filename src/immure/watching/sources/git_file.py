"""Working trees whose repository is elsewhere: ``.git`` is a file there that names it, as ``git worktree``,
``git submodule`` and ``git init --separate-git-dir`` leave it (gitrepository-layout(5)).

A file may name what it likes. It is followed if the repository names it, too; else it is only told.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import closing
from typing import ClassVar, Final

from immure.errors import ImmureError
from immure.watching.errors import SourceError
from immure.watching.item import Given, Source
from immure.watching.sources.directory import open_file
from immure.watching.sources.git import Git
from immure.watching.sources.names import text_of

NAME: Final = ".git"
_MOST: Final = 1 << 16
_GITDIR: Final = b"gitdir: "
_WORKTREE: Final = re.compile(rb"(?im)^[ \t]*worktree[ \t]*=[ \t]*(.+?)[ \t]*\r?$")


class Elsewhere(Source):
    """A repository that is not gone into, and why."""

    kind: ClassVar[str] = "git"

    def __init__(self, path: str, reason: str) -> None:
        self.name = text_of(path)
        self._reason = reason

    def items(self) -> Iterator[Given]:
        """None."""
        raise SourceError(self._reason, path=self.name)


def linked(path: str) -> Source | None:
    """The repository that a file ``.git`` leads to; None if it leads to none."""
    text = _read(path)
    if text is None or not text.startswith(_GITDIR):
        return None
    git_dir = _beside(os.path.dirname(path), text.removeprefix(_GITDIR))
    repository, back = _repository(git_dir)
    if repository is None:
        return Elsewhere(path, f"its repository is not at {text_of(git_dir)}: the history is not searched")
    if back != os.path.realpath(path):
        words = f"its repository is {text_of(repository)}, which does not know it: name that one, too"
        return Elsewhere(path, f"{words}, or the history is not searched")
    return Git(repository)


def _repository(git_dir: str) -> tuple[str | None, str | None]:
    """The repository of a git directory, and the file that leads there by what stands in it."""
    if Git.detect(git_dir):
        config = _read(os.path.join(git_dir, "config")) or b""
        found = _WORKTREE.search(config)
        tree = _beside(git_dir, found[1].strip(b'"')) if found else None
        return git_dir, os.path.join(tree, NAME) if tree is not None else None
    common = _read(os.path.join(git_dir, "commondir"))
    repository = _beside(git_dir, common) if common is not None else None
    if repository is None or not Git.detect(repository):
        return None, None
    back = _read(os.path.join(git_dir, "gitdir"))
    return repository, _beside(git_dir, back) if back is not None else None


def _beside(directory: str, name: bytes) -> str:
    """A path, as it stands in a file that is in ``directory``."""
    return os.path.realpath(os.path.join(directory, os.fsdecode(name.rstrip(b"\r\n").replace(b"\0", b""))))


def _read(path: str) -> bytes | None:
    try:
        with closing(open_file(path)) as reader:
            return reader.read(0, _MOST)
    except ImmureError:
        return None
