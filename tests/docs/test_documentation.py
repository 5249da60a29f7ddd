"""Every command and program in the documentation works as it says, and every link leads somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from docs.blocks import ROOT, Block, matches, pages
from docs.sessions import BLOCKS, run, sessions

PAGES = sessions(crashing=False)
#: Blocks that are not executed. A new one needs a reason in the page, and a higher number here.
NOT_EXECUTED = 15


@pytest.mark.parametrize(("page", "found"), PAGES, ids=[page for page, _ in PAGES])
def test_the_blocks_of_a_page_do_what_it_says(
    page: str, found: list[Block], files: Path, tmp_path: Path, quick_immure: Path
) -> None:
    run(page, found, files, tmp_path / "session", quick_immure)


@pytest.mark.drill
@pytest.mark.parametrize(("page", "found"), PAGES, ids=[page for page, _ in PAGES])
def test_programs_that_really_start_do_so_as_well(
    page: str, found: list[Block], files: Path, tmp_path: Path
) -> None:
    """Which takes several times as long."""
    run(page, found, files, tmp_path / "session")


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
    written = {path for path in pages() if path.is_relative_to(ROOT / "docs") and path.name != "index.md"}
    assert written == {path for path in listed if path.parent.name != "generated"}


def test_wildcards_in_expected_output() -> None:
    assert matches(["a", "…", "c…e"], ["a", "b", "b", "cde"])
    assert matches(["…"], [])
    assert not matches(["a"], ["a", "b"])
    assert not matches(["…", "a"], ["a", "b"])


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
