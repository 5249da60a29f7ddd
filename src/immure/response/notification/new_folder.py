"""A folder that is filled where nobody looks, and then appears whole."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from immure.files import sync_directory


class NewFolder:
    """The folder, while it is filled.

    Attributes:
        path: where it is now.
        target: where it appears.
    """

    def __init__(self, path: Path, target: Path) -> None:
        self.path = path
        self.target = target

    def write(self, name: str, data: bytes) -> None:
        """Write a file into it, for its owner only.

        Raises:
            OSError: it cannot be written, or is there already.
        """
        handle = os.open(self.path / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with open(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(handle)

    def appear(self) -> None:
        """Put it in its place. What may be there is of a run that was killed before it was written down.

        Raises:
            OSError: it cannot be put there.
        """
        if self.target.exists():
            shutil.rmtree(self.target)
        sync_directory(self.path)
        os.rename(self.path, self.target)
        sync_directory(self.target.parent)


@contextmanager
def new_folder(target: Path) -> Iterator[NewFolder]:
    """A folder beside ``target``, which is gone afterwards unless it has appeared.

    Raises:
        OSError: it cannot be made.
    """
    made = Path(tempfile.mkdtemp(prefix=f".{target.name[:80]}.", suffix=".part", dir=target.parent))
    try:
        yield NewFolder(made, target)
    finally:
        if made.exists():
            shutil.rmtree(made, ignore_errors=True)
