from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

#: To sync a file a hundred times takes no time there.
RAM = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A directory in memory, where there is one."""
    with tempfile.TemporaryDirectory(prefix="immure-", dir=RAM) as name:
        yield Path(name)


class Factory:
    """Makes such directories."""

    def __init__(self, top: str) -> None:
        self._top = top

    def mktemp(self, name: str) -> Path:
        return Path(tempfile.mkdtemp(prefix=name, dir=self._top))


@pytest.fixture(scope="session")
def tmp_path_factory() -> Iterator[Factory]:
    with tempfile.TemporaryDirectory(prefix="immure-", dir=RAM) as name:
        yield Factory(name)
