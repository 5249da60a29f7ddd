"""Git repositories, their history included: every object that has bytes of people's, once.

That is every blob, commit and tag in the packs and outside, also those that no branch leads to any more: what
was amended, rebased away or only ever staged is there until git prunes it, and goes with a copy of the
directory.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Generator, Iterator, Mapping
from functools import partial
from itertools import islice
from typing import ClassVar, Final

from immure.dumps.dump import Reader
from immure.dumps.limits import Limits
from immure.dumps.readers import BytesReader
from immure.dumps.spool import SpoolReader
from immure.watching.errors import SourceError
from immure.watching.item import Given, Item, Source, Spotted, Trouble, Whereabouts
from immure.watching.sources.git_leftovers import left_over
from immure.watching.sources.git_process import Process, Repository
from immure.watching.sources.names import text_of

PREFIX: Final = "git:"
_LIST: Final = ("cat-file", "--batch-all-objects")
_KINDS: Final = (b"blob", b"commit", b"tag")
#: Objects up to this size are read into memory; larger ones come through a process of their own.
_SMALL: Final = 16 << 20
_MOST_OBJECT: Final = 16 << 30
#: Times that git may break off on a damaged object before the repository is given up.
_MOST_RESTARTS: Final = 1_000
_ID: Final = re.compile(rb"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_MOST_ASKED: Final = 1_000
#: Answers about paths that are read: a small tree that is entered again and again has paths without end.
_MOST_ANSWERS: Final = 5_000_000


class Git(Source):
    """The repository whose git directory (``.git``, or a bare repository) is ``path``."""

    kind: ClassVar[str] = "git"

    def __init__(self, path: str) -> None:
        self._path = os.path.realpath(path)
        self.name = text_of(self._path)
        self.covers = frozenset({os.path.join(self._path, "objects")})
        self._repository: Repository | None = None
        self._reading: Process | None = None
        self._restarts = 0

    @staticmethod
    def detect(path: str) -> bool:
        """Whether a directory is a git directory."""
        return os.path.isfile(os.path.join(path, "HEAD")) and all(
            os.path.isdir(os.path.join(path, name)) for name in ("objects", "refs")
        )

    def items(self) -> Iterator[Given]:
        """In the order of the packs, which is the one in which git reads them fastest; then what lies beside
        the objects, and what is not there at all."""
        code, complaints = yield from self._listed(*_LIST, "--unordered")
        if code:
            # git ends at a pack that it cannot open. By name it goes on, and says of each object there that
            # it is missing; those that were given are given again, and known
            more = yield from self._listed(*_LIST)
            complaints += more[1]
        yield from (Trouble("", f"git says: {words}") for words in dict.fromkeys(complaints))
        yield from left_over(self._path)

    def _listed(self, *command: str) -> Generator[Given, None, tuple[int, list[str]]]:
        """The items that git lists; then its exit code, and what it complains of."""
        listing = self._opened().start(
            *command, "--batch-check=%(objectname) %(objecttype) %(objectsize)", hears=True
        )  # fmt: skip
        try:
            listing.end_of_questions()
            while line := listing.line():
                found = self._item(line)
                if found is not None:
                    yield found
            return listing.ended()
        finally:
            listing.close()

    def _item(self, line: bytes) -> Given | None:
        name, _, rest = line.partition(b" ")
        kind, _, size = rest.partition(b" ")
        if not _ID.fullmatch(name):
            return Trouble("", f"git says {text_of(line[:80])}")
        place = PREFIX + name.decode("ascii")
        if not size.isdigit() or len(size) > 18:
            return Trouble(place, f"git says {text_of(rest[:80])}")
        if kind not in _KINDS:
            return None
        length = int(size)
        if length > _MOST_OBJECT:
            return Trouble(place, f"is an object of {length} bytes: not read", length)
        return Item(place, length, partial(self._open, name, length), content=place)

    def _open(self, name: bytes, length: int) -> Reader:
        if length > _SMALL:
            process = self._opened().start("cat-file", "blob", name.decode("ascii"))
            process.end_of_questions()
            return SpoolReader(process.pieces(), name.decode("ascii"), Limits(), process.close)
        try:
            return BytesReader(self._read(name, length))
        except SourceError:
            self._stop()
            self._restarts += 1
            if self._restarts > _MOST_RESTARTS:
                raise SourceError("git breaks off on too many objects", path=self.name) from None
            raise

    def _read(self, name: bytes, length: int) -> bytes:
        if self._reading is None:
            self._reading = self._opened().start("cat-file", "--batch")
        self._reading.ask(name + b"\n")
        head = self._reading.line().split(b" ")
        if len(head) != 3 or head[0] != name or head[2] != b"%d" % length:
            raise SourceError("git cannot read this object: it is damaged")
        data = self._reading.take(length)
        self._reading.take(1)
        return data

    def whereabouts(self, found: Collection[Spotted]) -> Mapping[Spotted, Whereabouts]:
        """The path that a blob has in the oldest commit that brought it, and that commit."""
        names = {place.removeprefix(PREFIX) for place, _ in found if place.startswith(PREFIX)}
        said: dict[str, Whereabouts] = {}
        for some in _groups(sorted(names)):
            said |= self._seek(some)
        unknown = "a commit or tag, or a blob that is in no commit"
        return {
            (place, inside): said.get(place.removeprefix(PREFIX)) or Whereabouts(place, unknown)
            for place, inside in found
            if place.startswith(PREFIX)
        }

    def _seek(self, names: list[str]) -> dict[str, Whereabouts]:
        """Look through all commits, also those that no branch leads to, for trees that gained these
        objects."""
        found: dict[str, Whereabouts] = {}
        log = self._opened().start(
            "log", "--stdin", "--ignore-missing", "-z", "--raw", "--no-abbrev", "--no-renames", "--root",
            "--diff-merges=separate", "--no-ext-diff", "--no-textconv", "--no-show-signature", "--date-order",
            "--format=%x01%H %cI", *(f"--find-object={name}" for name in names),
        )  # fmt: skip
        try:
            for commit in self._commits():
                log.ask(commit + b"\n")
            log.end_of_questions()
            words = ""
            for _ in range(_MOST_ANSWERS):
                line = log.line(b"\0")
                if not line:
                    break
                if line.startswith(b"\x01"):
                    name, _, date = line[1:].decode("ascii", "replace").strip().partition(" ")
                    words = f"commit {name} of {date[:10]}"
                elif b":" in line:
                    new = line.strip().split(b" ")[3].decode("ascii", "replace")
                    path = log.line(b"\0")
                    if new in names:
                        found[new] = Whereabouts(text_of(path), words)
        except (SourceError, IndexError):
            return found  # the paths are a help only
        finally:
            log.close()
        return found

    def _commits(self) -> Iterator[bytes]:
        listing = self._opened().start(*_LIST, "--unordered", "--batch-check=%(objectname) %(objecttype)")
        try:
            listing.end_of_questions()
            while line := listing.line():
                name, _, kind = line.partition(b" ")
                if kind == b"commit":
                    yield name
        finally:
            listing.close()

    def _opened(self) -> Repository:
        if self._repository is None:
            self._repository = Repository(self._path)
        return self._repository

    def _stop(self) -> None:
        process, self._reading = self._reading, None
        if process is not None:
            process.close()

    def close(self) -> None:
        """End git and remove what it was given."""
        self._stop()
        if self._repository is not None:
            self._repository.close()
            self._repository = None


def _groups(names: list[str]) -> Iterator[list[str]]:
    rest = iter(names)
    while some := list(islice(rest, _MOST_ASKED)):
        yield some
