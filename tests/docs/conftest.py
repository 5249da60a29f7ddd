"""The files that pages take for granted."""

from __future__ import annotations

from pathlib import Path

import pytest

from docs import example_files


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("examples")
    example_files.make(directory)
    return directory
