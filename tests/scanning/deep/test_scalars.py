"""Scalars and seeds with holes, and halves of seeds."""

from __future__ import annotations

import random

import pytest

from immure.errors import LimitError
from immure.keymaterial.private import EcPrivate, OkpPrivate
from immure.scanning.deep.scalar_parts import hole_in
from immure.scanning.deep.scalars import rebuild_scalar, rebuild_seed

from ..material import filler, image_of, private, public
from .damage import deep, in_chunk, memory_with


def scalar(kind: str) -> EcPrivate:
    key = private(kind)
    assert isinstance(key, EcPrivate)
    return key


def octets(kind: str) -> OkpPrivate:
    key = private(kind)
    assert isinstance(key, OkpPrivate)
    return key


@pytest.mark.parametrize("kind", ["P-256", "secp256k1", "P-384", "P-521"])
@pytest.mark.parametrize(("low", "missing"), [(0, 8), (0, 16), (100, 13), (240, 16)])
def test_scalars(kind: str, low: int, missing: int) -> None:
    key = scalar(kind)
    d, hidden = key.d.reveal(), ((1 << missing) - 1) << low
    proof = rebuild_scalar(key.public, d & ~hidden, low, missing)
    assert proof is not None
    assert isinstance(proof.private, EcPrivate)
    assert proof.private.d.reveal() == d


def test_wrong_scalars_give_nothing() -> None:
    key = scalar("P-256")
    assert rebuild_scalar(key.public, key.d.reveal() ^ 1 << 200, 0, 16) is None
    with pytest.raises(LimitError, match="40 bits are missing"):
        rebuild_scalar(key.public, 0, 0, 40)


@pytest.mark.parametrize("kind", ["Ed25519", "X25519", "Ed448"])
@pytest.mark.parametrize(("at", "missing"), [(0, 1), (17, 1), (30, 2)])
def test_seeds(kind: str, at: int, missing: int) -> None:
    key = octets(kind)
    seed = bytearray(key.seed.reveal())
    seed[at : at + missing] = bytes(missing)
    way = "clamped" if kind == "X25519" else "seed"
    proof = rebuild_seed(key.public, bytes(seed), at, missing, way)  # type: ignore[arg-type]
    assert proof is not None
    assert isinstance(proof.private, OkpPrivate)
    # of an X25519 key the bits that are clamped may be any
    assert proof.private.public == key.public


def test_wrong_seeds_give_nothing() -> None:
    key = octets("Ed25519")
    assert rebuild_seed(key.public, bytes(range(32)), 0, 1, "seed") is None
    assert rebuild_seed(key.public, bytes(31), 0, 1, "seed") is None
    with pytest.raises(LimitError, match="32 bits are missing"):
        rebuild_seed(key.public, bytes(32), 0, 4, "seed")


@pytest.mark.parametrize(
    ("kind", "order", "at", "hole"),
    [
        ("P-256", "little", 0, bytes(2)),
        ("P-256", "big", 30, bytes(2)),
        ("secp256k1", "little", 10, b"\xff" * 3),
        ("Ed25519", "seed", 30, bytes(2)),
    ],
)
def test_holes_in_memory(kind: str, order: str, at: int, hole: bytes) -> None:
    key = private(kind)
    if isinstance(key, EcPrivate):
        number = bytearray(key.d.reveal().to_bytes(32, order))  # type: ignore[arg-type]
    else:
        number = bytearray(octets(kind).seed.reveal())
    number[at : at + len(hole)] = hole
    image = memory_with(bytes(number))
    assert deep(image, public(kind), deep=False).findings == []
    (finding,) = deep(image, public(kind)).findings
    assert finding.partial is not None
    assert (finding.partial.method, finding.partial.known_bits) == ("search", 256 - 8 * len(hole))
    # both sides of the hole are named, however short
    assert sum(one.length for one in finding.occurrences) == 32 - len(hole)


def freed_key(first: bytes) -> bytes:
    """A chunk of an Ed25519 key of OpenSSH, seed and public key, of which the first 16 bytes are
    overwritten."""
    key = octets("Ed25519")
    return first + key.seed.reveal()[16:] + key.public.x


@pytest.mark.parametrize("second", [bytes(8), (0x7F12_3456_7890).to_bytes(8, "little"), b"\xd3" * 7 + b"\1"])
def test_half_a_seed_is_reported_as_not_proved(second: bytes) -> None:
    pointer = (0x55AA_1234_5670).to_bytes(8, "little")
    report = deep(memory_with(freed_key(pointer + second), offset=0x4010), public("Ed25519"))
    (finding,) = report.findings
    assert finding.partial is not None
    assert (finding.partial.known_bits, finding.partial.bits, finding.partial.rebuilt) == (128, 256, False)
    assert "not proved" in finding.proof
    (occurrence,) = finding.occurrences
    assert (occurrence.offset, occurrence.length, occurrence.whole) == (0x4020, 16, False)


def test_a_public_key_alone_is_no_half() -> None:
    """Random bytes before a public key, but no freed chunk of 64 bytes."""
    chance = random.Random(2)
    key = octets("Ed25519")
    for data, size in ((chance.randbytes(32) + key.public.x, 0x51), (bytes(32) + key.public.x, 0x51)):
        memory = filler("zeros", 16 * 4096)
        in_chunk(memory, 0x4010, data)
        assert memory[0x4008] == size
        assert deep(image_of(memory), public("Ed25519")).findings == []
    memory = filler("zeros", 16 * 4096)
    in_chunk(memory, 0x4010, freed_key(bytes(16)))
    memory[0x4008] = 0x61
    assert deep(image_of(memory), public("Ed25519")).findings == []


RANDOM = random.Random(9).randbytes(32)


@pytest.mark.parametrize(
    ("data", "hole"),
    [
        (RANDOM, None),
        (bytes(2) + RANDOM[2:], (0, 2)),
        (RANDOM[:30] + bytes(2), (30, 2)),
        (RANDOM[:12] + bytes(2) + RANDOM[14:], None),
        (RANDOM[:12] + bytes(3) + RANDOM[15:], (12, 3)),
        (bytes(5) + RANDOM[5:], None),
        (b"a text of thirty bytes length" + bytes(3), None),
    ],
)
def test_hole_in(data: bytes, hole: tuple[int, int] | None) -> None:
    assert hole_in(data) == hole
