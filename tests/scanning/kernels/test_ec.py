"""The elliptic-curve kernel against its plain twin and against ``cryptography``."""

from __future__ import annotations

import random
import threading
from array import array
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric import ec as ossl
from cryptography.hazmat.primitives.asymmetric import ed448, ed25519, x448, x25519
from hypothesis import given, settings
from hypothesis import strategies as st

from immure.errors import KeyFormatError, UsageError
from immure.keymaterial.key import EcNumbers, Numbers, OkpNumbers, RsaNumbers
from immure.scanning.kernels import reference_ec
from immure.scanning.kernels.ec import ISAS, LAYOUTS, PointSet, width_of
from immure.scanning.kernels.ec_curves import CURVES, Family, blinding_point, family_of, points_of

FAMILIES: tuple[Family, ...] = tuple(CURVES)
WEIERSTRASS = {
    "P-256": ossl.SECP256R1,
    "secp256k1": ossl.SECP256K1,
    "P-384": ossl.SECP384R1,
    "P-521": ossl.SECP521R1,
}
RAW_KEYS = {
    "Ed25519": ed25519.Ed25519PrivateKey,
    "X25519": x25519.X25519PrivateKey,
    "Ed448": ed448.Ed448PrivateKey,
    "X448": x448.X448PrivateKey,
}


