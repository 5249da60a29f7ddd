"""Files that hold a secret: read only if nobody else can read them.

The file is opened once, and what was opened is examined. A symbolic link may lead to it: what counts are the
permissions of the file at its end.
"""

from __future__ import annotations

import os
import stat
from typing import Final

from immure.errors import SignerError

#: Bytes of the largest file of a private key; RSA-16384 takes 13 KiB as PEM.
MAX_BYTES: Final = 64 << 10


def read_secret_file(path: str, *, most: int = MAX_BYTES) -> bytearray:
    """The bytes of a file of at most ``most`` bytes, to be wiped by whoever asked (:func:`wipe`).

    Raises:
        SignerError: it cannot be read, is no regular file, is too large, belongs to another user, or others
            have permissions on it.
    """
    try:
        # without O_NONBLOCK, opening a pipe would wait for somebody to write into it
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (OSError, ValueError) as error:  # ValueError: a path with a zero byte
        raise SignerError(getattr(error, "strerror", None) or "cannot be opened", path=path) from error
    try:
        _check(os.fstat(handle), path, most)
        return _read(handle, path, most)
    except OSError as error:
        raise SignerError(error.strerror or "cannot be read", path=path) from error
    finally:
        os.close(handle)


def wipe(data: bytearray) -> None:
    """Overwrite a secret that is not needed any more."""
    data[:] = bytes(len(data))


def _check(status: os.stat_result, path: str, most: int) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise SignerError("is not a regular file", path=path)
    if status.st_uid not in (os.geteuid(), 0):
        raise SignerError("belongs to another user, who can read it", path=path)
    if status.st_mode & 0o077:
        mode = stat.S_IMODE(status.st_mode)
        raise SignerError(f"others have permissions on it ({mode:04o}); chmod 600 takes them away", path=path)
    if status.st_size > most:
        raise SignerError(f"is larger than {most} bytes", path=path)


def _read(handle: int, path: str, most: int) -> bytearray:
    data = bytearray(most + 1)
    view = memoryview(data)
    size = 0
    while size <= most and (count := os.readv(handle, [view[size:]])):
        size += count
    view.release()
    if size > most:
        wipe(data)
        raise SignerError(f"is larger than {most} bytes", path=path)
    del data[size:]
    return data
