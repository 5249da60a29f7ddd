"""Hands an image to another program, as an open file, without a byte of it being written to any disk.

What is a file already is handed over as it is, by its descriptor and not by its name, so that it is the very
file that was read. Anything else (a sealed dump, one that is decompressed while it is read) is laid into a
file in memory (``memfd_create(2)``), which goes away with the last descriptor.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from immure.dumps.dump import Reader
from immure.errors import RedactionError

_PIECE: Final = 1 << 20


@contextmanager
def handed(reader: Reader, most_memory: int) -> Iterator[int]:
    """A descriptor of a file with the bytes of the reader.

    Raises:
        RedactionError: they are in no file, and more than may be laid into memory.
    """
    descriptor = _own_file(reader)
    if descriptor is None:
        descriptor = _in_memory(reader, most_memory)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _own_file(reader: Reader) -> int | None:
    """A descriptor of the regular file that a reader reads, if it reads one as it is."""
    fileno = getattr(reader, "fileno", None)
    if fileno is None:
        return None
    try:
        descriptor = os.dup(fileno())
    except (OSError, ValueError, AttributeError):  # it reads no file after all, or is closed
        return None
    status = os.fstat(descriptor)
    if stat.S_ISREG(status.st_mode) and status.st_size == reader.size:
        return descriptor
    os.close(descriptor)
    return None


def _in_memory(reader: Reader, most: int) -> int:
    size = reader.size or 0
    extents = list(reader.extents(0, size))
    data = sum(stop - start for start, stop in extents)
    most = min(most, _available() // 2)
    if data > most:
        raise RedactionError(f"the image is in no plain file, and has {data} bytes: too many for memory")
    try:
        descriptor = os.memfd_create("immure-image", os.MFD_CLOEXEC)
    except OSError as error:
        raise RedactionError(f"no file in memory can be made: {error.strerror}") from error
    try:
        os.ftruncate(descriptor, size)
        for start, stop in extents:
            _copy(reader, start, stop, descriptor)
    except OSError as error:
        os.close(descriptor)
        raise RedactionError(f"the image cannot be laid into memory: {error.strerror}") from error
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _copy(reader: Reader, start: int, stop: int, descriptor: int) -> None:
    zeros, piece = bytes(_PIECE), bytearray(_PIECE)
    with memoryview(piece) as view:
        for at in range(start, stop, _PIECE):
            wanted = min(_PIECE, stop - at)
            got = reader.read_into(at, view[:wanted])
            done = got if got == _PIECE and piece == zeros else 0  # a hole costs no memory
            while done < got:
                done += os.pwrite(descriptor, view[done:got], at + done)
        view[:] = zeros


def _available() -> int:
    """Bytes of memory that the kernel thinks can be had."""
    try:
        with open("/proc/meminfo", encoding="ascii") as stream:
            for line in stream:
                if line.startswith("MemAvailable:"):
                    return int(line.split()[1]) << 10
    except (OSError, ValueError, IndexError):  # not Linux, or not readable: the caller's bound stands alone
        pass
    return 1 << 62
