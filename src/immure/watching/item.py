"""What a source gives: items, which have bytes, and troubles, which should have had some."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from immure.dumps.dump import Reader


@dataclass(frozen=True, slots=True)
class Item:
    """One thing with bytes: a file, a blob, an object.

    Attributes:
        place: where it is, within its target; no two items of a target have the same at a time.
        size: its bytes, if they are known without reading it.
        open: gives its bytes; raises :class:`~immure.errors.InputError`. Who calls it closes the reader.
        content: names the bytes, if the source knows that without reading them (``git:…``).
        stamp: changes when the bytes do, if the source knows such a thing; None if they have to be read.
        still: tells, after the bytes were read, whether they are what ``stamp`` stood for.
    """

    place: str
    size: int | None
    open: Callable[[], Reader]
    content: str | None = None
    stamp: str | None = None
    still: Callable[[], bool] | None = None


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that was not searched, or not all of it, and why.

    Attributes:
        place: where, within the target.
        reason: in words.
        length: bytes concerned, 0 if that is not known.
    """

    place: str
    reason: str
    length: int = 0


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """What is to be said of a place besides its name.

    Attributes:
        path: by which name people, owners and suppressions know it; for a blob the path it has in a tree.
        detail: the rest, in words: the commit that brought it, the layer that deletes it.
    """

    path: str
    detail: str = ""


Given = Item | Trouble
#: Where something was found: the item's place, and what is inside of it.
Spotted = tuple[str, str]


class Source(ABC):
    """A target, opened: gives its items, one by one. One small class for each kind of target.

    Attributes:
        kind: names the class in reports.
        name: names the target in state and reports: an absolute path, or a URL.
        may_be_empty: whether it is no sign of a mistake if there is nothing in it.
        covers: directories, as absolute paths, whose files are all among the items in another form.
    """

    kind: ClassVar[str]
    may_be_empty: ClassVar[bool] = False
    name: str
    covers: frozenset[str] = frozenset()

    @abstractmethod
    def items(self) -> Iterator[Given]:
        """All items, in an order that does not change as long as nothing else does.

        Raises:
            SourceError: the target cannot be read at all.
        """

    def whereabouts(self, found: Collection[Spotted]) -> Mapping[Spotted, Whereabouts]:
        """What there is to say of what was found. May take a while; what is left out speaks for itself."""
        return {}

    def close(self) -> None:
        """Give back what is held. Idempotent."""
        return
