"""Primes and private exponents of RSA in memory, in every layout, against plain arithmetic."""

from __future__ import annotations

import random
from collections.abc import Iterable
from functools import cache
from math import gcd, lcm, prod

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from immure.errors import LimitError
from immure.keymaterial import bignum
from immure.scanning.kernels import reference
from immure.scanning.kernels.rsa import (
    EXPONENT_MULTIPLE,
    LAYOUTS,
    Exponents,
    Moduli,
    rsa_exponents,
    rsa_primes,
    rsa_width,
)
from immure.scanning.kernels.workspace import NEVER_LONG, Windows, Workspace

from .memory import MEMORIES, SEEDS, loaded, native, room_for, runs_in, stretch, whole, windows_at

#: At which multiples of bytes numbers stand, by layout.
STEPS = {"le64": 1, "be": 1, "be32w": 4, "be64w": 8, "py30": 4, "smi28": 8, "negated": 8}
#: Sizes of moduli as they are made; and as nobody makes them: no multiple of 128 bits, or not even of 8.
COMMON_BITS = [1024, 2048, 3072, 4096, 6144, 7680, 8192]
MODULUS_BITS = [*COMMON_BITS, 1026, 1030, 1032, 1056, 1088, 2050, 2056, 4112, 8184]
PRIMORIAL = prod(reference.small_primes())


def encode(number: int, bits: int, layout: str) -> bytes:
    """A number of so many bits as it stands in memory: the layouts of ``keymaterial.bignum`` where there is
    one."""
    if layout in ("be32w", "be64w", "py30", "smi28"):
        return {"be32w": bignum.be32w, "be64w": bignum.be64w, "py30": bignum.py30, "smi28": bignum.smi28}[
            layout
        ](number)
    width = rsa_width(layout, bits)
    if layout == "negated":
        return ((1 << 8 * width) - number).to_bytes(width, "little")
    return number.to_bytes(width, "little" if layout == "le64" else "big")


@cache
def primes(bits: int, count: int = 2, seed: int = 0) -> tuple[int, ...]:
    """Numbers like primes of so many bits: odd, without a factor below 1,000. To the kernels that is what a
    prime is, and it takes no time to find one."""
    rng, found = random.Random(f"{bits} {seed}"), list[int]()
    while len(found) < count:
        number = rng.getrandbits(bits) | 1 << (bits - 1) | 1
        if gcd(number, PRIMORIAL) == 1 and reference.looks_prime(number, bits):
            found.append(number)
    return tuple(found)


def cases(prime_bits: Iterable[int]) -> list[tuple[str, int]]:
    """All layouts; but R mod p is R − p only if p fills its limbs."""
    return [
        (layout, bits) for bits in prime_bits for layout in LAYOUTS if layout != "negated" or bits % 64 == 0
    ]


# ---- sizes and layouts ----


@pytest.mark.parametrize(
    ("bits", "widths"),
    [  # le64 be be32w be64w py30 smi28 negated
        (512, (64, 64, 64, 64, 72, 152, 64)),
        (513, (65, 65, 68, 72, 72, 152, 72)),
        (516, (65, 65, 68, 72, 72, 152, 72)),
        (528, (66, 66, 68, 72, 72, 152, 72)),
        (544, (68, 68, 68, 72, 76, 160, 72)),
        (1024, (128, 128, 128, 128, 140, 296, 128)),
        (4096, (512, 512, 512, 512, 548, 1176, 512)),
    ],
)
def test_widths(bits: int, widths: tuple[int, ...]) -> None:
    assert tuple(rsa_width(layout, bits) for layout in LAYOUTS) == widths
    assert tuple(reference.rsa_width(layout, bits) for layout in LAYOUTS) == widths


@given(st.integers(65, 4096), st.sampled_from(sorted(LAYOUTS)))
def test_widths_are_those_of_the_encodings(bits: int, layout: str) -> None:
    assert rsa_width(layout, bits) == reference.rsa_width(layout, bits)
    if layout != "negated":
        number = primes(bits, 1)[0] if bits > 600 else (1 << bits) - 1
        data = encode(number, bits, layout)
        assert len(data) == rsa_width(layout, bits)
        assert reference.read_number(data, layout) == number


