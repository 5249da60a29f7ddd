"""Every place of a number, once, under the name that says most."""

from __future__ import annotations

import pytest

from immure.scanning.finding import Occurrence
from immure.scanning.occurrences import occurrence, tidy
from immure.synth import Segment, build_elf_core

from .material import PAGE, forms, image_of, scan
from .test_search import of_key


def one(
    offset: int, length: int, secret: str = "p", encoding: str = "le64", *, whole: bool = True
) -> Occurrence:
    return Occurrence(offset, length, secret, encoding, whole=whole)


WHOLE = one(100, 64)
TABLE: list[tuple[str, list[Occurrence], list[Occurrence]]] = [
    ("nothing", [], []),
    ("the same twice", [WHOLE, WHOLE], [WHOLE]),
    ("a part of it", [WHOLE, one(110, 32, whole=False)], [WHOLE]),
    ("a part of another number inside", [WHOLE, one(110, 32, "d", whole=False)], [WHOLE]),
    ("a part somewhere else", [one(300, 32, whole=False), WHOLE], [WHOLE, one(300, 32, whole=False)]),
    (
        "a part in a longer part",
        [one(0, 64, whole=False), one(8, 32, whole=False)],
        [one(0, 64, whole=False)],
    ),
    ("a shorter writing", [WHOLE, one(100, 63, encoding="le-minimal")], [WHOLE]),
    ("two numbers in one place", [WHOLE, one(100, 64, "q")], [WHOLE, one(100, 64, "q")]),
    (
        "a number in a key",
        [one(90, 600, "key", "pkcs8-der"), WHOLE],
        [one(90, 600, "key", "pkcs8-der"), WHOLE],
    ),
    (
        "a key in a key",
        [one(0, 99, "key", "pem"), one(9, 9, "key", "x")],
        [one(0, 99, "key", "pem"), one(9, 9, "key", "x")],
    ),
    ("a part that is longer than the whole", [WHOLE, one(100, 66, encoding="base64", whole=False)], [WHOLE]),
]


@pytest.mark.parametrize(("found", "expected"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_tidy(found: list[Occurrence], expected: list[Occurrence]) -> None:
    assert tidy(found) == expected
    assert tidy(reversed(found)) == expected


def test_an_occurrence_knows_its_place() -> None:
    built = build_elf_core([Segment(0x7000, bytes(PAGE)), Segment(0x9000, bytes(PAGE), flags=5)])
    at = built.offset_of(0x9010)
    found = occurrence(image_of(built.data), at, 16, "d", "be")
    assert (found.offset, found.virtual_address, found.whole) == (at, 0x9010, True)
    assert found.permissions is not None
    assert found.permissions.startswith("r-x")
    assert occurrence(image_of(built.data), 0, 16, "d", "be").virtual_address is None


@pytest.mark.parametrize("shift", range(8))
@pytest.mark.parametrize(
    ("cut", "is_listed"), [((0, 24), True), ((40, 64), True), ((16, 38), True), ((0, 15), False)]
)
def test_pieces_are_listed_from_16_bytes_on(cut: tuple[int, int], shift: int, is_listed: bool) -> None:
    """At any alignment a piece of 22 bytes holds an aligned word of the number."""
    first, last = cut
    whole = forms("RSA-1024")["p", "le64"]
    memory = bytearray(4 * PAGE)
    memory[PAGE : PAGE + 64] = whole
    memory[2 * PAGE + shift : 2 * PAGE + shift + last - first] = whole[first:last]
    finding = of_key(scan(memory, "RSA-1024"), "RSA-1024")
    assert finding is not None
    parts = [(found.offset, found.length, found.whole) for found in finding.occurrences if not found.whole]
    # a zero of the number at the end of a piece is one of what stands behind it, too
    assert parts == ([(2 * PAGE + shift, last - first, False)] if is_listed else [])


@pytest.mark.parametrize("border", [PAGE, 2 * PAGE])
@pytest.mark.parametrize("before", [1, 7, 8, 63, 64, 127])
def test_a_number_where_chunks_meet_is_listed_once(before: int, border: int) -> None:
    memory = bytearray(4 * PAGE)
    memory[border - before : border - before + 128] = forms("RSA-2048")["p", "be"]
    finding = of_key(scan(memory, "RSA-2048", chunk_bytes=PAGE), "RSA-2048")
    assert finding is not None
    assert [(found.offset, found.length, found.encoding) for found in finding.occurrences] == [
        (border - before, 128, "be")
    ]
