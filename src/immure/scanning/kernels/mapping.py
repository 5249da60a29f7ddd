"""The bytes of a file where the kernel keeps them, instead of a copy."""

from __future__ import annotations

from typing import Any, Final

from immure.scanning.kernels._words import ffi, lib

#: Bytes of masks that are kept from one pass to the next: those of four gibibytes.
MASKS_BYTES: Final = 64 << 20


class Mapping:
    """The first ``size`` bytes of the file behind ``descriptor``, mapped for reading.

    A file that is cut short while it is mapped reads as zeros there, and :attr:`faults` counts; nothing
    crashes. What was searched while it rose has to be searched again, from a copy.

    Raises:
        OSError: it cannot be mapped.
    """

    def __init__(self, descriptor: int, size: int) -> None:
        start = lib.mapping_new(descriptor, size)
        if start == ffi.NULL:
            raise OSError("cannot be mapped into memory")
        self.size = size
        # views and pointers keep the map alive through this
        self._start = ffi.gc(start, lib.mapping_free)
        self._masks: dict[tuple[int, int], tuple[bytes, int]] = {}
        self._masks_bytes = 0
        self._view = memoryview(ffi.buffer(self._start, size)).cast("B").toreadonly()

    @property
    def faults(self) -> int:
        """Pages that could not be read where they were touched."""
        return int(lib.mapping_faults(self._start))

    def piece(self, start: int, stop: int) -> tuple[memoryview, Any] | None:
        """The bytes of [start, stop), and their address; None if some of them cannot be read, or the file was
        found cut short."""
        if self.faults or not 0 <= start < stop <= self.size:
            return None
        if lib.mapping_fill(self._start, start, stop) != 0:
            return None
        view = self._view[start:stop]
        return view, ffi.from_buffer("uint8_t[]", view)

    def drop(self, start: int, stop: int) -> None:
        """Let go of the pages; they come back when they are touched."""
        lib.mapping_drop(self._start, start, stop)

    def keep(self, piece: tuple[int, int], mask: bytes, alive: int) -> None:
        """Remember which words of a piece are not dull, and how many, for when it is looked at again."""
        if piece not in self._masks and self._masks_bytes + len(mask) <= MASKS_BYTES:
            self._masks_bytes += len(mask)
            self._masks[piece] = (mask, alive)

    def kept(self, piece: tuple[int, int]) -> tuple[bytes, int] | None:
        """What :meth:`keep` was given for the piece."""
        return self._masks.get(piece)
