"""Sabotaged workers."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

SABOTAGE = Path(__file__).parent / "sabotage"


@pytest.fixture
def sabotage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What a worker's environment needs, also set here, for workers that are started from here."""
    marks = tmp_path / "marks"
    marks.mkdir()
    paths = [str(SABOTAGE), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {"IMMURE_SABOTAGE": str(marks), "PYTHONPATH": os.pathsep.join(paths)}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return environment
