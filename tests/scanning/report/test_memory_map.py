from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from immure.dumps.dump import Region
from immure.scanning.finding import Finding, ImageReport, NotSearched, Occurrence
from immure.scanning.report.memory_map import Line, State, draw, thinned_words

from .samples import GAPS, MIB, RSA, SIZE, big, image, rsa_finding
from .strategies import images


def test_line_lays_regions_end_to_end() -> None:
    line = Line([Region(100, 10, 0x1000, "b"), Region(0, 10, 0x9000, "a"), Region(50, 0)], 110)
    assert line.length == 20
    assert [line.position(offset) for offset in (0, 9, 10, 60, 100, 105, 110, 500)] == [
        0,
        9,
        10,
        10,
        10,
        15,
        20,
        20,
    ]
    assert (line.address(10), line.offset(10)) == (0x1000, 100)
    assert line.address(9) == 0x9009


def test_file_without_regions_is_one_region() -> None:
    memory = draw(ImageReport("x", "raw", 10), rows=5, cells=20, overview_cells=20)
    assert [row.name for row in memory.rows] == ["whole file"]
    assert len(memory.rows[0].cells) == 10, "no more cells than bytes"


def test_image_without_bytes_has_no_picture() -> None:
    memory = draw(ImageReport("x", "raw", 0), rows=5, cells=20, overview_cells=20)
    assert memory.overview is None
    assert memory.rows == ()


def test_states() -> None:
    memory = draw(image(findings=[rsa_finding()], not_searched=GAPS), rows=20, cells=64, overview_cells=83)
    by_name = {row.name: row for row in memory.rows}
    assert by_name["[heap]"].occurrences == 9
    assert by_name["[heap]"].cells[0].state is State.FINDING
    assert {cell.state for cell in by_name["[heap]"].cells[1:]} == {State.SEARCHED}
    anonymous = [cell.state for cell in by_name[""].cells]
    assert anonymous[5:10] == [State.SEARCHED, *[State.PARTLY] * 4]
    assert anonymous[46:59] == [*[State.UNSEARCHED] * 12, State.SEARCHED]
    assert {cell.state for cell in by_name["[stack] of thread 4711"].cells} == {State.SEARCHED}, (
        "what has no bytes in the file is not drawn on its neighbour"
    )
    assert by_name["/usr/lib/x86_64-linux-gnu/libcrypto.so.3"].regions == 2


def test_small_gap_in_a_cell_is_not_hidden() -> None:
    memory = draw(
        image(not_searched=[NotSearched(SIZE // 2, 1, "all", "x")]), rows=1, cells=8, overview_cells=8
    )
    assert memory.overview is not None
    assert [cell.state for cell in memory.overview.cells].count(State.PARTLY) == 1


def test_broken_off_scan_claims_nothing() -> None:
    memory = draw(image(error="cut short"), rows=5, cells=20, overview_cells=20)
    assert {cell.state for row in memory.rows for cell in row.cells} == {State.PARTLY}


def test_what_is_left_out_all_over_is_said_and_not_drawn() -> None:
    value = image(not_searched=[NotSearched(0, SIZE, "montgomery", "quick mode"), *GAPS])
    memory = draw(value, rows=5, cells=20, overview_cells=20)
    assert memory.thinned == ("montgomery",)
    assert thinned_words(memory) == "montgomery left something out: see what was not searched"
    assert memory.overview is not None
    assert State.SEARCHED in {cell.state for cell in memory.overview.cells}
    nothing_read = draw(
        image(not_searched=[NotSearched(0, SIZE, "all", "x")]), rows=5, cells=20, overview_cells=20
    )
    assert nothing_read.thinned == ()
    assert {cell.state for row in nothing_read.rows for cell in row.cells} == {State.UNSEARCHED}


def test_gap_with_another_address_is_not_drawn() -> None:
    held = (Region(0, 100, 0x1000), Region(100, 100, 0x9000))
    gap = NotSearched(100, 50, "all", "no bytes in the file", 0x1064)
    memory = draw(
        ImageReport("x", "ELF core", 200, [], [gap], regions=held), rows=5, cells=4, overview_cells=4
    )
    assert {cell.state for row in memory.rows for cell in row.cells} == {State.SEARCHED}


@pytest.mark.parametrize("rows", [1, 2, 5, 14])
def test_many_regions_are_folded(rows: int) -> None:
    held = tuple(Region(n * 4096, 4096, n * 8192, f"/lib/{n}") for n in range(1000))
    finding = Finding(RSA, "named", "x", [Occurrence(500 * 4096, 8, "p", "le64")])
    value = ImageReport("x", "ELF core", 1000 * 4096, [finding], regions=held)
    memory = draw(value, rows=rows, cells=10, overview_cells=10)
    assert len(memory.rows) <= max(rows, 1)
    assert sum(row.size for row in memory.rows) == memory.line.length
    assert sum(row.regions for row in memory.rows) == 1000
    assert sum(row.occurrences for row in memory.rows) == 1
    if rows >= 3:
        assert "/lib/500" in [row.name for row in memory.rows], "a row with a finding is not folded away"


@settings(max_examples=40, deadline=None)
@given(images, st.integers(1, 12), st.integers(1, 40))
def test_rows_cover_the_line_and_every_finding_is_marked(value: ImageReport, rows: int, cells: int) -> None:
    memory = draw(value, rows=rows, cells=cells, overview_cells=cells)
    if memory.overview is None:
        return
    edges = [memory.overview.start, *(row.stop for row in memory.rows)]
    assert edges == [row.start for row in memory.rows] + [memory.line.length]
    for row in (memory.overview, *memory.rows):
        assert row.cells[0].start == row.start
        assert row.cells[-1].stop == row.stop
        assert all(a.stop == b.start for a, b in zip(row.cells, row.cells[1:], strict=False))
    total = sum(len(finding.occurrences) for finding in value.findings)
    assert sum(row.occurrences for row in memory.rows) == total
    marked = any(cell.state is State.FINDING for cell in memory.overview.cells)
    assert marked == (total > 0)


def test_cells_agree_with_a_plain_count() -> None:
    """Every cell's state against a count byte by byte."""
    held = (Region(0, 37, 0x1000, "a"), Region(37, 100, None, "b"), Region(150, 63, 0x9000, "c"))
    gaps = [
        NotSearched(10, 40, "ec", "x"),
        NotSearched(100, 80, "all", "y"),
        NotSearched(140, 20, "all", "z"),
    ]
    value = ImageReport("x", "ELF core", 213, [], gaps, regions=held)
    memory = draw(value, rows=9, cells=11, overview_cells=17)
    assert memory.overview is not None
    for row in (memory.overview, *memory.rows):
        for cell in row.cells:
            places = [memory.line.offset(position) for position in range(cell.start, cell.stop)]
            nobody = sum(g.offset <= place < g.offset + g.length for place in places for g in gaps[1:])
            some = any(gaps[0].offset <= place < gaps[0].offset + gaps[0].length for place in places)
            expected = State.SEARCHED
            if nobody or some:
                expected = State.UNSEARCHED if 2 * nobody >= len(places) else State.PARTLY
            assert cell.state is expected, (row.name, cell)


def test_big_image_is_drawn_in_bounds() -> None:
    memory = draw(big().images[0], rows=14, cells=30, overview_cells=80)
    assert len(memory.rows) <= 14
    assert sum(row.occurrences for row in memory.rows) == 40_000
    assert memory.line.length == 8_000 * 65536 > MIB
