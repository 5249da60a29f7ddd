from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from immure.custody import Signer, open_signer
from immure.custody.generate import generate


@pytest.fixture(params=["EdDSA", "ES256"])
def signer(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Signer]:
    """A transmitter's key."""
    path = tmp_path / "events.key"
    generate(path, request.param)
    with open_signer(f"file:{path}") as signer:
        yield signer
