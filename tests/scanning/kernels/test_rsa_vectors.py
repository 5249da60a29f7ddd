"""Primes of RSA as processors with AVX-512 IFMA look for them and as others do: both find the same."""

from __future__ import annotations

import ctypes
import random
import shutil
import subprocess
from collections.abc import Iterator
from math import isqrt
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from immure.scanning.kernels import reference, rsa
from immure.scanning.kernels.rsa import LAYOUTS, Moduli, rsa_primes, rsa_width
from immure.scanning.kernels.workspace import NEVER_LONG, Windows, Workspace

from .memory import SEEDS, loaded, native, room_for, runs_in, stretch
from .test_rsa import encode, first_survivor, primes

KINDS = [kind for kind in (1, 2) if rsa.use_tests(kind)]
SOURCES = Path(rsa.__file__).parent / "c"
Outcome = tuple[list[tuple[int, int]], int, int]


@pytest.fixture(autouse=True)
def _best_tests() -> Iterator[None]:
    rsa.use_tests(0)
    yield
    rsa.use_tests(0)


@pytest.fixture(params=KINDS, ids=lambda kind: ["", "portable", "ifma"][kind])
def kind(request: pytest.FixtureRequest) -> Iterator[int]:
    """Each kind of tests that this processor has."""
    assert rsa.use_tests(request.param)
    yield request.param
    rsa.use_tests(0)


def search(
    memory: bytes, runs: list[tuple[int, int]], layout: str, moduli: Moduli, windows: Windows, room: int = 0
) -> Outcome:
    """What is found, and how many windows were visited and survived."""
    space = loaded(memory)
    if room:
        with room_for(space, room, 2):
            found = rsa_primes(space, native(runs), layout, moduli, windows)
    else:
        found = rsa_primes(space, native(runs), layout, moduli, windows)
    return found, space.visited, space.survived


