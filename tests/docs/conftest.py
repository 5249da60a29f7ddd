"""The files that pages take for granted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from docs import example_files, forking
from servers import program


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("examples")
    example_files.make(directory)
    return directory


@pytest.fixture(scope="session")
def quick_immure() -> Iterator[Path]:
    """A directory for the front of ``PATH``, with an ``immure`` that starts quickly."""
    with program.directory(readable=True) as directory, forking.prepared(directory) as programs:
        yield programs
