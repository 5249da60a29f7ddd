"""Rooms on a disk in memory: each event syncs files, and what is tested is not the disk."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from access.rooms import RAM, World, founded


@pytest.fixture
def place() -> Iterator[Path]:
    directory = Path(tempfile.mkdtemp(dir=RAM))
    yield directory
    shutil.rmtree(directory)


@pytest.fixture
def empty(place: Path) -> Iterator[World]:
    """A room in which there is nobody."""
    world = World(place / "room")
    yield world
    world.door.close()


@pytest.fixture
def world(place: Path) -> Iterator[World]:
    """A room with four founders."""
    made = founded(place / "room")
    yield made
    made.door.close()