def planted(rng: random.Random, words: int, layout: str, bits: int, count: int, step: int) -> bytes:
    """Random memory with so many primes of four keys in it, some spoilt."""
    memory = bytearray(
        stretch(rng.choice(["random", "random", "random", "float"]), 8 * words, rng.getrandbits(20))
    )
    for _ in range(count):
        number = bytearray(encode(rng.choice(primes(bits, 8)), bits, layout))
        if rng.random() < 0.3:
            number[rng.randrange(len(number))] ^= 1 << rng.randrange(8)
        at = step * rng.randrange((len(memory) - len(number)) // step)
        memory[at : at + len(number)] = number
    return bytes(memory)


@given(
    SEEDS,
    st.sampled_from(
        [(layout, step) for layout in sorted(LAYOUTS) for step in (1, 4, 8) if layout != "py30" or step < 8]
    ),
    st.sampled_from([512, 512, 513, 516, 528, 575, 576, 768, 832, 1024, 1025]),
    st.sampled_from([0, 1, 2, 3, 4]),
    st.sampled_from([0, 1, 9, 17, 40]),
    st.booleans(),
)
@settings(deadline=None, max_examples=250)
def test_both_find_what_the_reference_finds(
    seed: int, way: tuple[str, int], bits: int, keys: int, count: int, is_edges: bool
) -> None:
    """In a few hundred words: vectors are filled many times, and the last of them in part."""
    rng = random.Random(seed)
    layout, step = way
    if layout == "negated":
        bits = (bits + 63) // 64 * 64
    factors = primes(bits, 8)
    numbers = [a * b for a, b in zip(factors[0::2], factors[1::2], strict=True)][:keys]
    words = rng.choice([90, 200, 330]) if step < 8 else rng.choice([90, 330, 700])
    memory = planted(rng, words, layout, bits, count, step)
    runs = runs_in(memory, rng) if rng.random() < 0.6 else [(0, len(memory))]
    windows = (
        Windows(step, rng.choice([0, 64, 400]), rng.choice([0, 8, 16, 100])) if is_edges else Windows(step)
    )
    expected = reference.rsa_primes(memory, runs, layout, numbers, bits, windows)
    visited = sum(len(reference.window_starts(run, rsa_width(layout, bits), windows)) for run in runs)
    outcomes = []
    for one in KINDS:
        rsa.use_tests(one)
        for room in (0, max(1, keys), 7):
            found, seen, survived = search(memory, runs, layout, Moduli(numbers, bits), windows, room)
            assert (found, seen) == (expected, visited)
            outcomes.append(survived)
    assert len(set(outcomes)) == 1
    if not keys:
        assert outcomes[0] == len(expected)


@pytest.mark.parametrize("bits", [512, 768, 1024, 1536, 2048, 4096])
@pytest.mark.parametrize("keys", [1, 2, 3, 10])
def test_sizes_of_keys(kind: int, bits: int, keys: int) -> None:
    """As many primes as fill no vector, or some and a part of one."""
    factors = primes(bits, 2 * keys)
    moduli = Moduli([a * b for a, b in zip(factors[0::2], factors[1::2], strict=True)], bits)
    for count in (1, 7, 8, 9, 15, 16, 17, 33):
        chosen = [index % len(factors) for index in range(count)]
        gaps = [stretch("random", 8 * (index % 3), index) for index in range(count)]
        memory, places = bytearray(), []
        for index, gap in zip(chosen, gaps, strict=True):
            memory += gap
            places.append((len(memory), index // 2))
            memory += encode(factors[index], bits, "le64")
        found, _, survived = search(bytes(memory), [(0, len(memory))], "le64", moduli, Windows())
        assert found == places
        assert survived >= count


@pytest.mark.parametrize("layout", [layout for layout in LAYOUTS if layout not in ("py30", "smi28")])
@pytest.mark.parametrize("step", [1, 4, 8])
@pytest.mark.parametrize("bits", [512, 1024, 3072])
def test_sums_of_many_windows(kind: int, layout: str, step: int, bits: int) -> None:
    """Multiples of 3, 5 and 17 are left out, and nothing else is, where many windows have the right ends."""
    rng = random.Random(f"{layout} {step} {bits}")
    width = rsa_width(layout, bits)
    memory = bytearray(rng.randbytes(width + 300 * step))
    # every byte may be the lowest and the highest of a number: more are left after a look at the ends
    memory = bytearray(byte | 0x81 for byte in memory) if step == 1 else memory
    memory += bytes(-len(memory) % 8)
    assert rsa_width(layout, bits) == width
    found, visited, survived = search(
        bytes(memory), [(0, len(memory))], layout, Moduli([], bits), Windows(step)
    )
    assert found == reference.rsa_primes(bytes(memory), [(0, len(memory))], layout, [], bits, Windows(step))
    assert visited == len(reference.window_starts((0, len(memory)), width, Windows(step)))
    assert survived == len(found)


@pytest.mark.parametrize("bits", [512, 1024])
def test_primes_as_unlike_as_can_be(kind: int, bits: int) -> None:
    """The smallest with the largest, whose product has the same top limb: none is left out for its size."""
    rng = random.Random(bits)
    least, most = 1 << (bits - 1), (1 << bits) - 1
    low = first_survivor(_words(least | rng.getrandbits(bits - 2), bits))
    high = first_survivor(_words(most - rng.getrandbits(bits - 70), bits))
    middle = first_survivor(_words(isqrt(1 << (2 * bits - 1)) | rng.getrandbits(bits - 64), bits))
    for p, q in ((low, high), (high, high), (low, low), (middle, middle), (middle, high)):
        for others in ([], [high * high]):
            memory = encode(p, bits, "le64") + encode(q, bits, "le64")
            found, _, _ = search(
                memory, [(0, len(memory))], "le64", Moduli([p * q, *others], bits), Windows()
            )
            assert [hit for hit in found if hit[1] == 0] == [(0, 0), (bits // 8, 0)]


def _words(number: int, bits: int) -> list[int]:
    return [number >> 64 * index & (2**64 - 1) for index in range(bits // 64)]


@pytest.mark.parametrize("keys", [1, 2])
@pytest.mark.parametrize("bits", [512, 1024, 1536])
def test_quotients_that_end_like_one(kind: int, keys: int, bits: int) -> None:
    """A quotient modulo a power of two that is short enough, of a number that does not divide: the vector
    test lets it pass, and the division of the whole does not."""
    x, q, other = primes(bits, 3)
    digits = 52 * ((bits + 12 + 51) // 52)
    modulus = (x * q) % (1 << digits) | 1 << (2 * bits - 1) | 1 << (digits + 1)
    assert modulus % x
    memory = encode(x, bits, "le64") + encode(q, bits, "le64")
    found, _, survived = search(
        memory, [(0, len(memory))], "le64", Moduli([other * q, modulus][-keys:], bits), Windows()
    )
    assert found == ([(bits // 8, 0)] if keys == 2 else [])
    assert survived >= 2


@pytest.mark.parametrize("small", reference.small_primes()[1:])
def test_small_factors_are_the_same(small: int) -> None:
    """Both sieves leave the same numbers, and no multiple of a prime of theirs."""
    rng = random.Random(small)
    for bits in (512, 1024, 1088):
        number = small * (
            rng.getrandbits(bits - small.bit_length()) | 1 << (bits - small.bit_length() - 1) | 1
        )
        while number.bit_length() != bits:
            number += 2 * small << (bits - 20)
        memory = encode(number, bits, "be")
        survived = set()
        for one in KINDS:
            rsa.use_tests(one)
            assert search(memory, [(0, len(memory))], "be", Moduli([], bits), Windows())[0] == []
            survived.add(
                search(memory, [(0, len(memory))], "be", Moduli([1 << (2 * bits - 1)], bits), Windows())[2]
            )
        assert len(survived) == 1
        assert survived == {0} or small > 60


def test_nothing_of_a_vector_is_read_behind_the_buffer(kind: int) -> None:
    """Windows up to the last byte, from a buffer that ends where a page does (a sanitizer says more)."""
    bits = 512
    p, q = primes(bits, 2)
    for words in range(8, 90):
        memory = stretch("random", 8 * (words - 8), words) + encode(p, bits, "le64")
        found, visited, _ = search(memory, [(0, len(memory))], "le64", Moduli([p * q], bits), Windows())
        assert found == [(8 * (words - 8), 0)]
        assert visited == words - 7


def test_more_hits_than_room(kind: int) -> None:
    """It goes on where it stopped: at the first window of which a key was not written, in a vector or not."""
    bits, keys = 512, 3
    p, q, r, s = primes(bits, 4)
    moduli = Moduli([p * q, p * r, p * s], bits)
    memory = encode(p, bits, "le64") * 40
    whole = [(0, len(memory))]
    expected = search(memory, whole, "le64", moduli, Windows())
    assert len(expected[0]) == 40 * keys
    for room in (3, 4, 5, 7, 24, 50):
        assert search(memory, whole, "le64", moduli, Windows(), room) == expected


def test_a_processor_without_the_instructions(tmp_path: Path) -> None:
    """A build that is told so has one kind of tests, which finds what the others find."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("NOT TESTED: the kernels on a processor without vectors (Debian package gcc)")
    library = tmp_path / "plain.so"
    flags = ["-shared", "-fPIC", "-O1", "-DIMMURE_NO_CLONES", "-D__builtin_cpu_supports(x)=0"]
    files = [str(SOURCES / f"{name}.c") for name in ("rsa_primes", "rsa_ifma", "rsa_ifma_blocks")]
    subprocess.run([compiler, *flags, f"-I{SOURCES}", *files, "-o", str(library)], check=True, timeout=120)
    plain = ctypes.CDLL(str(library))
    assert [plain.rsa_use(one) for one in (0, 1, 2)] == [1, 1, 0]
    bits, rng = 512, random.Random(1)
    factors = primes(bits, 4)
    numbers = [factors[0] * factors[1], factors[2] * factors[3]]
    memory = planted(rng, 3000, "le64", bits, 60, 8)
    expected = search(memory, [(0, len(memory))], "le64", Moduli(numbers, bits), Windows())
    limbs = b"".join(number.to_bytes(128, "little") for number in numbers)
    out, position, counts = (ctypes.c_int64 * 4096)(), (ctypes.c_int64 * 2)(), (ctypes.c_uint64 * 2)()
    size = ctypes.c_size_t
    where = (memory, size(len(memory)), (ctypes.c_int64 * 2)(0, len(memory)), size(1))
    what = (LAYOUTS["le64"], bits, limbs, size(2), size(8), size(NEVER_LONG), size(0))
    written = plain.rsa_primes(*where, *what, out, size(2048), position, counts)
    assert [(out[2 * k], out[2 * k + 1]) for k in range(written)] == expected[0] != []
    assert tuple(counts) == expected[1:]


def test_a_run_of_many_pages(kind: int) -> None:
    """Whatever the block in which a prime stands, and wherever in it."""
    bits = 1024
    p, q = primes(bits, 2)
    words = 3 * 256 + 16
    base = stretch("random", 8 * words, 3)
    space = Workspace(8 * words)
    moduli = Moduli([p * q], bits)
    for at in range(0, words - 15, 3):
        space.view[:] = base
        space.view[8 * at : 8 * at + 128] = encode(p, bits, "le64")
        space.set_length(8 * words)
        assert rsa_primes(space, native([(0, 8 * words)]), "le64", moduli, Windows()) == [(8 * at, 0)]
