"""What a container gives: its parts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from immure.dumps.dump import Reader
from immure.dumps.limits import Limits
from immure.dumps.readers import SharedReader
from immure.dumps.unreadable import Unreadable


@dataclass(frozen=True, slots=True)
class Part:
    """A file in a container, by the name that it has there. Who receives it closes the reader."""

    name: str
    reader: Reader


#: Gives the parts of a container, in its order. It acquires the shared reader for each part that it gives,
#: and raises :class:`~immure.errors.InputError` if the container is broken.
Parts = Callable[[SharedReader, Limits], Iterator[Part | Unreadable]]


@dataclass(frozen=True, slots=True)
class Container:
    """A kind of container.

    Attributes:
        name: names the kind.
        detect: tells by the first 4 KiB.
        parts: see :data:`Parts`.
        covers: whether the parts hold all that is in the container, so that its own bytes need no search.
    """

    name: str
    detect: Callable[[bytes], bool]
    parts: Parts
    covers: bool = False
