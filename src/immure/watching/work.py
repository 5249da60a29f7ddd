"""An item under way, from its bytes to what was found in them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

from immure.dumps.dump import Missing, Reader
from immure.dumps.readers import BytesReader
from immure.dumps.unreadable import Unreadable
from immure.watching.batch import SMALL
from immure.watching.errors import SourceError
from immure.watching.item import Item, Trouble
from immure.watching.state import Seen

_STEP: Final = 1 << 20


@dataclass
class Work:
    """An item under way: images of it may still wait in a batch.

    Attributes:
        item: which.
        seen: what is to be recorded of it.
        is_held: whether its bytes are in memory since before they were named.
        waiting: images that are not scanned yet.
        is_unfolded: whether there are no more of them.
        is_broken: whether its bytes broke off on the way here, so that the next run may get more.
    """

    item: Item
    seen: Seen
    is_held: bool
    waiting: int = 0
    is_unfolded: bool = False
    is_broken: bool = False

    @property
    def is_done(self) -> bool:
        """Whether all of it was scanned."""
        return self.is_unfolded and not self.waiting


def stamp_of(item: Item) -> str | None:
    """The item's stamp, if it still stands for what was read."""
    return item.stamp if item.still is None or item.still() else None


def fault_of(missing: Missing, inside: str = "") -> Trouble:
    """What an image says it does not hold."""
    return Trouble(inside, missing.reason, missing.length)


def gap_of(opened: Unreadable) -> Trouble:
    """What could not be opened in an item."""
    return Trouble(opened.path, opened.reason)


def named(reader: Reader, item: Item) -> tuple[Reader, str]:
    """The item's bytes and their name; small ones are read once, so that what is named is what is scanned.

    Raises:
        SourceError: they cannot be read.
    """
    if item.content is not None:
        return reader, item.content
    if reader.size is not None and reader.size <= SMALL:
        data = reader.read(0, reader.size)
        if len(data) < reader.size:
            raise SourceError("cannot be read to its end")
        return BytesReader(data), f"sha256:{hashlib.sha256(data).hexdigest()}"
    digest, position = hashlib.sha256(), 0
    while data := reader.read(position, _STEP):
        digest.update(data)
        position += len(data)
    return reader, f"sha256:{digest.hexdigest()}"
