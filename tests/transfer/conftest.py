from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from .material import RAM, World


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A directory in memory, where there is one: to sync a hundred times takes no time there."""
    with tempfile.TemporaryDirectory(prefix="immure-", dir=RAM) as name:
        yield Path(name)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)
