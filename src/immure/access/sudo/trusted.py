"""Files that decide who becomes root: nobody but root may have written them."""

from __future__ import annotations

import base64
import binascii
import os
import stat
from pathlib import Path
from typing import Final

from immure.access.sudo.public import parse_public
from immure.errors import InputError, UsageError

_MOST_BYTES: Final = 1 << 16
_WRITABLE: Final = stat.S_IWGRP | stat.S_IWOTH


def read_trusted(path: Path, most: int) -> bytes:
    """The bytes of a regular file that is root's, or of who runs this, and that nobody else can write to.

    Raises:
        UsageError: it is not, is longer, or cannot be read.
    """
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as stream:
            status = os.fstat(stream.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise UsageError("is no file", path=str(path))
            if status.st_uid not in (0, os.getuid()) or status.st_mode & _WRITABLE:
                raise UsageError("can be written by others than root", path=str(path))
            data = stream.read(most + 1)
    except OSError as error:
        raise UsageError(error.strerror or "cannot be read", path=str(path)) from error
    if len(data) > most:
        raise UsageError(f"is longer than {most} bytes", path=str(path))
    return data


def read_authorities(path: Path) -> frozenset[bytes]:
    """The public keys (blobs) in a file as sshd's ``TrustedUserCAKeys`` has them, one a line.

    Raises:
        UsageError: there is none, or a line is none.
    """
    found = set()
    for number, line in enumerate(read_trusted(path, _MOST_BYTES).splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith(b"#"):
            continue
        try:
            blob = base64.b64decode(line.split()[1], validate=True)
            parse_public(blob)
        except (IndexError, binascii.Error, InputError) as error:
            raise UsageError(f"line {number} is no public key of SSH", path=str(path)) from error
        found.add(blob)
    if not found:
        raise UsageError("has no public key of an authority", path=str(path))
    return frozenset(found)
