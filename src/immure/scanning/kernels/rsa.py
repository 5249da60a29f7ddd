"""Windows that may be a number of an RSA key, or digits of a Python integer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from immure.errors import LimitError
from immure.scanning.kernels._words import ffi, lib
from immure.scanning.kernels.workspace import NEVER_LONG, Runs, Windows, Workspace

#: A window's layout in memory, by the names of the encoding catalog, and its number in ``words.h``.
LAYOUTS: Final[dict[str, int]] = {
    "le64": 0,
    "be": 1,
    "be32w": 2,
    "be64w": 3,
    "py30": 4,
    "smi28": 5,
    "negated": 6,
}


def _visit(
    space: Workspace, runs: Runs, arity: int, kernel: Callable[[Any, int, Any, Any], int]
) -> list[int]:
    """Run a kernel over all windows; it is given room for its output, how much, where to go on, and
    counters."""
    position, counts = ffi.new("int64_t[2]", [0, 0]), ffi.new("uint64_t[2]", [0, 0])
    flat = space.collect(
        arity,
        lambda out, capacity: kernel(out, capacity, position, counts),
        lambda: bool(position[0] >= runs.count),
    )
    space.visited += counts[0]
    space.survived += counts[1]
    return flat


def use_tests(kind: int) -> bool:
    """Choose the tests of :func:`rsa_primes` (0 the best, 1 portable, 2 AVX-512 IFMA), for tests and
    benchmarks; whether there are such on this processor."""
    return bool(lib.rsa_use(kind))


def limbs_of(value: int, limbs: int) -> bytes:
    """``value`` as little-endian 64-bit limbs."""
    return value.to_bytes(8 * limbs, "little")


def rsa_width(layout: str, prime_bits: int) -> int:
    """Bytes that a prime of ``prime_bits`` bits takes up in a layout."""
    width: int = lib.rsa_width(LAYOUTS[layout], prime_bits)
    return width


class Moduli:
    """RSA moduli whose primes have the same number of bits, as native limbs."""

    def __init__(self, moduli: Sequence[int], prime_bits: int) -> None:
        self.prime_bits = prime_bits
        self.limbs = (prime_bits + 63) // 64
        self.count = len(moduli)
        self._bytes = b"".join(limbs_of(n, 2 * self.limbs) for n in moduli)
        self.data = ffi.from_buffer("uint64_t[]", bytearray(self._bytes) or bytearray(8))


def rsa_primes(
    space: Workspace, runs: Runs, layout: str, moduli: Moduli, windows: Windows
) -> list[tuple[int, int]]:
    """Windows that may be a prime factor of one of the moduli, as (offset, index of the modulus).

    Without moduli (``Moduli([], bits)``), every window that may be a prime at all, with index -1.
    """
    flat = _visit(
        space,
        runs,
        2,
        lambda out, capacity, position, counts: lib.rsa_primes(
            space.pointer,
            space.length,
            runs.data,
            runs.count,
            LAYOUTS[layout],
            moduli.prime_bits,
            moduli.data,
            moduli.count,
            windows.step,
            windows.long_bytes,
            windows.edge,
            out,
            capacity,
            position,
            counts,
        ),
    )
    return list(zip(flat[::2], flat[1::2], strict=True))


#: A private exponent has e·d = 1 + k·φ(n)/g with g = 1 (d mod φ) or g = gcd(p − 1, q − 1) (d mod λ): so
#: e·d·G/n is nearly whole for every g that divides G. All g below 17 do, and all but one in forty of random
#: keys.
EXPONENT_MULTIPLE: Final = 720_720


class Exponents:
    """Public keys (n, e) whose moduli have the same number of bytes, made ready for :func:`rsa_exponents`.

    A key whose e has more than 24 bits cannot be searched for in this way and is left out of ``keys``.

    Attributes:
        width: bytes of a modulus, and of a window that is visited.
    """

    def __init__(self, keys: Sequence[tuple[int, int]]) -> None:
        self.width = max(((n.bit_length() + 7) // 8 for n, _ in keys), default=0)
        self.keys: list[int] = []
        betas: list[int] = []
        shifts: list[int] = []
        for index, (n, e) in enumerate(keys):
            if e.bit_length() > 24:
                continue
            shift = 8 * self.width - n.bit_length()
            if shift >= 64:
                raise LimitError("moduli whose private exponents are searched together differ in size")
            # e·G·2^bits/n, with 128 fraction bits
            beta = (e * EXPONENT_MULTIPLE << n.bit_length() + 128) // n
            fraction_bits = 64 - (beta.bit_length() - 128)
            betas += [beta >> (128 - fraction_bits), fraction_bits]
            shifts.append(shift)
            self.keys.append(index)
        self.count = len(shifts)
        self.factors = ffi.new("uint64_t[]", betas or [0])
        self.shifts = ffi.new("uint32_t[]", shifts or [0])


_EXPONENT_LAYOUTS: Final = {"le64": 0, "be": 1, "be32w": 2}


def rsa_exponents(
    space: Workspace, runs: Runs, layout: str, exponents: Exponents, windows: Windows
) -> list[tuple[int, int]]:
    """Windows that may be a private exponent, as (offset, index of the key). Layouts: ``le64``, ``be``, and
    ``be32w`` where the modulus has whole words."""
    if not exponents.count or (layout == "be32w" and exponents.width % 4):
        return []
    flat = _visit(
        space,
        runs,
        2,
        lambda out, capacity, position, counts: lib.rsa_exponents(
            space.pointer,
            space.length,
            runs.data,
            runs.count,
            _EXPONENT_LAYOUTS[layout],
            exponents.width,
            exponents.factors,
            exponents.shifts,
            exponents.count,
            windows.step,
            windows.long_bytes,
            windows.edge,
            out,
            capacity,
            position,
            counts,
        ),
    )
    return [(offset, exponents.keys[factor]) for offset, factor in zip(flat[::2], flat[1::2], strict=True)]


def random_windows(
    space: Workspace, runs: Runs, width: int, windows: Windows, max_run: int = NEVER_LONG
) -> list[int]:
    """Offsets of windows whose bytes look drawn at random, in runs of at most ``max_run`` bytes."""
    return _visit(
        space,
        runs,
        1,
        lambda out, capacity, position, counts: lib.random_windows(
            space.pointer,
            space.length,
            runs.data,
            runs.count,
            width,
            windows.step,
            windows.long_bytes,
            windows.edge,
            max_run,
            out,
            capacity,
            position,
            counts,
        ),
    )


def digit_windows(space: Workspace, runs: Runs, width: int, windows: Windows) -> list[int]:
    """Offsets of windows of ``width`` bytes all of whose 32-bit words are below 2^30, and varied: digits of a
    Python integer."""
    return _visit(
        space,
        runs,
        1,
        lambda out, capacity, position, counts: lib.digit_windows(
            space.pointer,
            space.length,
            runs.data,
            runs.count,
            width,
            windows.step,
            windows.long_bytes,
            windows.edge,
            out,
            capacity,
            position,
        ),
    )
