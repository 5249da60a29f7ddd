"""Every error that Immure raises on purpose, each with a stable short code.

>>> raise InputError("segment 3 ends beyond the file", path="app.core", offset=64)
Traceback (most recent call last):
...
immure.errors.InputError: app.core: at offset 0x40: segment 3 ends beyond the file

Library users catch :class:`ImmureError`; the command line prints ``str(error)`` and maps the class to an exit
code. Codes never change once released, texts may. This module imports nothing from the package.
"""

from __future__ import annotations

from typing import ClassVar


class ImmureError(Exception):
    """Base of every error raised on purpose.

    Attributes:
        code: short, stable, machine-readable name of the kind of error.
        path: the file (or URL, or ``pid:N``) concerned, if there is one.
        offset: byte offset in it, if there is one.
        reason: what is wrong, in words; never holds a secret.
    """

    code: ClassVar[str] = "error"

    def __init__(self, reason: str, *, path: str | None = None, offset: int | None = None) -> None:
        self.reason = reason
        self.path = path
        self.offset = offset
        parts = [path] if path is not None else []
        if offset is not None:
            parts.append(f"at offset {offset:#x}")
        super().__init__(": ".join([*parts, reason]))


class UsageError(ImmureError):
    """The caller asked for something that cannot be done as asked (exit code 2)."""

    code = "usage"


class InputError(ImmureError):
    """Foreign bytes are not what they claim to be."""

    code = "input"


class ImageError(InputError):
    """An image (crash dump, memory dump, live process, archive) cannot be read as one."""

    code = "image"


class KeySourceError(InputError):
    """A source of public keys cannot be read, fetched or understood."""

    code = "key-source"


class KeyFormatError(InputError):
    """Bytes that should be a key are not one, or its numbers contradict each other."""

    code = "key-format"


class LimitError(InputError):
    """A bound set against hostile input was reached (size, count, depth, time)."""

    code = "limit"
