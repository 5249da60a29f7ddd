"""The part of the reference that is made from the code."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from docs.blocks import ROOT


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("made") / "generated"
    subprocess.run([sys.executable, "scripts/reference.py", str(place)], cwd=ROOT, check=True)
    return place


def test_it_has_what_each_command_says_of_itself(made: Path) -> None:
    text = (made / "commands.md").read_text()
    listed = (ROOT / "docs" / "reference" / "cli.md").read_text()
    headings = [line for line in text.splitlines() if line.startswith("## `immure ")]
    assert len(headings) > 100
    written = [line for line in listed.splitlines() if line.startswith("## `immure ")]
    assert [line for line in written if line not in headings] == []
    assert "--keys SRC" in text
    assert "Exit codes:" in text


def test_it_has_the_names_that_pages_import(made: Path) -> None:
    text = (made / "names.md").read_text()
    for name in ("## `immure.tokens", "### `Validator`", "### `Door`", "**Raises**"):
        assert name in text
    assert "annotation" not in text
    assert ":class:" not in text
