"""The pages of the documentation as sessions: all executable blocks of one, run behind one another."""

from __future__ import annotations

import os
import re
import shutil
from itertools import groupby
from pathlib import Path

import pytest

from docs.blocks import Block, blocks, execute, pages

BLOCKS = [block for page in pages() for block in blocks(page)]
#: What sets the machine's core pattern, or counts on it. There is one for all, so such pages run apart.
_CRASHES = re.compile(r"core_pattern|immure (replay|capture|drill)\b")


def sessions(*, crashing: bool) -> list[tuple[str, list[Block]]]:
    """Pages that crash programs, or all others, each with its blocks."""
    found = [(page, list(of)) for page, of in groupby(BLOCKS, key=lambda block: block.page)]
    return [one for one in found if any(map(_crashes, one[1])) == crashing]


def run(page: str, found: list[Block], files: Path, directory: Path, programs: Path | None = None) -> None:
    """Run the blocks of a page in ``directory``, which gets a copy of the example files; ``programs`` is for
    the front of ``PATH``."""
    to_run = [block for block in found if block.not_executed is None]
    if any("gcore" in block.text for block in to_run) and not _can_gcore():
        pytest.skip(f"NOT TESTED: {page} needs gdb's gcore, and the permission to attach it to a process")
    shutil.copytree(files, directory)
    for block in to_run:
        execute(block, directory, programs)


def _crashes(block: Block) -> bool:
    return block.not_executed is None and _CRASHES.search(block.text) is not None


def _can_gcore() -> bool:
    if shutil.which("gcore") is None:
        return False
    scope = Path("/proc/sys/kernel/yama/ptrace_scope")
    return os.geteuid() == 0 or not scope.exists() or scope.read_text().strip() == "0"
