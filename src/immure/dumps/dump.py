"""What a memory image is, whatever its format: bytes, and what is known of where they stood in memory.

Every format's parser yields an :class:`Image`. The scanner needs only three things of it: random access
to bytes (:class:`Reader`), the :class:`Region` table, and the :class:`Missing` ranges that the image
promises but does not hold.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Literal, Self

RegionKind = Literal["memory", "header", "notes", "data"]


class Reader(ABC):
    """Random access to the (decompressed) bytes of an image; safe to call from several threads."""

    #: Number of bytes, or None while a stream's end has not been seen.
    size: int | None

    @abstractmethod
    def read_into(self, offset: int, view: memoryview) -> int:
        """Fill ``view`` with the bytes from ``offset`` on; the number of bytes filled.

        Fewer than ``len(view)`` only at the end of the image or where bytes cannot be read (then zero: the
        caller records the range as missing and goes on behind it). Never raises for a mere short read.
        """

    def read(self, offset: int, length: int) -> bytes:
        """Up to ``length`` bytes from ``offset``."""
        buffer = bytearray(length)
        return bytes(buffer[: self.read_into(offset, memoryview(buffer))])

    def extents(self, start: int, stop: int) -> Iterator[tuple[int, int]]:
        """Ranges within [start, stop) that may hold other bytes than zero, holes of sparse files left out."""
        if start < stop:
            yield start, stop

    def once(self, span: int) -> None:
        """A hint: from here on the bytes are read once, in order, give or take ``span``. Others remain
        readable, but may then cost much."""
        return

    def descriptor(self) -> int | None:
        """An open regular file that holds the bytes at the same offsets; None if there is none."""
        return None

    def wait(self) -> None:
        """Return when ``size`` is known: at once, but for a stream."""
        return

    def faults(self) -> tuple[Missing, ...]:
        """What is wrong with the source as a whole, such as a stream that broke off; final with ``size``."""
        return ()

    def close(self) -> None:
        """Give back what is held. Idempotent."""
        return


@dataclass(frozen=True, slots=True)
class Region:
    """A contiguous part of the image.

    Attributes:
        offset, length: bytes in the image file (for a live process: virtual addresses).
        address: virtual (or physical) address of the first byte, or None if the bytes have none.
        name: mapping name as a person knows it: ``[heap]``, ``/usr/lib/libc.so.6``, ``[stack] of thread 7``,
            ``notes``, ``ELF header``.
        permissions: ``rw-p`` style, or None if unknown.
        kind: what sort of bytes these are.
    """

    offset: int
    length: int
    address: int | None = None
    name: str = ""
    permissions: str | None = None
    kind: RegionKind = "memory"

    @property
    def end(self) -> int:
        """Offset just behind the last byte."""
        return self.offset + self.length


@dataclass(frozen=True, slots=True)
class Missing:
    """Bytes that the image promises but does not hold, or that could not be read.

    ``offset`` is where they would be in the file, or None if they have no place in it (an ELF segment with
    less file size than memory size has an address only).
    """

    length: int
    reason: str
    offset: int | None = None
    address: int | None = None


@dataclass(frozen=True, slots=True)
class Thread:
    """A thread of the crashed process: its id, stack pointer and program counter where the image has them."""

    tid: int
    stack_pointer: int | None = None
    program_counter: int | None = None


@dataclass(frozen=True, slots=True)
class Process:
    """The process that an image was taken of."""

    pid: int | None = None
    name: str | None = None
    command_line: str | None = None
    signal: int | None = None
    threads: tuple[Thread, ...] = ()
    machine: str | None = None


@dataclass
class Image:
    """A memory image ready to be scanned.

    ``regions`` are sorted by offset and do not overlap; together they cover every byte of a file image
    (what no segment claims is a ``data`` or ``header`` region), so that nothing is left unsearched by
    accident.

    An image that is being decompressed while it is read (``reader.size`` is None) knows only what stood at
    its beginning: call :meth:`settle` when its end was reached.
    """

    path: str
    format: str
    reader: Reader
    regions: tuple[Region, ...]
    missing: tuple[Missing, ...] = ()
    process: Process | None = None
    word_size: Literal[4, 8] = 8
    byte_order: Literal["little", "big"] = "little"
    warnings: tuple[str, ...] = ()
    _starts: list[int] = field(default_factory=list, repr=False)
    _settle: Callable[[Image], None] | None = field(default=None, repr=False)

    def settle(self) -> None:
        """Wait for a stream's end; then ``regions``, ``missing``, ``process`` and ``warnings`` are final.

        Does nothing for an image whose size is known. The bytes and their offsets do not change.
        """
        settle, self._settle = self._settle, None
        if settle is not None:
            settle(self)
            self._starts = []

    def region_at(self, offset: int) -> Region | None:
        """The region that holds the byte at ``offset``, or None."""
        if len(self._starts) != len(self.regions):
            self._starts = [region.offset for region in self.regions]
        index = bisect_right(self._starts, offset) - 1
        if index < 0:
            return None
        region = self.regions[index]
        return region if offset < region.end else None

    def address_of(self, offset: int) -> int | None:
        """The virtual address of the byte at ``offset``, or None if it has none."""
        region = self.region_at(offset)
        if region is None or region.address is None:
            return None
        return region.address + offset - region.offset

    def close(self) -> None:
        """Close the reader."""
        self.reader.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
