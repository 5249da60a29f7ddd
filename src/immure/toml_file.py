"""Files of settings: read within bounds, and told apart from what is no TOML, in the words of every command.

>>> parse_toml(b"a = 1", "x.toml", 10, UsageError)
{'a': 1}
>>> parse_toml(b"a = 1", "x.toml", 3, UsageError)
Traceback (most recent call last):
...
immure.errors.UsageError: x.toml: is longer than 3 bytes
"""

from __future__ import annotations

import os
import tomllib
from typing import Any

from immure.errors import ImmureError, UsageError

__all__ = ["parse_toml", "read_bounded"]


def read_bounded(
    path: str | os.PathLike[str], most: int, error: type[ImmureError] = UsageError
) -> tuple[str, bytes]:
    """The name of a file, and its bytes: one more than ``most`` if it is longer: :func:`parse_toml` says so.

    Args:
        path: of the file.
        most: bytes that it may have.
        error: what is raised if it cannot be read; its path is the file's name.
    """
    name = os.fspath(path)
    try:
        with open(name, "rb") as stream:
            return name, stream.read(most + 1)
    except (OSError, ValueError) as cause:
        words = getattr(cause, "strerror", None) or cause
        raise error(f"cannot be read: {words}", path=name) from cause


def parse_toml(data: bytes, path: str, most: int, error: type[ImmureError] = UsageError) -> dict[str, Any]:
    """The table that a document is.

    Args:
        data: the document.
        path: what it is called in errors.
        most: bytes that it may have.
        error: what is raised if it is longer, or no TOML.
    """
    if len(data) > most:
        raise error(f"is longer than {most} bytes", path=path)
    try:
        return tomllib.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as cause:
        raise error(f"is no TOML: {str(cause)[:200]}", path=path) from None
