"""Pages of the documentation that crash programs, or replay the incident: they need the core pattern."""

from __future__ import annotations

from pathlib import Path

import pytest

from docs.blocks import Block
from docs.sessions import run, sessions

PAGES = sessions(crashing=True)


@pytest.mark.parametrize(("page", "found"), PAGES, ids=[page for page, _ in PAGES])
def test_the_blocks_of_a_page_do_what_it_says(
    page: str, found: list[Block], files: Path, tmp_path: Path
) -> None:
    run(page, found, files, tmp_path / "session")
