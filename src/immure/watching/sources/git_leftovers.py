"""What is in the directory of a repository's objects and is no object to git, and what should be there and is
not: both would go unsearched without a word."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from immure.watching.errors import SourceError
from immure.watching.item import Given, Trouble
from immure.watching.sources.directory import Directory

#: Files that git reads itself, or that have names of objects and numbers in them only.
_READ: Final = re.compile(
    r"[0-9a-f]{2}/(?:[0-9a-f]{38}|[0-9a-f]{62})|info/(?:packs|commit-graph|commit-graphs/.*)"
    r"|pack/(?:pack-[0-9a-f]+\.(?:pack|idx|rev|bitmap|mtimes)|multi-pack-index.*)"
)
#: What a fetch or gc leaves that was broken off. It is compressed, so that it cannot be searched as it is.
_UNFINISHED: Final = re.compile(r"(?:.*/)?tmp_(?:pack|obj)_[^/]*|tmp_objdir-.*")


def left_over(git_dir: str) -> Iterator[Given]:
    """The files beside the objects, as items; packs and objects that git does not read, and history that is
    elsewhere, as troubles."""
    top = os.path.join(git_dir, "objects")
    try:
        for given in Directory(top).items():
            yield from _judged(top, given)
    except SourceError as error:
        yield Trouble("objects", error.reason)
    if os.path.exists(os.path.join(git_dir, "shallow")):
        yield Trouble("shallow", "is a shallow clone: the history before its oldest commits is not here")


def _judged(top: str, given: Given) -> Iterator[Given]:
    name = given.place
    length = 0 if isinstance(given, Trouble) else given.size or 0
    if name.endswith(".promisor"):
        yield Trouble(f"objects/{name}", "is a partial clone: objects that nobody asked for are not here")
    if name.endswith(".pack") and not os.path.exists(f"{top}/{name.removesuffix('.pack')}.idx"):
        yield Trouble(f"objects/{name}", "is a pack without an index: git does not read it", length)
    elif _UNFINISHED.fullmatch(name) and not _READ.fullmatch(name):
        yield Trouble(f"objects/{name}", "is unfinished: git does not read it", length)
    elif isinstance(given, Trouble) or not _READ.fullmatch(name):
        yield replace(given, place=f"objects/{name}")
