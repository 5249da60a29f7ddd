"""Files that appear whole or not at all.

>>> with replacing(Path("report.json")) as stream:   # doctest: +SKIP
...     stream.write(b"{}")
"""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast


@contextmanager
def replacing(target: Path, *, mode: int | None = None) -> Iterator[BinaryIO]:
    """A stream whose bytes take the place of ``target`` when the block ends well: written aside, synced,
    renamed. If the block raises, nothing is left, and what stood there before stands there still.

    ``mode`` are the permissions; by default those of the file that is replaced, or of any new file.

    Raises:
        OSError: it cannot be written.
    """
    handle, name = tempfile.mkstemp(prefix=f".{target.name[:40]}.", suffix=".part", dir=target.parent)
    try:
        with open(handle, "w+b") as stream:
            os.fchmod(stream.fileno(), _mode(target) if mode is None else mode)
            yield cast(BinaryIO, stream)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(name, target)
    except BaseException:
        os.unlink(name)
        raise
    sync_directory(target.parent)


def write_whole(target: Path, data: bytes, *, mode: int | None = None) -> None:
    """Write a small file as :func:`replacing` does."""
    with replacing(target, mode=mode) as stream:
        stream.write(data)


def sync_directory(directory: Path) -> None:
    """Make new names in a directory last; without it a crash of the machine could bring the old ones back."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _mode(target: Path) -> int:
    if target.exists():
        return stat.S_IMODE(target.stat().st_mode)
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