def encode(number: int, family: str, layout: str) -> bytes:
    """A number as a candidate of that layout: the inverse of what the kernel reads."""
    width = reference_ec.WIDTHS[family][layout]  # type: ignore[index]
    if layout in ("le", "be"):
        return number.to_bytes(width, "little" if layout == "le" else "big")
    bits = 30 if layout == "py30" else 32
    words = [(number >> bits * k) % 2**bits for k in range(width // 4)]
    return b"".join(w.to_bytes(4, "little") for w in (words if layout == "py30" else reversed(words)))


def ec_key(curve: str, rng: random.Random) -> tuple[int, EcNumbers]:
    d = rng.randrange(1, CURVES[curve].n)  # type: ignore[index]
    public = ossl.derive_private_key(d, WEIERSTRASS[curve]()).public_key().public_numbers()
    return d, EcNumbers(curve, public.x, public.y)  # type: ignore[arg-type]


def okp_key(curve: str, rng: random.Random) -> tuple[bytes, OkpNumbers]:
    secret = rng.randbytes({"Ed25519": 32, "X25519": 32, "Ed448": 57, "X448": 56}[curve])
    public = RAW_KEYS[curve].from_private_bytes(secret).public_key().public_bytes_raw()
    return secret, OkpNumbers(curve, public)  # type: ignore[arg-type]


def random_window(rng: random.Random, family: Family, layout: str) -> bytes:
    return encode(rng.getrandbits(CURVES[family].bits), family, layout)


# ---- against `cryptography` ----


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("curve", WEIERSTRASS)
def test_ec_scalars_are_found(curve: Family, layout: str, isa: str) -> None:
    rng = random.Random(f"{curve} {layout}")
    keys = [ec_key(curve, rng) for _ in range(5)]
    windows = [random_window(rng, curve, layout) for _ in range(60)]
    places = rng.sample(range(60), 5)
    for place, (d, _) in zip(places, keys, strict=True):
        windows[place] = encode(d, curve, layout)
    memory = b"\xa5" * 3 + b"\x5a".join(windows)  # one byte between them: every alignment occurs
    width = len(windows[0]) + 1
    found = PointSet([numbers for _, numbers in keys], curve, isa=isa).search(  # type: ignore[arg-type]
        memory,
        [3 + width * k for k in range(60)],
        layout,
        "number",  # type: ignore[arg-type]
    )
    assert {(hit.candidate, hit.numbers, hit.secret) for hit in found} == {
        (place, numbers, "d") for place, (_, numbers) in zip(places, keys, strict=True)
    }


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("curve", RAW_KEYS)
def test_okp_secrets_are_found(curve: str, isa: str) -> None:
    rng = random.Random(curve)
    family = family_of(OkpNumbers(curve, b""))  # type: ignore[arg-type]
    assert family
    keys = [okp_key(curve, rng) for _ in range(6)]
    kind = "seed" if curve.startswith("Ed") else "clamped"
    memory = b"\x01" + b"".join(secret + rng.randbytes(30) for secret, _ in keys) + rng.randbytes(60)
    step = len(keys[0][0]) + 30
    points = PointSet([numbers for _, numbers in keys], family, isa=isa)  # type: ignore[arg-type]
    offsets = [at for k in range(6) for at in (1 + step * k, 2 + step * k)]
    found = points.search(memory, offsets, "le", kind)  # type: ignore[arg-type]
    name = "seed" if kind == "seed" else "scalar"
    assert found == [(2 * k, numbers, name) for k, (_, numbers) in enumerate(keys)]


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("curve", ["Ed25519", "Ed448"])
def test_what_is_derived_from_a_seed_is_found(curve: str, layout: str, isa: str) -> None:
    """The scalar, the unclamped half of the hash, and the scalar modulo the order of the group."""
    rng = random.Random(curve + layout)
    family = family_of(OkpNumbers(curve, b""))  # type: ignore[arg-type]
    assert family
    seed, numbers = okp_key(curve, rng)
    scalar = reference_ec.scalar_at(seed, 0, family, "le", "seed")
    assert scalar is not None
    half = scalar ^ 3 if family == "25519" else scalar ^ 1
    forms = [encode(scalar, family, layout), encode(half, family, layout)]
    points = PointSet([numbers], family, isa=isa)  # type: ignore[arg-type]
    width = len(forms[0])
    found = points.search(b"".join(forms), [0, width], layout, "clamped")  # type: ignore[arg-type]
    assert found == [(0, numbers, "scalar"), (1, numbers, "expanded")]
    reduced = encode(scalar % CURVES[family].n, family, layout)
    found = points.search(reduced + forms[0], [0, width], layout, "number")  # type: ignore[arg-type]
    assert found == [(0, numbers, "scalar"), (1, numbers, "scalar")]


@pytest.mark.parametrize("isa", ISAS)
def test_one_scalar_of_two_keys(isa: str) -> None:
    """An Ed25519 key, and the X25519 key that is converted from it, are one point: both are named."""
    seed, signing = okp_key("Ed25519", random.Random(5))
    scalar = reference_ec.scalar_at(seed, 0, "25519", "le", "seed")
    assert scalar is not None
    raw = scalar.to_bytes(32, "little")
    public = x25519.X25519PrivateKey.from_private_bytes(raw).public_key().public_bytes_raw()
    agreement = OkpNumbers("X25519", public)
    points = PointSet([agreement, signing], "25519", isa=isa)  # type: ignore[arg-type]
    assert set(points.search(seed + raw, [0, 32], "le", "seed")) == {
        (0, signing, "seed"),
        (0, agreement, "seed"),
    }
    assert set(points.search(seed + raw, [0, 32], "le", "clamped")) == {
        (1, signing, "scalar"),
        (1, agreement, "scalar"),
    }


# ---- against the reference ----


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("bits", [4, 5, 8, 13])
@pytest.mark.parametrize("family", FAMILIES)
def test_edge_scalars(family: Family, bits: int, isa: str) -> None:
    """0, multiples of n, all ones: nothing crashes, nothing matches falsely, what is n or greater is
    reduced."""
    curve = CURVES[family]
    n, top = curve.n, 1 << curve.bits
    scalars = [
        0,
        1,
        2,
        3,
        n - 2,
        n - 1,
        n,
        n + 1,
        n + 2,
        2 * n,
        2 * n + 1,
        top - 1,
        top - 2,
        top // 2,
        top // 2 - 1,
    ]
    scalars += [2**k for k in range(0, curve.bits, 7)] + [2**k - 1 for k in range(0, curve.bits, 5)]
    scalars = [d for d in scalars if d < top]
    memory = b"".join(encode(d, family, "le") for d in scalars)
    width = width_of(family, "le", "number")
    wanted: list[int] = [1, 2, n - 1, 2**curve.bits - 1, 2 ** (curve.bits // 2)]
    known = [point for d in wanted if (point := curve.multiply(d, curve.g))]
    points = points_at(known, family, isa=isa, bits=bits)
    offsets = list(range(0, len(memory), width))
    got = [
        (hit.candidate, known.index((hit.numbers.x, hit.numbers.y))) for hit in points.search(memory, offsets)
    ]
    expected = [
        (candidate, index)
        for candidate, d in enumerate(scalars)
        for index, w in enumerate(wanted)
        if d % n == w % n
    ]
    assert got == expected


def points_at(known: list[tuple[int, int]], family: Family, *, isa: str, bits: int | None) -> PointSet:
    """A set of points given by their coordinates, whatever the family (tests only)."""
    points = PointSet([], family, isa=isa, bits=bits)  # type: ignore[arg-type]
    points._numbers = {point: [EcNumbers("P-256", *point)] for point in known}
    return points


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("family", FAMILIES)
@settings(max_examples=6, deadline=None)
@given(data=st.data())
def test_any_scalars(family: Family, isa: str, data: st.DataObject) -> None:
    """Every kind and layout: whatever the reference finds among the points of two of the windows, the kernel
    finds."""
    kinds = ["number"] if family in WEIERSTRASS else ["number", "clamped", "seed"]
    kind = data.draw(st.sampled_from(kinds))
    layout = "le" if kind == "seed" else data.draw(st.sampled_from(LAYOUTS))
    width = width_of(family, layout, kind)  # type: ignore[arg-type]
    memory = data.draw(st.binary(min_size=width, max_size=width + 6))
    if layout == "py30" or family == "P-521":
        memory = bytes(
            byte & (0x3F if (at - len(memory)) % 4 == 3 else 255) for at, byte in enumerate(memory)
        )
    offsets = list(range(len(memory) - width + 1))
    chosen = data.draw(st.lists(st.sampled_from(offsets), max_size=2))
    curve = CURVES[family]
    scalars = [reference_ec.scalar_at(memory, at, family, layout, kind) for at in chosen]
    known = list({p for d in scalars if d is not None and (p := curve.multiply(d, curve.g))})
    points = points_at(known, family, isa=isa, bits=None)
    got = points.search(memory, offsets, layout, kind)  # type: ignore[arg-type]
    pairs = [(hit.candidate, known.index((hit.numbers.x, hit.numbers.y))) for hit in got]
    assert pairs == reference_ec.search(known, memory, offsets, family, layout, kind)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize(
    ("family", "kind"), [("P-256", "number"), ("25519", "seed"), ("25519", "clamped"), ("448", "seed")]
)
def test_batches_of_every_size(family: Family, kind: str, isa: str) -> None:
    """First, last and middle candidate, at sizes around those of a vector and of a batch; the last window
    ends the buffer."""
    rng = random.Random(9)
    curve = {"P-256": "P-256", "25519": "Ed25519", "448": "Ed448"}[family]
    if curve == "P-256":
        d, numbers = ec_key(curve, rng)
        secret: bytes = d.to_bytes(32, "little")
        public: Numbers = numbers
    else:
        secret, public = okp_key(curve, rng)
    if kind == "clamped":
        scalar = reference_ec.scalar_at(secret, 0, family, "le", "seed")
        assert scalar
        secret = scalar.to_bytes(32, "little")
    points = PointSet([public], family, isa=isa)  # type: ignore[arg-type]
    width = len(secret)
    for count in (
        0,
        1,
        2,
        7,
        8,
        9,
        15,
        16,
        17,
        31,
        63,
        64,
        65,
        255,
        2047,
        2055,
        2056,
        2057,
        4111,
        4112,
        4113,
        4200,
    ):
        memory = bytearray(rng.randbytes(width * count))
        places = sorted({0, count // 2, count - 1, 2055, 2056} & set(range(count)))
        for place in places:
            memory[width * place : width * (place + 1)] = secret
        offsets = array("q", range(0, width * count, width))
        got = points.search(memory, offsets, "le", kind)  # type: ignore[arg-type]
        assert [hit.candidate for hit in got] == places, count


@pytest.mark.parametrize("isa", ISAS)
def test_more_hits_than_fit_into_one_call(isa: str) -> None:
    d, numbers = ec_key("P-256", random.Random(1))
    found = PointSet([numbers], "P-256", isa=isa).search(d.to_bytes(32, "little"), [0] * 10_000)  # type: ignore[arg-type]
    assert [hit.candidate for hit in found] == list(range(10_000))


def test_candidates_that_cannot_be_numbers_are_skipped() -> None:
    """py30 digits of 31 bits and P-521 numbers of 522 bits are none; those behind them are still found."""
    d, numbers = ec_key("P-521", random.Random(2))
    for layout in LAYOUTS:
        good = encode(d, "P-521", layout)
        bad = bytes(b | 0x40 for b in good)
        found = PointSet([numbers], "P-521").search(bad * 3 + good, [k * len(good) for k in range(4)], layout)
        assert [hit.candidate for hit in found] == [3], layout


@pytest.mark.parametrize("offset", [-1, 33, 2**40, 2**63 - 1, -(2**63)])
def test_offsets_out_of_range_are_refused(offset: int) -> None:
    _, numbers = ec_key("P-256", random.Random(2))
    points = PointSet([numbers], "P-256")
    assert points.search(bytes(64), [0, 32]) == []
    with pytest.raises(UsageError):
        points.search(bytes(64), [0, offset, 32])


def test_what_does_not_go_together_is_refused() -> None:
    _, numbers = ec_key("P-256", random.Random(2))
    with pytest.raises(UsageError):
        PointSet([numbers], "P-384")
    with pytest.raises(UsageError):
        PointSet([RsaNumbers(15, 3)], "P-256")
    for family, layout, kind in [
        ("P-256", "le", "seed"),
        ("P-384", "be", "clamped"),
        ("25519", "be", "seed"),
    ]:
        with pytest.raises(UsageError):
            width_of(family, layout, kind)  # type: ignore[arg-type]
    with pytest.raises(KeyFormatError):
        points_of(RsaNumbers(15, 3))


def test_points_that_are_none_are_set_aside() -> None:
    _, good = ec_key("P-256", random.Random(2))
    bad: list[Numbers] = [
        EcNumbers("P-256", good.x, good.y ^ 1),
        EcNumbers("P-256", 0, 0),
        EcNumbers("P-256", 2**256, 1),
    ]
    points = PointSet([*bad, good], "P-256")
    assert [numbers for numbers, _ in points.unusable] == bad
    assert len(points) == 1
    encodings = [
        bytes(32),
        b"\x01" + bytes(31),
        b"\xff" * 32,
        b"\xec" + b"\xff" * 30 + b"\x7f",
        b"\x02" + bytes(31),
        b"a",
    ]
    for curve, width in (("Ed25519", 32), ("X25519", 32), ("Ed448", 57), ("X448", 56)):
        keys: list[Numbers] = [OkpNumbers(curve, e.ljust(width, e[-1:])[:width]) for e in encodings[:5]]  # type: ignore[arg-type]
        keys.append(OkpNumbers(curve, encodings[5]))  # type: ignore[arg-type]
        family = family_of(keys[0])
        assert family
        points = PointSet(keys, family)
        assert OkpNumbers(curve, b"a") in dict(points.unusable)  # type: ignore[arg-type]
        assert points.search(bytes(64), [0, 1], "le", "clamped") == []


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("family", FAMILIES)
def test_hostile_points(family: Family, isa: str) -> None:
    """Public points chosen to collide with the table's own constants match nothing and break nothing."""
    curve = CURVES[family]
    blind = blinding_point(family)
    known = [blind, (blind[0], curve.p - blind[1]), curve.g]
    for bits in (4, 8):
        from immure.scanning.kernels.ec import _comb

        offset = _comb(family, isa, bits).offset  # type: ignore[arg-type]
        assert offset is not None
        half = curve.multiply((curve.n + 1) // 2, offset)
        assert half is not None
        points = points_at([*known, offset, half, (half[0], curve.p - half[1])], family, isa=isa, bits=bits)
        memory = encode(0, family, "le") + encode(1, family, "le") + encode(curve.n - 1, family, "le")
        width = len(memory) // 3
        assert [hit.candidate for hit in points.search(memory, [0, width, 2 * width])] == [1]


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("bits", [4, 7, 13])
def test_the_table_is_right(family: Family, bits: int, isa: str) -> None:
    """The constant S = B − (2^K − 1)·G takes one entry of every window."""
    from immure.scanning.kernels.ec import _comb

    curve = CURVES[family]
    windows = -(-curve.bits // bits)
    minus = curve.multiply((-(2 ** (bits * windows) - 1)) % curve.n, curve.g)
    assert _comb(family, isa, bits).offset == curve.add(blinding_point(family), minus)  # type: ignore[arg-type]


def test_many_points_are_as_good_as_one() -> None:
    rng = random.Random(4)
    curve = CURVES["P-256"]
    point, known = curve.g, []
    for _ in range(3000):  # 1·G, 2·G …
        known.append(point)
        point = curve.add(point, curve.g)  # type: ignore[assignment]
    points = points_at(known, "P-256", isa=ISAS[-1], bits=8)
    scalars = [rng.randrange(1, 6000) for _ in range(500)]
    memory = b"".join(d.to_bytes(32, "big") for d in scalars)
    found = points.search(memory, range(0, len(memory), 32), "be")
    assert [(hit.candidate, hit.numbers.x) for hit in found] == [
        (k, known[d - 1][0]) for k, d in enumerate(scalars) if d <= 3000
    ]


def test_threads_share_a_set() -> None:
    """Several threads, one set, tables made at the same time; every thread finds all of its own keys and no
    other's."""
    rng = random.Random(11)
    keys = [ec_key("secp256k1", rng) for _ in range(4)]
    points = PointSet([numbers for _, numbers in keys], "secp256k1", bits=11)
    results: dict[int, list[int]] = {}

    def work(number: int) -> None:
        own = random.Random(number)
        memory = bytearray(own.randbytes(32 * 5000))
        places = sorted(own.sample(range(5000), 20))
        for place in places:
            memory[32 * place : 32 * place + 32] = keys[number][0].to_bytes(32, "little")
        hits = points.search(memory, array("q", range(0, len(memory), 32)))
        assert all(hit.numbers == keys[number][1] for hit in hits)
        results[number] = [hit.candidate for hit in hits] if [hit.candidate for hit in hits] == places else []

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [0, 1, 2, 3]
    assert all(len(found) == 20 for found in results.values())


@pytest.mark.parametrize("convert", [bytes, bytearray, memoryview, lambda b: array("I", b)])
def test_kinds_of_buffers(convert: Callable[[bytes], bytes]) -> None:
    d, numbers = ec_key("P-256", random.Random(2))
    found = PointSet([numbers], "P-256").search(convert(bytes(8) + d.to_bytes(32, "big")), [0, 8], "be")
    assert [hit.candidate for hit in found] == [1]
