"""From the bytes of an item to the images in it: compressed, archived, attached and encoded ones too.

>>> from immure.dumps.readers import BytesReader
>>> [leaf.inside for leaf in unfold(BytesReader(b"From: a\\nDate: b\\n\\nhello"))]
['']
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from immure.dumps.detect import HEAD_BYTES
from immure.dumps.dump import Image, Reader
from immure.dumps.limits import GIB, Limits
from immure.dumps.open import open_reader
from immure.dumps.readers import PiecesReader, SharedReader
from immure.dumps.unreadable import Unreadable
from immure.errors import ImmureError
from immure.watching.containers.known import container_of
from immure.watching.containers.part import Container

#: Archives within archives, as a layer in an image, a package in a layer, a key store in a package.
LIMITS: Final = Limits(max_nesting=3, max_stored_bytes=16 * GIB, max_members=200_000)
#: Containers within containers.
_MOST_DEPTH: Final = 4


@dataclass(frozen=True, slots=True)
class Leaf:
    """An image that is in an item. Who receives it closes the image.

    Attributes:
        image: ready to be scanned.
        inside: where in the item, ``!member!member``; empty if it is the item itself.
    """

    image: Image
    inside: str


@dataclass
class Budget:
    """How much may come out of one item. What comes out is at first not known to be large."""

    images: int = 1_000_000
    bytes: int = 256 * GIB
    exhausted: bool = field(default=False, init=False)

    def takes(self, image: Image) -> bool:
        """Count an image; False if it is too much."""
        self.images -= 1
        self.bytes -= image.reader.size or 0
        self.exhausted = self.exhausted or self.images < 0 or self.bytes < 0
        return not self.exhausted


def unfold(
    reader: Reader, limits: Limits = LIMITS, budget: Budget | None = None
) -> Iterator[Leaf | Unreadable]:
    """The images in ``reader``, which is taken over. What cannot be opened is given as :class:`Unreadable`,
    with ``inside`` as its path; an end is put to what has none."""
    yield from _unfold("", reader, limits, budget or Budget(), 0)


def _unfold(
    inside: str, reader: Reader, limits: Limits, budget: Budget, depth: int
) -> Iterator[Leaf | Unreadable]:
    try:
        for opened in open_reader(inside, reader, limits=limits):
            if isinstance(opened, Unreadable):
                yield opened
            elif budget.takes(opened):
                yield from _leaf(opened, limits, budget, depth)
            else:
                opened.close()
            if budget.exhausted:
                yield Unreadable(inside, "holds more than is opened of one file: the rest is not searched")
                return
    except ImmureError as error:
        yield Unreadable(error.path or inside, error.reason)


def _leaf(image: Image, limits: Limits, budget: Budget, depth: int) -> Iterator[Leaf | Unreadable]:
    """The image itself, and the parts that it has if it is a container."""
    container = container_of(image.reader.read(0, HEAD_BYTES)) if image.format == "raw" else None
    if container is None:
        yield Leaf(image, image.path)
        return
    if depth >= _MOST_DEPTH:
        yield Leaf(image, image.path)
        if container.name != "encoded":
            yield Unreadable(image.path, f"{container.name} inside so many others is not opened: the limit")
        return
    shared = SharedReader(image.reader)
    try:
        if not container.covers:
            shared.reader.wait()
            size = shared.reader.size or 0
            yield Leaf(replace_reader(image, PiecesReader(shared, ((0, 0, size),), size)), image.path)
        yield from _parts(image.path, container, shared, limits, budget, depth)
    finally:
        shared.release()


def replace_reader(image: Image, reader: Reader) -> Image:
    """The same image, read by other means."""
    image.settle()
    return replace(image, reader=reader, _starts=[], _settle=None)


def _parts(
    inside: str, container: Container, shared: SharedReader, limits: Limits, budget: Budget, depth: int
) -> Iterator[Leaf | Unreadable]:
    try:
        for part in container.parts(shared, limits):
            if isinstance(part, Unreadable):
                yield Unreadable(f"{inside}!{part.path}" if part.path else inside, part.reason, part.skipped)
                continue
            yield from _unfold(f"{inside}!{part.name}", part.reader, limits, budget, depth + 1)
            if budget.exhausted:
                return
    except ImmureError as error:
        yield Unreadable(inside, f"the {container.name} is broken: {error.reason}")
