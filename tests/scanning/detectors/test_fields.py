"""Numbers behind their length, at any byte: in arrays of Java heap dumps, in fields of other formats."""

from __future__ import annotations

import random

import pytest

from immure.dumps.detect import parse_image
from immure.dumps.limits import Limits
from immure.dumps.readers import BytesReader
from immure.keymaterial.private import EcPrivate, OkpPrivate
from immure.scanning import plan
from immure.scanning.detectors import ec
from immure.scanning.detectors.fields import Fields, scalar_heads
from immure.scanning.options import ScanOptions
from immure.scanning.scanner import scan_image
from immure.synth import build_hprof, plant
from scanning.material import filler, forms, image_of, private, public

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


# ---- numbers of RSA in heap dumps ----


@pytest.fixture
def _narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Quick mode as in an image so large that nothing but its narrowest search is affordable."""
    for family in plan.BUDGETS:
        monkeypatch.setitem(plan.BUDGETS, family, 0)
    monkeypatch.setattr(plan, "EDGE_CANDIDATES", -1)


@pytest.mark.usefixtures("_narrow")
@pytest.mark.parametrize("shift", [1, 3, 6])
@pytest.mark.parametrize("secret", ["p", "d"])
def test_numbers_of_rsa_are_found_at_any_place_of_a_heap(secret: str, shift: int) -> None:
    value = forms("RSA-1024")[secret, "be"]
    words = [int.from_bytes(value[at : at + 4], "big") for at in range(0, len(value), 4)]
    for arrays in (([NOISE, value], []), ([NOISE, bytes(1) + value], []), ([NOISE], [words])):
        data = build_hprof(["x" * shift], *arrays).data
        image = parse_image("heap.hprof", BytesReader(data), Limits())
        options = ScanOptions(threads=1, harvest=False, detectors=("rsa",))
        assert [one.key for one in scan_image(image, [public("RSA-1024")], options).findings]


# ---- fields of other formats ----

WRITTEN = {
    "ssh string": lambda value: len(value).to_bytes(4, "big") + value,
    "ssh number": lambda value: (len(value) + 1).to_bytes(4, "big") + b"\0" + value,
    "SEC 1": lambda value: b"\x02\x01\x01\x04" + bytes([len(value)]) + value,
    "octet strings": lambda value: bytes([4, len(value) + 2, 4, len(value)]) + value,
    "canonical": lambda value: b"(1:d%d:" % len(value) + value,
    "canonical, signed": lambda value: b"(1:d%d:\0" % (len(value) + 1) + value,
    "kept": lambda value: b"\x01\x01\0d\x01" + len(value).to_bytes(2, "little") + value,
    "kept, signed": lambda value: b"\x01\x01\0d\x01" + (len(value) + 1).to_bytes(2, "little") + b"\0" + value,
}
#: Other fields around, so that no end of a run is near.
AROUND = random.Random(5).randbytes(120)


@pytest.mark.usefixtures("_narrow")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("form", WRITTEN)
def test_a_field_is_found_at_any_byte(kind: str, form: str) -> None:
    for shift in (1, 4, 6):
        memory = filler("ordinary", 1 << 15, seed=shift)
        plant(memory, 20_000 + shift, AROUND + WRITTEN[form](number(kind)) + AROUND)
        options = ScanOptions(threads=1, harvest=False, detectors=("ec",))
        assert scan_image(image_of(memory), [public(kind)], options).findings, shift


@pytest.mark.usefixtures("_narrow")
def test_a_seed_with_its_public_key_behind_is_found() -> None:
    key = private("Ed25519")
    assert isinstance(key, OkpPrivate)
    memory = filler("ordinary", 1 << 15)
    pair = key.seed.reveal() + key.public.x
    plant(memory, 20_003, AROUND + (64).to_bytes(4, "big") + pair + AROUND)
    options = ScanOptions(threads=1, harvest=False, detectors=("ec",))
    assert scan_image(image_of(memory), [public("Ed25519")], options).findings


@pytest.mark.usefixtures("_narrow")
def test_without_a_length_the_middle_of_a_run_is_left_out() -> None:
    """That is what the lengths are for."""
    memory = filler("ordinary", 1 << 15)
    plant(memory, 20_003, AROUND + number("P-256") + AROUND)
    options = ScanOptions(threads=1, harvest=False, detectors=("ec",))
    assert not scan_image(image_of(memory), [public("P-256")], options).findings


def test_fields_far_from_any_run_are_no_candidates() -> None:
    from scanning.kernels.memory import loaded

    value = number("P-256")
    memory = b"\0\0\0\x20" + bytes(64) + b"\0\0\0\x20" + value + bytes(200) + b"\0\0\0\x20" + bytes(40)
    space = loaded(memory)
    space.find_runs()
    near = Fields([32], scalar_heads).find(space, 0, len(memory))
    assert list(near) == [72]
    everywhere = Fields([32], scalar_heads, everywhere=True).find(space, 0, len(memory))
    assert list(everywhere) == [4, 72, 308]
