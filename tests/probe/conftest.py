"""One kit for all tests of this room, and servers that answer as they are told."""

from __future__ import annotations

from pathlib import Path

import pytest

from immure.probe.kit import Kit
from immure.probe.kit_file import read_kit
from immure.probe.kit_init import make_kit


@pytest.fixture(scope="session")
def kit_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("probe") / "kit"
    make_kit(directory, algorithms=["RS256", "ES256", "EdDSA"])
    return directory


@pytest.fixture(scope="session")
def kit(kit_directory: Path) -> Kit:
    return read_kit(kit_directory / "kit.toml")
