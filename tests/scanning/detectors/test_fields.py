"""Numbers in the arrays of a Java heap dump, which begin at any byte."""

from __future__ import annotations

import random

import pytest

from immure.dumps.detect import parse_image
from immure.dumps.limits import Limits
from immure.dumps.readers import BytesReader
from immure.keymaterial.private import EcPrivate, OkpPrivate
from immure.scanning.detectors import ec
from immure.scanning.options import ScanOptions
from immure.scanning.scanner import scan_image
from immure.synth import build_hprof
from scanning.material import private, public

KINDS = ("P-256", "P-384", "P-521", "secp256k1", "Ed25519", "Ed448", "X25519")
WIDTHS = {"P-256": 32, "P-384": 48, "P-521": 66, "secp256k1": 32}


def number(kind: str) -> bytes:
    key = private(kind)
    if isinstance(key, OkpPrivate):
        return key.seed.reveal()
    assert isinstance(key, EcPrivate)
    return key.d.reveal().to_bytes(WIDTHS[kind], "big")


#: So much that not every byte is tried as the beginning of a number; and so little that the tests say so.
MUCH_NOISE = random.Random(1).randbytes(600_000)
NOISE = MUCH_NOISE[:9_000]


@pytest.fixture
def _as_if_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """No image is so small that every byte is tried."""
    monkeypatch.setattr(ec, "EVERY_BYTE_BELOW", 0)


def found(data: bytes, kind: str) -> bool:
    image = parse_image("heap.hprof", BytesReader(data), Limits())
    assert image.format == "hprof"
    options = ScanOptions(threads=1, harvest=False, detectors=("ec",))
    return bool(scan_image(image, [public(kind)], options).findings)


def test_a_byte_array_is_found_in_a_large_heap() -> None:
    """Among noise, and not where it stands in no array of its own."""
    value = number("P-256")
    assert found(build_hprof(["x"], [MUCH_NOISE, value]).data, "P-256")
    assert not found(build_hprof(["x"], [MUCH_NOISE, b"abc" + value]).data, "P-256")


@pytest.mark.usefixtures("_as_if_large")
@pytest.mark.parametrize("shift", [1, 4, 6])
@pytest.mark.parametrize("kind", KINDS)
def test_a_byte_array_is_found_at_any_place(kind: str, shift: int) -> None:
    value = number(kind)
    forms = {"plain": value, "octet string": bytes((4, len(value))) + value}
    if kind in WIDTHS:
        forms["signed"] = bytes(1) + value
    for name, written in forms.items():
        assert found(build_hprof(["x" * shift], [NOISE, written]).data, kind), name


@pytest.mark.usefixtures("_as_if_large")
@pytest.mark.parametrize("shift", [1, 4, 6])
@pytest.mark.parametrize("kind", list(WIDTHS))
def test_the_words_of_a_big_integer_are_found_at_any_place(kind: str, shift: int) -> None:
    value = number(kind)
    value = bytes(-len(value) % 4) + value
    words = [int.from_bytes(value[at : at + 4], "big") for at in range(0, len(value), 4)]
    assert found(build_hprof(["x" * shift], [NOISE], [[1, 2, 3], words]).data, kind)


def test_arrays_of_other_numbers_are_nothing() -> None:
    chance = random.Random(2)
    arrays = [chance.randbytes(chance.choice([32, 33, 34, 48, 66])) for _ in range(500)]
    for kind in KINDS:
        assert not found(build_hprof(["x"], arrays).data, kind)
