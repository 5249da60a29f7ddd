"""The little parser of cores that the comparison of what a debugger says of two of them needs."""

from __future__ import annotations

import struct

import pytest

from immure.dumps.readers import BytesReader
from immure.redact.prove.readers.coreview import CoreView, view_core
from immure.synth import CoreThread, Segment, build_elf_core

CORE = build_elf_core([Segment(0x1000, bytes(64))], threads=[CoreThread(7, 0x1000, 0x1000)]).data


def test_registers_and_code() -> None:
    built = build_elf_core(
        [Segment(0x40_0000, bytes(32), flags=5), Segment(0x60_0000, bytes(32), flags=6)],
        threads=[CoreThread(7, 0x1111, 0x2222), CoreThread(8, 0x3333, 0x4444)],
        files=[(0x40_0000, 0x40_0020, "/bin/app"), (0x7F0000, 0x7F1000, "/lib/libc.so")],
        auxv={9: 0x40_0010},
    ).data
    view = view_core(BytesReader(built))
    assert view.code == [(0x40_0000, 0x40_0020)]
    assert (view.is_code(0x40_001F), view.is_code(0x40_0020), view.is_code(0x60_0000)) == (
        True,
        False,
        False,
    )
    assert view.executable == "/bin/app"
    for thread, pointer, counter in ((7, 0x1111, 0x2222), (8, 0x3333, 0x4444)):
        for name, value in (("rsp", pointer), ("rip", counter)):
            start, stop = view.registers[thread][name]
            assert struct.unpack("<Q", built[start:stop]) == (value,)


def test_only_erased_registers_are_left_out() -> None:
    view = view_core(BytesReader(CORE))
    start, stop = view.registers[7]["rbx"]
    assert view.comparable(7, []) is None
    assert view.comparable(7, [(0, 4), (stop + 1 << 20, stop + 2 << 20)]) is None
    names = view.comparable(7, [(start + 7, start + 8)])
    assert names == set(view.registers[7]) - {"rbx"}


@pytest.mark.parametrize(
    "options", [{"bits": 32, "machine": 3}, {"order": "big", "machine": 22}, {"extended_count": True}]
)
def test_other_cores(options: dict[str, object]) -> None:
    built = build_elf_core([Segment(0x1000, bytes(16), flags=5)], threads=[CoreThread(7)], **options).data  # type: ignore[arg-type]
    view = view_core(BytesReader(built))
    assert view.code == [(0x1000, 0x1010)]
    assert len(view.notes) == 1


@pytest.mark.parametrize("cut", [0, 10, 52, 64, 100, 200, 400, 500])
def test_a_core_that_is_cut_short(cut: int) -> None:
    view_core(BytesReader(CORE[:cut]))


def test_without_word_of_code_everything_is() -> None:
    assert CoreView().is_code(5)