# ---- primes of known moduli ----


@pytest.mark.parametrize(("layout", "bits"), cases(bits // 2 for bits in MODULUS_BITS))
def test_a_prime_is_found_at_every_place(layout: str, bits: int) -> None:
    """Whatever stands before it and behind it, and wherever runs end."""
    p, q, other = primes(bits, 3)
    moduli = [other * primes(bits, 1, 7)[0], p * q]
    data, step = encode(p, bits, layout), STEPS[layout]
    for shift in range(0, 8, step):
        for before in (stretch("random", 24 + shift, shift), b"\xff" * (24 + shift), bytes(24 + shift)):
            memory = before + data + before
            space = loaded(memory)
            got = rsa_primes(space, native(whole(memory)), layout, Moduli(moduli, bits), Windows(step))
            assert got == [(24 + shift, 1)]
    memory = bytes(24) + data
    start, end = 24, (len(memory) + 7) // 8 * 8
    space = loaded(memory)
    got = rsa_primes(space, native([(start, end)]), layout, Moduli(moduli, bits), Windows(step))
    assert got == [(24, 1)]
    if end == len(memory):
        short = native([(start, end - 8)])
        assert rsa_primes(space, short, layout, Moduli(moduli, bits), Windows(step)) == []


@pytest.mark.parametrize(("layout", "bits"), cases([512, 516, 528, 1024, 1028]))
def test_many_primes_of_several_keys(layout: str, bits: int) -> None:
    """Kernel and twin agree on memory full of primes, some spoilt, of keys and of others."""
    rng = random.Random(f"{layout} {bits}")
    factors = primes(bits, 10)
    moduli = [a * b for a, b in zip(factors[0::2], factors[1::2], strict=True)][:4]
    moduli.append(factors[0] * factors[9])  # a prime in two keys
    pieces = []
    for _ in range(60):
        data = bytearray(encode(rng.choice(factors), bits, layout))
        if rng.random() < 0.3:
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        pieces.append(bytes(data) + stretch("random", STEPS[layout] * rng.randrange(4), rng.getrandbits(20)))
    memory = b"".join(pieces)
    memory += bytes(-len(memory) % 8)
    runs = runs_in(memory, rng) if rng.random() < 0.5 else whole(memory)
    expected = reference.rsa_primes(memory, runs, layout, moduli, bits, Windows(STEPS[layout]))
    space = loaded(memory)
    got = rsa_primes(space, native(runs), layout, Moduli(moduli, bits), Windows(STEPS[layout]))
    assert got == expected
    visited, survived = space.visited, space.survived
    assert visited == sum(
        len(reference.window_starts(run, rsa_width(layout, bits), Windows(STEPS[layout]))) for run in runs
    )
    with room_for(space, 2, 2):
        assert got == rsa_primes(space, native(runs), layout, Moduli(moduli, bits), Windows(STEPS[layout]))
    assert (space.visited, space.survived) == (2 * visited, 2 * survived)


def test_a_key_in_more_moduli_than_there_is_room_for() -> None:
    p, q = primes(512)
    memory = encode(p, 512, "le64")
    space = loaded(memory)
    with room_for(space, 3, 2):
        assert len(rsa_primes(space, native([(0, 64)]), "le64", Moduli([p * q] * 3, 512), Windows())) == 3
        with pytest.raises(LimitError):
            rsa_primes(space, native([(0, 64)]), "le64", Moduli([p * q] * 4, 512), Windows())


@pytest.mark.parametrize("bits", [1, 32, 64, 4097, 10_000])
def test_sizes_that_are_not_searched(bits: int) -> None:
    with pytest.raises(LimitError):
        rsa_primes(loaded(bytes(64)), native([(0, 64)]), "le64", Moduli([], bits), Windows())


# ---- windows that may be primes of unknown moduli ----


def deep(number: int, bits: int, layout: str) -> bool:
    """Whether the kernel takes a number for a prime when it knows no modulus."""
    memory = encode(number, bits, layout)
    memory += bytes(-len(memory) % 8)
    windows = Windows(len(memory))
    got = rsa_primes(loaded(memory), native(whole(memory)), layout, Moduli([], bits), windows)
    assert got == reference.rsa_primes(memory, whole(memory), layout, [], bits, windows)
    return bool(got)


@pytest.mark.parametrize(("layout", "bits"), cases([512, 516, 1024, 1028, 1032, 4096]))
def test_numbers_with_small_factors_are_no_primes(layout: str, bits: int) -> None:
    """Each prime below 1,000, and no other."""
    rng = random.Random(bits)
    assert all(deep(p, bits, layout) for p in primes(bits, 5))
    for small in reference.small_primes():
        number = 0
        while not reference.looks_prime(number, bits):
            number = small * (rng.getrandbits(bits - small.bit_length()) | 1)
            if small == 2:
                number |= 1 << bits - 1
                break
        assert not deep(number, bits, layout), small
    for big in (1009, 1013, 65_537):
        number = 0
        while not (reference.looks_prime(number, bits) and gcd(number, PRIMORIAL) == 1):
            number = big * (rng.getrandbits(bits - big.bit_length() + 1) | 1)
        assert deep(number, bits, layout), big


def with_words(words: list[int]) -> int:
    return sum(word << 64 * k for k, word in enumerate(words))


def first_survivor(words: list[int]) -> int:
    """With the lowest word changed so that no small factor is left."""
    number = with_words(words) | 1
    while gcd(number, PRIMORIAL) != 1:
        number += 2
    return number


TOPS = [k << 56 | 12345 for k in (0x80, 1, 2, 3, 4, 5, 6, 7)]  # of words, the most significant one first


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (TOPS[::-1], True),
        ([*TOPS[:0:-1], 1 << 63], True),  # the smallest of its size, nearly
        ([*TOPS[:0:-1], 2**64 - 1], True),
        ([*TOPS[:0:-1], (1 << 63) - 1], False),  # a bit too short
        ([0x80 << 56 | 1] * 8, False),  # words that all look alike
        ([*TOPS[3:0:-1], 1 << 57, 1 << 57, 1 << 57, 1 << 57, 1 << 63], True),  # four of eight differ
        ([*TOPS[2:0:-1], 1 << 57, 1 << 57, 1 << 57, 1 << 57, 1 << 57, 1 << 63], False),  # three do
        ([1 | 1 << 62, 1 << 63, 3 << 62, 4, 5, 6, 7, 1 << 63], False),  # only six bits are looked at
    ],
)
@pytest.mark.parametrize("layout", ["le64", "be", "be32w", "be64w", "py30", "smi28", "negated"])
def test_looks_of_a_prime(words: list[int], found: bool, layout: str) -> None:
    number = first_survivor(words)
    if number.bit_length() == 512:
        assert deep(number, 512, layout) == found
    else:  # its digits are as many nevertheless
        data = number.to_bytes(64, "little")
        assert reference.looks_prime(number, 512) == found
        assert rsa_primes(loaded(data), native([(0, 64)]), "le64", Moduli([], 512), Windows()) == []


