"""Every command and program in the documentation works as it says, and every link leads somewhere."""

from __future__ import annotations

import os
import re
import shutil
from itertools import groupby
from pathlib import Path

import pytest

from docs import example_files
from docs.blocks import ROOT, Block, blocks, execute, matches, pages

BLOCKS = [block for page in pages() for block in blocks(page)]
SESSIONS = [(page, list(found)) for page, found in groupby(BLOCKS, key=lambda block: block.page)]
#: Blocks that are not executed. A new one needs a reason in the page, and a higher number here.
NOT_EXECUTED = 15


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("examples")
    example_files.make(directory)
    return directory


@pytest.mark.parametrize(("page", "found"), SESSIONS, ids=[page for page, _ in SESSIONS])
def test_the_blocks_of_a_page_do_what_it_says(
    page: str, found: list[Block], files: Path, tmp_path: Path
) -> None:
    to_run = [block for block in found if block.not_executed is None]
    if any("gcore" in block.text for block in to_run) and not _can_gcore():
        pytest.skip(f"NOT TESTED: {page} needs gdb's gcore, and the permission to attach it to a process")
    directory = tmp_path / "session"
    shutil.copytree(files, directory)
    for block in to_run:
        execute(block, directory)


def test_blocks_that_are_not_executed_are_counted() -> None:
    left_out = [block for block in BLOCKS if block.not_executed is not None]
    assert len(left_out) == NOT_EXECUTED, "\n".join(
        f"{block.name}: {block.not_executed}" for block in left_out
    )
    assert len(BLOCKS) - len(left_out) > 10


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    for target in re.findall(r"\]\(([^)]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), f"{page}: {target}"
        if anchor:
            assert anchor in _anchors(linked), f"{page}: {target}"


def test_every_page_of_the_site_is_in_its_index() -> None:
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    entries = re.findall(r"^([a-z]+[\w/*-]*)$", index, flags=re.MULTILINE)
    listed = {path for entry in entries for path in (ROOT / "docs").glob(f"{entry}.md")}
    assert {path for path in (ROOT / "docs").rglob("*.md") if path.name != "index.md"} == listed


def test_wildcards_in_expected_output() -> None:
    assert matches(["a", "…", "c…e"], ["a", "b", "b", "cde"])
    assert matches(["…"], [])
    assert not matches(["a"], ["a", "b"])
    assert not matches(["…", "a"], ["a", "b"])


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def _can_gcore() -> bool:
    if shutil.which("gcore") is None:
        return False
    scope = Path("/proc/sys/kernel/yama/ptrace_scope")
    return os.geteuid() == 0 or not scope.exists() or scope.read_text().strip() == "0"
