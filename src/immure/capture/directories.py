"""Directories that nobody else may enter."""

from __future__ import annotations

import os
from pathlib import Path

from immure.errors import CaptureError


def make_directory(path: Path) -> None:
    """A directory that only its owner may enter.

    Raises:
        CaptureError: it cannot be made, or belongs to somebody else.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        facts = path.stat()
    except OSError as error:
        raise CaptureError(f"cannot be made: {error.strerror}", path=str(path)) from error
    if facts.st_uid != os.geteuid() or facts.st_mode & 0o022:
        raise CaptureError("belongs to somebody else, or others can write there", path=str(path))