@pytest.mark.parametrize("bits", [513, 516, 519, 528, 544, 575])
@pytest.mark.parametrize("layout", ["le64", "be", "be32w", "be64w", "py30", "smi28"])
def test_numbers_of_another_size_are_no_primes(layout: str, bits: int) -> None:
    """One bit more, one bit less, in the same bytes."""
    width = rsa_width(layout, bits)
    for number_bits in (bits - 1, bits + 1):
        number = primes(number_bits, 1)[0]
        if rsa_width(layout, number_bits) <= width:
            data = number.to_bytes(width, "big") if layout == "be" else encode(number, bits, layout)
            if layout == "be32w":
                data = data.rjust(width, b"\0")
            memory = data + bytes(-width % 8)
            windows = Windows(len(memory))
            got = rsa_primes(loaded(memory), native(whole(memory)), layout, Moduli([], bits), windows)
            assert got == reference.rsa_primes(memory, whole(memory), layout, [], bits, windows) == []


@pytest.mark.parametrize(
    ("layout", "at", "byte"),
    [
        ("py30", 3, 0xC0),
        ("py30", 7, 0x40),
        ("py30", 71, 0x80),
        ("py30", 71, 0x3F),
        ("smi28", 0, 1),
        ("smi28", 7, 0xF0),
        ("smi28", 7, 0x10),
        ("smi28", 83, 1),
        ("smi28", 150, 0xFF),
        ("smi28", 151, 0x01),
    ],
)
def test_digits_out_of_range(layout: str, at: int, byte: int) -> None:
    """Spare bits of a digit, half a word that is not zero, more bits than there are limbs for."""
    p = primes(512, 1)[0]
    data = bytearray(encode(p, 512, layout))
    data += bytes(rsa_width(layout, 512) - len(data))
    assert reference.read_number(data, layout) == p
    data[at] |= byte
    windows = Windows(len(data))
    assert rsa_primes(loaded(data), native([(0, len(data))]), layout, Moduli([], 512), windows) == []
    assert reference.rsa_primes(data, [(0, len(data))], layout, [], 512, windows) == []


