"""PINs on their way to the holder: as descriptors, so that the holder reads them and the front end does not.

A PIN in a file (systemd's ``LoadCredential=``, say) never enters the front end's memory. One that is given
as a text is put where no dump of the front end has it: into a file in memory that is not mapped
(``memfd_create``). The text itself is the caller's.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from immure.custody.keyholder.errors import HolderPinError

#: A text is the PIN itself; a path names a file whose first line it is.
Pin = str | Path
MOST_PINS: Final = 2


class Pins:
    """The PINs of a key file: one, or two that two people know. Can be handed to one holder after another."""

    def __init__(self, pins: Sequence[Pin]) -> None:
        if not 1 <= len(pins) <= MOST_PINS:
            raise HolderPinError("a key file is under one PIN or two")
        self._pins = tuple(_kept(pin) for pin in pins)

    @contextmanager
    def handles(self) -> Iterator[list[int]]:
        """Descriptors to pass on, open within the block; raises HolderPinError."""
        opened: list[int] = []
        try:
            for pin in self._pins:
                opened.append(os.dup(pin) if isinstance(pin, int) else _open(pin))
            yield opened
        finally:
            for handle in opened:
                os.close(handle)

    def close(self) -> None:
        """Forget those that were given as texts."""
        for pin in self._pins:
            if isinstance(pin, int):
                os.close(pin)
        self._pins = ()


def _kept(pin: Pin) -> int | Path:
    if isinstance(pin, Path):
        return pin
    handle = os.memfd_create("immure-pin", os.MFD_CLOEXEC)
    os.write(handle, pin.encode("utf-8", "surrogateescape"))
    return handle


def _open(path: Path) -> int:
    """The file, if nobody else can read it."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "cannot be opened"
        raise HolderPinError(reason, path=str(path)) from error
    status, reason = os.fstat(handle), ""
    if not stat.S_ISREG(status.st_mode):
        reason = "is not a regular file"
    elif status.st_uid not in (os.geteuid(), 0) or status.st_mode & 0o077:
        reason = "others can read it; chmod 600, and chown to whoever starts the key holder"
    if reason:
        os.close(handle)
        raise HolderPinError(reason, path=str(path))
    return handle
