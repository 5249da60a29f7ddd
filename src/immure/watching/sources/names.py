"""Names of foreign files as text that a database takes and a terminal shows."""

from __future__ import annotations

import os

from immure.dumps.tables import printable


def text_of(name: str | bytes) -> str:
    """A file's name; control characters and bytes that are no UTF-8 are spelled out."""
    return printable(os.fsencode(name))


def words_of(error: OSError | ValueError) -> str:
    """What the system says is wrong."""
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