@given(
    MEMORIES,
    SEEDS,
    st.sampled_from(sorted(LAYOUTS)),
    st.sampled_from([65, 96, 127, 128, 129, 160, 192, 200, 256, 320, 512, 516]),
    st.booleans(),
    st.data(),
)
@settings(deadline=None, max_examples=400)
def test_any_memory(
    memory: bytes, seed: int, layout: str, bits: int, is_deep: bool, data: st.DataObject
) -> None:
    rng = random.Random(seed)
    if layout == "negated":
        bits = (bits + 63) // 64 * 64
    factors = primes(bits, 4, rng.randrange(3))
    moduli = [] if is_deep else [factors[0] * factors[1], factors[2] * factors[3]][: rng.choice([1, 2])]
    windows = data.draw(windows_at([step for step in (1, 4, 8) if step >= min(4, STEPS[layout])]))
    planted = bytearray(memory + stretch("random", rng.choice([0, 8, 200, 700]), seed))
    for _ in range(rng.choice([0, 1, 1, 3])):
        number = encode(rng.choice(factors), bits, layout)
        at = rng.randrange(len(planted) + 1)
        at -= at % rng.choice([1, 8])
        planted[at : at + len(number)] = number
    memory = bytes(planted) + bytes(-len(planted) % 8)
    runs = runs_in(memory, rng)
    space = loaded(memory)
    got = rsa_primes(space, native(runs), layout, Moduli(moduli, bits), windows)
    assert got == reference.rsa_primes(memory, runs, layout, moduli, bits, windows)
    visited = space.visited
    assert visited == sum(len(reference.window_starts(run, rsa_width(layout, bits), windows)) for run in runs)
    with room_for(space, max(1, len(moduli)), 2):
        assert rsa_primes(space, native(runs), layout, Moduli(moduli, bits), windows) == got
    assert space.visited == 2 * visited


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("edge", [None, 0, 16, 64])
def test_aligned_limbs_many_windows(seed: int, edge: int | None) -> None:
    """The way that looks at the ends of 64 windows at once, in runs of a few hundred."""
    rng = random.Random(seed)
    factors = primes(512, 6)
    moduli = [factors[0] * factors[1], factors[2] * factors[3]]
    memory = bytearray(stretch(rng.choice(["random", "random", "prose", "zeros"]), 8 * 1500, seed))
    for _ in range(30):
        at = 8 * rng.randrange(1500 - 8)
        memory[at : at + 64] = encode(rng.choice(factors), 512, "le64")
    windows = Windows(8) if edge is None else Windows(8, rng.choice([0, 500]), edge)
    runs = runs_in(memory, rng) if seed % 2 else [(0, 64), (80, 11_000), (11_008, 12_000)]
    space = loaded(memory)
    got = rsa_primes(space, native(runs), "le64", Moduli(moduli, 512), windows)
    assert got == reference.rsa_primes(memory, runs, "le64", moduli, 512, windows)
    assert space.visited == sum(len(reference.window_starts(run, 64, windows)) for run in runs)


