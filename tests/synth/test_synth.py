"""The builders against programs that know the formats, and against plain arithmetic."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from immure.synth import (
    LAYOUTS,
    CoreThread,
    Segment,
    build_elf_core,
    encode,
    ordinary_memory,
    plant,
)
from immure.synth.physical import snappy_frames

VALUE = 0x0123456789ABCDEF_FEDCBA9876543210


@pytest.mark.parametrize(
    ("layout", "expected"),
    [
        ("le64", "1032547698badcfe efcdab8967452301"),
        ("le32", "1032547698badcfe efcdab8967452301"),
        ("be", "0123456789abcdef fedcba9876543210"),
        ("be32w", "67452301 efcdab89 98badcfe 10325476"),
        ("be64w", "efcdab8967452301 1032547698badcfe"),
        ("py30", "10325436 61ea723b ffdebc1a e259d108 01000000"),
        ("smi28", "0000000010325406 0000000087a9cb0d 00000000feefcd0b 000000009a785604 0000000023010000"),
    ],
)
def test_layouts_as_literals(layout, expected):
    assert encode(VALUE, layout, 128) == bytes.fromhex(expected)


@given(value=st.integers(0, (1 << 521) - 1), layout=st.sampled_from(LAYOUTS))
def test_layouts_can_be_read_back(value, layout):
    raw = encode(value, layout, 521)
    if layout in ("le64", "le32"):
        assert int.from_bytes(raw, "little") == value
    elif layout == "be":
        assert int.from_bytes(raw, "big") == value
    elif layout in ("be32w", "be64w"):
        width = 4 if layout == "be32w" else 8
        words = [raw[at : at + width][::-1] for at in range(0, len(raw), width)]
        assert int.from_bytes(b"".join(words), "big") == value
    else:
        width, bits, shift = (4, 30, 0) if layout == "py30" else (8, 28, 32)
        digits = [int.from_bytes(raw[at : at + width], "little") >> shift for at in range(0, len(raw), width)]
        assert sum(digit << bits * n for n, digit in enumerate(digits)) == value


@pytest.mark.parametrize(
    ("value", "layout", "bits", "words"),
    [(4, "be", 2, "not a number of 2 bits"), (-1, "be", 9, "not a number"), (1, "xx", 8, "no layout 'xx'")],
)
def test_what_cannot_be_encoded(value, layout, bits, words):
    with pytest.raises(ValueError, match=words):
        encode(value, layout, bits)


def test_memory_is_reproducible_and_planting_stays_inside():
    memory = ordinary_memory(10_000, seed=3)
    assert memory == ordinary_memory(10_000, seed=3) != ordinary_memory(10_000, seed=4)
    assert len(memory) == 10_000
    plant(memory, 9_996, b"abcd")
    assert memory.endswith(b"abcd")
    with pytest.raises(ValueError, match="do not fit"):
        plant(memory, 9_997, b"abcd")


@pytest.mark.skipif(not shutil.which("readelf"), reason="NOT TESTED: needs readelf (binutils)")
@pytest.mark.parametrize(
    ("bits", "order", "machine", "extended"),
    [(64, "little", 62, False), (64, "little", 62, True), (32, "little", 3, False), (32, "big", 20, True)],
)
def test_cores_as_readelf_sees_them(tmp_path, bits, order, machine, extended):
    built = build_elf_core(
        [Segment(0x1000, b"x" * 100), Segment(0x9000, b"y" * 50, 5)],
        bits=bits,
        order=order,
        machine=machine,
        threads=[CoreThread(71), CoreThread(72)],
        process=(71, "signer", "signer -v"),
        files=[(0x1000, 0x2000, "/bin/signer")],
        extended_count=extended,
    )
    (tmp_path / "core").write_bytes(built.data)
    done = subprocess.run(["readelf", "-hln", tmp_path / "core"], capture_output=True, text=True)
    assert "CORE (Core file)" in done.stdout
    assert done.stdout.count("LOAD") == 2
    assert done.stdout.count("NT_PRSTATUS") == 2
    assert "/bin/signer" in done.stdout
    assert "Warning" not in done.stderr


def test_snappy_as_a_library_reads_it():
    cramjam = pytest.importorskip("cramjam")
    data = bytes(ordinary_memory(200_000, seed=8))
    assert bytes(cramjam.snappy.decompress(snappy_frames(data))) == data
