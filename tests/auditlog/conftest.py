"""Logs of these tests are kept in memory: each append syncs four times, and the disk may be busy.

(Those of the command line's tests and of the examples are on a disk.)
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

_MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def _directory() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="immure-auditlog-", dir=_MEMORY) as path:
        yield Path(path)


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A directory for one test."""
    yield from _directory()


@pytest.fixture(scope="module")
def module_path() -> Iterator[Path]:
    """A directory for the tests of a module."""
    yield from _directory()