def test_runs_behind_the_buffer_are_not_read() -> None:
    space = loaded(stretch("random", 128, 1))
    for runs in ([(64, 136)], [(0, 1 << 40)]):
        assert rsa_primes(space, native(runs), "le64", Moduli([], 512), Windows()) == []
        assert space.visited == 0


def distinct_below(draws: int, values: int, least: int) -> float:
    """Chance that so many draws out of ``values`` take fewer than ``least`` of them."""
    chance = [1.0] + [0.0] * draws
    for _ in range(draws):
        chance = [
            chance[k] * k / values + (chance[k - 1] * (values - k + 1) / values if k else 0)
            for k in range(draws + 1)
        ]
    return sum(chance[:least])


def test_what_variety_loses() -> None:
    """As the scan design says: fewer than half as many values of six bits as words."""
    assert distinct_below(16, 64, 8) == pytest.approx(1.3e-7, rel=0.05)
    assert distinct_below(8, 64, 4) == pytest.approx(8.6e-7, rel=0.05)
    assert not reference.is_varied(b"".join(bytes([0] * 7 + [k % 7]) for k in range(16)))
    assert reference.is_varied(b"".join(bytes([0] * 7 + [k % 8]) for k in range(16)))
    assert not reference.is_varied(b"".join(bytes([0] * 7 + [k % 3]) for k in range(8)))
    assert reference.is_varied(b"".join(bytes([0] * 7 + [k % 4]) for k in range(8)))


# ---- private exponents ----

PUBLIC_EXPONENTS = [3, 257, 65_537, 65_539, 1 << 23 | 1, 1 << 24 | 1]


