"""Readers of plain bytes: a file, a buffer, a part of another reader.

None of them maps a file into memory: a file that is cut short while it is read gives a short read, never
SIGBUS. (The scanner maps files, and is ready for that.)
"""

from __future__ import annotations

import errno
import os
import stat
import threading
from bisect import bisect_right
from collections.abc import Iterator, Sequence

from immure.dumps.dump import Missing, Reader
from immure.errors import ImageError


class BytesReader(Reader):
    """The bytes of a buffer."""

    def __init__(self, data: bytes | bytearray | memoryview) -> None:
        self._view = memoryview(data).cast("B")
        self.size: int | None = len(self._view)

    def read_into(self, offset: int, view: memoryview) -> int:
        """See :meth:`Reader.read_into`."""
        part = self._view[offset : offset + len(view)]
        view[: len(part)] = part
        return len(part)


class FileReader(Reader):
    """The bytes of an open regular file or block device, by ``pread`` (which gives the GIL away).

    Takes over the file descriptor. A range that the device cannot read gives zero bytes.
    """

    def __init__(self, descriptor: int, path: str) -> None:
        self.path = path
        self._descriptor = descriptor
        self._seek_lock = threading.Lock()
        mode = os.fstat(descriptor).st_mode
        self._sparse = stat.S_ISREG(mode)
        self.size: int | None = (
            os.fstat(descriptor).st_size if self._sparse else os.lseek(descriptor, 0, os.SEEK_END)
        )

    @classmethod
    def open(cls, path: str) -> FileReader:
        """Open a regular file or block device; :class:`ImageError` if that cannot be done."""
        try:
            # Non-blocking, so that a FIFO that took the file's place cannot hold us.
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
        except (OSError, ValueError) as error:
            raise ImageError(f"cannot be opened: {_words(error)}", path=path) from error
        mode = os.fstat(descriptor).st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISBLK(mode)):
            os.close(descriptor)
            raise ImageError(f"is {kind_of(mode)}, not a file", path=path)
        return cls(descriptor, path)

    def fileno(self) -> int:
        """The open descriptor; it stays the reader's."""
        return self._descriptor

    def descriptor(self) -> int | None:
        """See :meth:`Reader.descriptor`."""
        return self._descriptor if self._sparse and self._descriptor >= 0 else None

    def read_into(self, offset: int, view: memoryview) -> int:
        """See :meth:`Reader.read_into`."""
        if self._descriptor < 0:
            raise ImageError("read after close", path=self.path, offset=offset)
        filled = 0
        while filled < len(view):
            try:
                count = os.preadv(self._descriptor, [view[filled:]], offset + filled)
            except (OSError, OverflowError):
                break  # an unreadable sector, or beyond any file: a short read by contract
            if count == 0:
                break
            filled += count
        return filled

    def extents(self, start: int, stop: int) -> Iterator[tuple[int, int]]:
        """Data between the holes of a sparse file, by ``SEEK_DATA`` and ``SEEK_HOLE``."""
        if not self._sparse:
            yield from super().extents(start, stop)
            return
        position = start
        while position < stop:
            found = self._next_data(position, stop)
            if found is None:
                return
            first, last = found
            yield first, last
            position = last

    def _next_data(self, position: int, stop: int) -> tuple[int, int] | None:
        with self._seek_lock:  # the two seeks share the descriptor's position
            try:
                first = os.lseek(self._descriptor, position, os.SEEK_DATA)
                last = os.lseek(self._descriptor, first, os.SEEK_HOLE) if first < stop else stop
            except OSError as error:
                if error.errno == errno.ENXIO:  # nothing but a hole up to the end
                    return None
                return position, stop
        return (first, min(last, stop)) if first < stop else None

    def close(self) -> None:
        """See :meth:`Reader.close`."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def __del__(self) -> None:
        if getattr(self, "_descriptor", -1) >= 0:
            self.close()


class SharedReader:
    """Counts the users of a reader and closes it when the last one is done."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self._users = 1
        self._lock = threading.Lock()

    def acquire(self) -> Reader:
        """One more user."""
        with self._lock:
            self._users += 1
        return self.reader

    def release(self) -> None:
        """One user less."""
        with self._lock:
            self._users -= 1
            last = self._users == 0
        if last:
            self.reader.close()


class PiecesReader(Reader):
    """A file that is written in pieces of another reader; what lies between the pieces reads as zeros.

    ``pieces`` are (offset here, offset there, length), sorted and not overlapping. Members of archives are
    such files: one piece, or several if the archiver left out holes. ``fault`` says what is missing at the
    end.
    """

    def __init__(
        self,
        shared: SharedReader,
        pieces: Sequence[tuple[int, int, int]],
        size: int,
        fault: str | None = None,
    ) -> None:
        self._shared = shared
        self._reader = shared.acquire()
        self._pieces = pieces
        self._open = True
        self._fault = fault
        self.size: int | None = size

    def read_into(self, offset: int, view: memoryview) -> int:
        """See :meth:`Reader.read_into`."""
        wanted = max(0, min(len(view), (self.size or 0) - offset))
        position = offset
        for start, stop, source in self._within(offset, offset + wanted):
            _fill_zeros(view, position - offset, start - offset)
            target = view[start - offset : stop - offset]
            count = self._reader.read_into(source, target)
            if count < len(target):
                return start - offset + count
            position = stop
        _fill_zeros(view, position - offset, wanted)
        return wanted

    def extents(self, start: int, stop: int) -> Iterator[tuple[int, int]]:
        """Only the pieces, less the holes of the reader beneath."""
        for first, last, source in self._within(start, stop):
            for low, high in self._reader.extents(source, source + last - first):
                yield first + low - source, first + high - source

    def _within(self, start: int, stop: int) -> Iterator[tuple[int, int, int]]:
        index = max(0, bisect_right(self._pieces, start, key=lambda piece: piece[0]) - 1)
        while index < len(self._pieces) and self._pieces[index][0] < stop:
            here, there, length = self._pieces[index]
            first, last = max(here, start), min(here + length, stop)
            if first < last:
                yield first, last, there + first - here
            index += 1

    def faults(self) -> tuple[Missing, ...]:
        """See :meth:`Reader.faults`."""
        return (Missing(0, self._fault, self.size),) if self._fault else ()

    def close(self) -> None:
        """See :meth:`Reader.close`."""
        if self._open:
            self._open = False
            self._shared.release()


def kind_of(mode: int) -> str:
    """What a file that is not a regular one is, in words."""
    names = {
        stat.S_IFDIR: "a directory", stat.S_IFIFO: "a FIFO", stat.S_IFSOCK: "a socket",
        stat.S_IFCHR: "a character device", stat.S_IFBLK: "a block device", stat.S_IFLNK: "a symbolic link",
    }  # fmt: skip
    return names.get(stat.S_IFMT(mode), "a special file")


def _words(error: OSError | ValueError) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)


def _fill_zeros(view: memoryview, start: int, stop: int) -> None:
    if start < stop:
        view[start:stop] = bytes(stop - start)
