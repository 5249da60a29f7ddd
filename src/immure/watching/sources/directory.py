"""Directories: every regular file in the tree. Repositories and container images in it are gone into.

Links are not followed, so there are no loops; other file systems are gone into, as ``find`` does.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from typing import ClassVar, Final

from immure.dumps.readers import FileReader
from immure.watching.errors import SourceError
from immure.watching.item import Given, Item, Source, Spotted, Trouble, Whereabouts
from immure.watching.sources.names import text_of, words_of

#: Seconds for which a file that was just written may be written again without a new time in its inode.
_RACY: Final = 2.0
_MOST_FILES: Final = 20_000_000
#: What the directory of a repository's objects is called.
_OBJECTS: Final = f"{os.sep}objects"

#: Opens what a directory of the tree is besides, such as a repository; None if it is nothing besides.
Opener = Callable[[str], Source | None]


class Directory(Source):
    """The tree below ``path``; or the file, if it is one.

    Args:
        path: where; the link that it may be is followed.
        inner: opens sources that are in the tree.
        leave_out: files and directories, as absolute paths, that are not gone into.
    """

    kind: ClassVar[str] = "directory"

    def __init__(
        self, path: str, *, inner: Opener = lambda path: None, leave_out: Collection[str] = ()
    ) -> None:
        self._top = os.path.realpath(path)
        self.name = text_of(self._top)
        self._inner = inner
        self._leave_out = set(leave_out)
        self._sources: dict[str, Source] = {}

    @staticmethod
    def detect(target: str) -> bool:
        """Whether this is anything in the file system."""
        return os.path.lexists(target)

    def items(self) -> Iterator[Given]:
        """Depth first, by name."""
        pending, files = [(self._top, "")], 0
        while pending:
            path, place = pending.pop()
            try:
                found = os.lstat(path)
                if stat.S_ISDIR(found.st_mode):
                    yield from self._enter(path, place)
                    below = sorted(os.listdir(path), reverse=True)
                    pending += [(os.path.join(path, name), _join(place, name)) for name in below
                                if os.path.join(path, name) not in self._leave_out]  # fmt: skip
                elif stat.S_ISREG(found.st_mode):
                    files += 1
                    if files > _MOST_FILES:
                        raise SourceError(f"holds more than {_MOST_FILES} files", path=self.name)
                    yield from self._regular(path, place, found)
            except (OSError, ValueError) as error:
                if not place:
                    raise SourceError(words_of(error), path=self.name) from error
                yield Trouble(text_of(place), f"cannot be opened: {words_of(error)}")

    def _regular(self, path: str, place: str, found: os.stat_result) -> Iterator[Given]:
        source = self._inner(path)
        if source is None or path not in source.covers:
            yield file_item(path, text_of(place or os.path.basename(path)), found)
        if source is not None and not self._is_met(source):
            yield from self._within(source, place)

    def _is_met(self, source: Source) -> bool:
        """Whether a source that a file leads to is come by in this tree anyway: a repository that is the
        directory of several working trees is gone into once."""
        top = os.path.join(self._top, "")
        others = [path for path in source.covers if path.endswith(_OBJECTS)]
        return bool(others) and all(path.startswith(top) or path in self._leave_out for path in others)

    def _enter(self, path: str, place: str) -> Iterator[Given]:
        """What a directory is besides: then it says which directories in it need not be read as files."""
        source = self._inner(path)
        if source is not None:
            yield from self._within(source, place)

    def _within(self, source: Source, place: str) -> Iterator[Given]:
        prefix = f"{text_of(place)}!" if place else ""
        self._sources[prefix] = source
        self._leave_out.update(source.covers)
        try:
            for given in source.items():
                yield replace(given, place=prefix + given.place if given.place else text_of(place))
        except SourceError as error:
            yield Trouble(text_of(place), error.reason)

    def whereabouts(self, found: Collection[Spotted]) -> Mapping[Spotted, Whereabouts]:
        """As the repositories and images in the tree say."""
        said: dict[Spotted, Whereabouts] = {}
        for prefix, source in self._sources.items():
            own = [(place[len(prefix) :], inside) for place, inside in found if place.startswith(prefix)]
            for (place, inside), words in source.whereabouts(own).items() if own else ():
                said[prefix + place, inside] = replace(words, path=_tree_of(prefix) + words.path)
        return said

    def close(self) -> None:
        """Close the sources in the tree."""
        for source in self._sources.values():
            source.close()


def _tree_of(prefix: str) -> str:
    """What is put before paths in a repository, so that they read as those in its working tree."""
    above = prefix.removesuffix("!")
    above = above.removesuffix(".git") if above == ".git" or above.endswith("/.git") else above
    return above if not above or above.endswith("/") else f"{above}/"


def _join(place: str, name: str) -> str:
    return f"{place}/{name}" if place else name


def file_item(path: str, place: str, found: os.stat_result) -> Item:
    """A regular file as an item. What was written a moment ago has no stamp: it may change without a
    trace."""
    stamp = stamp_of(found)

    def still() -> bool:
        try:
            return stamp_of(os.lstat(path)) == stamp
        except OSError:
            return False

    is_fresh = time.time() - max(found.st_mtime, found.st_ctime) < _RACY
    return Item(place, found.st_size, lambda: open_file(path), stamp=None if is_fresh else stamp, still=still)


def open_file(path: str) -> FileReader:
    """A regular file that nobody has put something else in the place of.

    Raises:
        SourceError: it cannot be opened, or is something else.
    """
    try:
        # not the link that may have taken the file's place since it was seen, and not held up by a FIFO
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY)
    except (OSError, ValueError) as error:
        raise SourceError(f"cannot be opened: {words_of(error)}") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise SourceError("is no file any more")
    return FileReader(descriptor, path)


def stamp_of(found: os.stat_result) -> str:
    """Changes when the bytes do, unless somebody sets the clock back."""
    return f"{found.st_size}:{found.st_mtime_ns}:{found.st_ctime_ns}:{found.st_dev}:{found.st_ino}"