@cache
def key(modulus_bits: int, e: int = 65_537, seed: int = 0) -> tuple[int, int, int]:
    """A modulus, and its private exponents modulo φ and λ."""
    bits = (modulus_bits + 1) // 2
    rng = random.Random(f"{modulus_bits} {e} {seed}")
    while True:
        p, q = (rng.getrandbits(bits) | 1 << (bits - 1) | 1 for _ in range(2))
        phi, lam = (p - 1) * (q - 1), lcm(p - 1, q - 1)
        if (
            (p * q).bit_length() == modulus_bits
            and gcd(phi, e) == 1
            and EXPONENT_MULTIPLE % (phi // lam) == 0
        ):
            return p * q, pow(e, -1, phi), pow(e, -1, lam)


def exponent_bytes(number: int, width: int, layout: str) -> bytes:
    data = number.to_bytes(width, "little" if layout == "le64" else "big")
    if layout != "be32w":
        return data
    return b"".join(data[at : at + 4][::-1] for at in range(0, width, 4))


@pytest.mark.parametrize("modulus_bits", [*MODULUS_BITS, 2047, 1025])
@pytest.mark.parametrize("layout", ["le64", "be", "be32w"])
@pytest.mark.parametrize("e", [3, 17, 65_537, (1 << 24) - 1])
def test_an_exponent_is_found_at_every_place(layout: str, modulus_bits: int, e: int) -> None:
    n, d, d_lambda = key(modulus_bits, e)
    if layout == "be32w" and (modulus_bits + 7) // 8 % 4:
        assert (
            rsa_exponents(loaded(bytes(512)), native([(0, 512)]), layout, Exponents([(n, e)]), Windows())
            == []
        )
        return
    others = [(key(modulus_bits, 65_537, 1)[0], 65_537), (n, e)]
    exponents = Exponents(others)
    width, step = (modulus_bits + 7) // 8, {"le64": 8, "be": 1, "be32w": 4}[layout]
    for number in (d, d_lambda):
        data = exponent_bytes(number, width, layout)
        for shift in range(0, 8, step):
            for before in (stretch("random", 24 + shift, shift), b"\xff" * (24 + shift), bytes(24 + shift)):
                memory = before + data + before
                runs = whole(memory)
                space = loaded(memory)
                got = rsa_exponents(space, native(runs), layout, exponents, Windows(step))
                assert (24 + shift, 1) in got
                assert got == reference.rsa_exponents(
                    memory + bytes(-len(memory) % 8), runs, layout, others, Windows(step)
                )


@given(
    st.sampled_from([1024, 1030, 1032, 1056, 1088]),
    st.sampled_from(["le64", "be", "be32w"]),
    st.lists(
        st.tuples(st.sampled_from(PUBLIC_EXPONENTS), SEEDS),
        min_size=1,
        max_size=4,
    ),
    SEEDS,
    windows_at([1, 8]),
)
@settings(deadline=None)
def test_exponents_in_any_memory(
    modulus_bits: int, layout: str, made: list[tuple[int, int]], seed: int, windows: Windows
) -> None:
    """Exponents, numbers next to them in their top words, and anything else."""
    rng = random.Random(seed)
    keys, pieces = [], []
    width = (modulus_bits + 7) // 8
    for e, key_seed in made:
        n, *exponents = key(modulus_bits, e, key_seed % 3)
        keys.append((n, e))
        for d in exponents:
            top = rng.choice([0, 0, 1, 16, 17, 18, 1 << 20, 1 << 40]) * rng.choice([-1, 1])
            number = (d | 1) + (top << modulus_bits - 64)
            if 0 <= number < 1 << 8 * width:
                pieces.append(exponent_bytes(number, width, layout))
            pieces.append(stretch(rng.choice(["random", "zeros", "prose"]), rng.randrange(80), seed))
    rng.shuffle(pieces)
    memory = b"".join(pieces)
    memory += bytes(-len(memory) % 8)
    runs = runs_in(memory, rng) if rng.random() < 0.5 else whole(memory)
    space, exponents = loaded(memory), Exponents(keys)
    got = rsa_exponents(space, native(runs), layout, exponents, windows)
    assert got == reference.rsa_exponents(memory, runs, layout, keys, windows)
    assert exponents.keys == [index for index, (_, e) in enumerate(keys) if e < 1 << 24]
    visited = space.visited
    if exponents.keys and (layout != "be32w" or width % 4 == 0):
        assert visited == sum(len(reference.window_starts(run, width, windows)) for run in runs)
    with room_for(space, max(1, len(keys)), 2):
        assert rsa_exponents(space, native(runs), layout, exponents, windows) == got
    assert space.visited == 2 * visited


def test_more_keys_than_room() -> None:
    """Room is needed for what is found, not for what is looked for."""
    n, d, _ = key(1024)
    keys = [(key(1024, 65_537, 1)[0], 65_537)] * 20_000
    keys[12_345] = (n, 65_537)
    data = d.to_bytes(128, "little")
    space = Workspace(128)
    space.view[:] = data
    space.set_length(128)
    assert rsa_exponents(space, native([(0, 128)]), "le64", Exponents(keys), Windows()) == [(0, 12_345)]


def test_moduli_of_different_sizes_are_refused() -> None:
    with pytest.raises(LimitError):
        Exponents([(key(1024)[0], 3), (key(2048)[0], 3)])
    assert Exponents([]).count == Exponents([(key(1024)[0], 1 << 24)]).count == 0


def test_how_many_exponents_are_lost() -> None:
    """Of random keys, d mod λ is missed if gcd(p − 1, q − 1) does not divide the multiple that is tried."""
    rng, lost, count = random.Random(5), 0, 20_000
    for _ in range(count):
        a, b = (rng.getrandbits(64) & ~1 for _ in range(2))
        lost += EXPONENT_MULTIPLE % gcd(a, b) != 0
    assert lost / count == pytest.approx(0.026, abs=0.006)


def test_exponents_with_zeros_on_top_are_left_out() -> None:
    n, d, _ = key(1024)
    for bits in (23, 24, 25):
        number = (d & ((1 << 1024 - bits) - 1)) | 1 << (1023 - bits)
        assert reference.may_be_exponent(number, n, 65_537) is False
    assert NEVER_LONG > 1 << 62
