"""What the next commit would bring: the blobs of the index of the repository here that HEAD does not have.

This is run by a person in a repository of that person, as a hook of it (``pre-commit`` sets
``GIT_INDEX_FILE``), so the repository's own configuration holds; hooks and file system monitors are not run
all the same.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from typing import ClassVar, Final

from immure.dumps.readers import BytesReader
from immure.watching.errors import SourceError
from immure.watching.item import Given, Item, Source, Trouble
from immure.watching.sources.names import text_of

_GIT: Final = ("git", "--no-pager", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null")
#: Seconds for one command, and bytes of one staged file.
_PATIENCE: Final = 300.0
_MOST: Final = 1 << 30


class Staged(Source):
    """The index of the repository that ``directory`` is in."""

    kind: ClassVar[str] = "staged"
    may_be_empty: ClassVar[bool] = True  # a commit that only deletes, or amends a message

    def __init__(self, directory: str = ".") -> None:
        self._directory = os.path.realpath(directory)
        self._top = os.fsdecode(self._git("rev-parse", "--show-toplevel").rstrip(b"\n"))
        # not the name of the directory: what is there and is not staged has not gone
        self.name = f"{text_of(self._top)} (staged)"

    def items(self) -> Iterator[Given]:
        """Files that were added or changed, by name."""
        head = self._git("rev-parse", "--verify", "--quiet", "HEAD", may_fail=True).strip()
        base = os.fsdecode(head) if head else os.fsdecode(self._empty_tree())
        raw = self._git(
            "diff-index", "--cached", "--raw", "-z", "--no-abbrev", "--no-renames", "--no-ext-diff",
            "--ignore-submodules", "--diff-filter=ACMRT", base, "--",
        )  # fmt: skip
        fields = iter(raw.split(b"\0"))
        for change in fields:
            path = next(fields, b"")
            words = change.split(b" ")
            if len(words) == 5 and words[1] != b"160000":  # not a submodule
                yield self._item(words[3].decode("ascii"), text_of(path))

    def _item(self, name: str, place: str) -> Given:
        size = int(self._git("cat-file", "-s", name).strip())
        if size > _MOST:
            return Trouble(place, f"is {size} bytes long: not read", size)
        return Item(
            place, size, lambda: BytesReader(self._git("cat-file", "blob", name)), content=f"git:{name}"
        )

    def _empty_tree(self) -> bytes:
        return self._git("hash-object", "-t", "tree", os.devnull).strip()

    def _git(self, *arguments: str, may_fail: bool = False) -> bytes:
        try:
            done = subprocess.run(  # noqa: S603 - git, with words of ours
                [*_GIT, *arguments], cwd=self._directory, stdin=subprocess.DEVNULL, capture_output=True,
                timeout=_PATIENCE, check=False,
                env={**os.environ, "LC_ALL": "C", "GIT_NO_LAZY_FETCH": "1", "GIT_OPTIONAL_LOCKS": "0"},
            )  # fmt: skip
        except (OSError, subprocess.TimeoutExpired) as error:
            raise SourceError(f"git cannot be run: {error}", path=self._directory) from error
        if done.returncode and not may_fail:
            words = text_of(done.stderr[:200].strip().partition(b"\n")[0])
            raise SourceError(f"git says: {words}", path=self._directory)
        return done.stdout
