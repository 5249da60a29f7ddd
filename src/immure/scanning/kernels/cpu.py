"""The native kernels, given Python's shapes. Every function here has a slow twin of the same name in
``reference``.

A :class:`Workspace` belongs to one thread. It owns the chunk's bytes and the runs found in them; the search
functions take it and return plain lists of offsets into its buffer. All of them release the GIL while they
work.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from immure.errors import LimitError
from immure.scanning.kernels._words import ffi, lib

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
#: Bits below which (or above 2^64 minus which) a word is dull.
DULL_BITS: Final = 48
#: Shortest runs that are kept, in words: a 32-byte secret at any alignment has three whole words.
STRICT_WORDS: Final = 3
#: A 512-bit prime at any alignment has seven whole words, of which two may be dull at the ends.
LOOSE_WORDS: Final = 5
#: Bytes of noise (64 KiB or more of random-looking pages) that are searched at both of its ends.
NOISE_MARGIN: Final = 2048
NEVER_LONG: Final = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class Windows:
    """Which windows of the runs a search visits.

    Attributes:
        step: bytes between starts.
        long_bytes: runs at least this long are visited only near their ends; :data:`NEVER_LONG` for none, 0
            for all.
        edge: how near, in bytes.
    """

    step: int = 8
    long_bytes: int = NEVER_LONG
    edge: int = 0


class Runs:
    """Runs of words as (start, end) byte offsets, in native memory."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.data = ffi.new("int64_t[]", 2 * capacity)
        self.count = 0

    def __len__(self) -> int:
        return self.count

    def pairs(self) -> list[tuple[int, int]]:
        """The runs as Python numbers."""
        flat = ffi.unpack(self.data, 2 * self.count) if self.count else []
        return list(zip(flat[::2], flat[1::2], strict=True))

    def flat(self) -> array[int]:
        """The runs as one array: start, end, start, end …"""
        result = array("q")
        result.frombytes(ffi.buffer(self.data, 16 * self.count))
        return result

    def set(self, pairs: Sequence[tuple[int, int]]) -> None:
        """Replace the runs (for buffers whose runs are known otherwise)."""
        if len(pairs) > self.capacity:
            self.__init__(len(pairs))  # type: ignore[misc]
        for index, (start, end) in enumerate(pairs):
            self.data[2 * index], self.data[2 * index + 1] = start, end
        self.count = len(pairs)


class Workspace:
    """One thread's buffer of ``capacity`` bytes, with the runs of the chunk that is in it."""

    def __init__(self, capacity: int) -> None:
        self.capacity = (capacity + 7) // 8 * 8
        self.buffer = bytearray(self.capacity)
        self.view = memoryview(self.buffer)
        self.pointer = ffi.from_buffer("uint8_t[]", self.buffer)
        self.length = 0
        words = self.capacity // 8
        self._mask = ffi.new("uint64_t[]", words // 64 + 1)
        self._loose_mask = ffi.new("uint64_t[]", words // 64 + 1)
        pages = self.capacity // (16 * 4096) + 2
        self.strict = Runs(words // (STRICT_WORDS + 1) + 2)
        self.loose = Runs(words // (LOOSE_WORDS + 1) + 2)
        self.quiet_strict = Runs(self.strict.capacity + pages)
        self.quiet_loose = Runs(self.loose.capacity + pages)
        self._random_ends = Runs(self.quiet_loose.capacity)
        self._binary_ends = Runs(self.quiet_strict.capacity)
        self._selected: dict[tuple[str, int, int], Runs] = {}
        self._found_ends: set[tuple[str, int, int]] = set()
        self._out = ffi.new("int64_t[]", 3 * max(4096, self.capacity // 40 + 16))
        self._out_entries = len(self._out)
        self._alive = -1
        self.has_noise = False
        self.visited = 0
        self.survived = 0

    def set_length(self, length: int) -> None:
        """Declare that ``length`` bytes of the buffer are filled; the rest of the last word is zeroed."""
        if length > self.capacity:
            raise LimitError(f"chunk of {length} bytes in a workspace of {self.capacity}")
        padded = (length + 7) // 8 * 8
        self.view[length:padded] = bytes(padded - length)
        self.length = padded
        self._alive = -1

    def mask(self) -> Any:
        """One bit for each word that is not dull, in native memory."""
        if self._alive < 0:
            self._alive = lib.words_mask(self.pointer, self.length // 8, DULL_BITS, self._mask)
        return self._mask

    def find_runs(self, *, strict: bool = True) -> int:
        """Fill ``strict`` (unless nobody needs them) and ``loose`` for the filled part of the buffer; the
        number of words that are not dull."""
        words = self.length // 8
        self._found_ends.clear()
        self.mask()
        alive = self._alive
        self.strict.count = self.loose.count = 0
        if alive:
            resume = ffi.new("size_t *", 0)
            if strict:
                self.strict.count = lib.words_runs(
                    self._mask, words, STRICT_WORDS, self.strict.data, self.strict.capacity, resume
                )
            # the number may begin or end within a word that is dull for the rest of it
            lib.words_pad(self.strict.data, self.strict.count, self.length, 8)
            lib.words_loosen(self._mask, words, self._loose_mask)
            resume[0] = 0
            self.loose.count = lib.words_runs(
                self._loose_mask, words, LOOSE_WORDS, self.loose.data, self.loose.capacity, resume
            )
            lib.words_pad(self.loose.data, self.loose.count, self.length, 8)
        return alive

    def find_quiet_runs(self, page_phase: int) -> None:
        """Fill ``quiet_strict`` and ``quiet_loose``: the runs without noise (see :data:`NOISE_MARGIN`).

        ``page_phase`` is the image offset of the buffer's first byte: pages are counted from the beginning of
        the image.
        """
        self.has_noise = False
        for runs, quiet in ((self.strict, self.quiet_strict), (self.loose, self.quiet_loose)):
            quiet.count = lib.words_quiet(
                self.pointer,
                page_phase % 4096,
                runs.data,
                runs.count,
                NOISE_MARGIN,
                quiet.data,
                quiet.capacity,
            )
            self.has_noise |= quiet.count != runs.count

    def random_ends(self, min_bytes: int, max_bytes: int) -> Runs:
        """Of ``quiet_loose``, the runs of ``min_bytes`` to ``max_bytes`` of which one end or the other looks
        random; without the word that was added at their beginning."""
        every, quiet = self._random_ends, self.quiet_loose
        if ("random", 0, 0) not in self._found_ends:
            self._found_ends.add(("random", 0, 0))
            least = 8 * (LOOSE_WORDS + 2)
            every.count = lib.words_random_ends(self.pointer, quiet.data, quiet.count, least, every.data)
        return self._between("random", every, min_bytes, max_bytes)

    def of_length(self, min_bytes: int, max_bytes: int) -> Runs:
        """Of ``quiet_loose``, the runs of ``min_bytes`` to ``max_bytes``; without the word that was added at
        their beginning."""
        return self._between("quiet", self.quiet_loose, min_bytes, max_bytes)

    def _between(self, name: str, runs: Runs, min_bytes: int, max_bytes: int) -> Runs:
        key = (name, min_bytes, max_bytes)
        chosen = self._selected.get(key)
        if chosen is None or chosen.capacity < runs.count:
            chosen = self._selected[key] = Runs(min(runs.capacity, 2 * runs.count + 64))
            self._found_ends.discard(key)
        if key not in self._found_ends:
            self._found_ends.add(key)
            chosen.count = lib.words_between(
                runs.data, runs.count, min_bytes, max_bytes, NEVER_LONG, 0, chosen.data
            )
        return chosen

    def binary_ends(self, max_bytes: int, whole: int = NEVER_LONG, head: int = 0) -> Runs:
        """Of ``quiet_strict``, the runs of 48 to ``max_bytes`` of which one end or the other is not text;
        without the word that was added at their beginning. Of those longer than ``whole``, ``head`` bytes."""
        binary, quiet = self._binary_ends, self.quiet_strict
        key = ("binary", max_bytes, whole)
        if key not in self._found_ends:
            self._found_ends -= {old for old in self._found_ends if old[0] == "binary"}
            self._found_ends.add(key)
            binary.count = lib.words_binary_ends(
                self.pointer, quiet.data, quiet.count, max_bytes, binary.data
            )
            # in place: every run is written where it or an earlier one was read
            binary.count = lib.words_between(
                binary.data, binary.count, 48, max_bytes, whole, head, binary.data
            )
        return binary

    def wipe(self) -> None:
        """Zero the buffer: it may have held keys."""
        self.view[:] = bytes(self.capacity)
        self.length = 0

    def collect(self, arity: int, call: Callable[[Any, int], int], done: Callable[[], bool]) -> list[int]:
        """Run a resumable kernel to its end; its entries, flat."""
        capacity = self._out_entries // arity
        flat: list[int] = []
        while True:
            written = call(self._out, capacity)
            if written:
                flat.extend(ffi.unpack(self._out, arity * written))
            if done():
                return flat
            if not written:
                raise LimitError("a kernel's output has no room for a single entry")


def count_windows(runs: Runs, width: int, windows: Windows) -> tuple[int, int]:
    """Windows of ``width`` bytes at ``windows.step`` in the runs, and how many of them ``windows`` visits."""
    counts = ffi.new("uint64_t[2]", [0, 0])
    lib.words_count(runs.data, runs.count, width, windows.step, windows.long_bytes, windows.edge, counts)
    return counts[0], counts[1]


class Anchors:
    """A set of literal byte strings to look for, all at once."""

    def find_all(self, data: bytearray, *, limit: int) -> list[tuple[int, int]]:
        """Places of the needles anywhere in ``data`` as (offset, needle index), at most ``limit`` of them."""
        memory = ffi.from_buffer("uint8_t[]", data)
        position, out = ffi.new("int64_t *", 0), ffi.new("int64_t[]", 2 * limit)
        whole = ffi.new("int64_t[2]", [0, len(data)])
        count = lib.anchors_find(self._handle, memory, len(data), whole, 1, 0, out, limit, position)
        ffi.release(memory)
        flat = ffi.unpack(out, 2 * count) if count else []
        return list(zip(flat[::2], flat[1::2], strict=True))

    def __init__(self, needles: Sequence[bytes]) -> None:
        lengths = ffi.new("uint32_t[]", [len(needle) for needle in needles])
        handle = lib.anchors_new(b"".join(needles), lengths, len(needles))
        if handle == ffi.NULL:
            raise LimitError("anchors must be 4 to 4096 bytes long, and at most 256 in number")
        self._handle = ffi.gc(handle, lib.anchors_free)

    def find(self, space: Workspace, *, pad: int, limit: int) -> tuple[list[tuple[int, int]], int]:
        """Places of the needles near the strict runs as (offset, needle index), at most ``limit`` of them.

        Returns the places and the offset up to which the buffer was searched: less than its length only if
        the limit was reached.
        """
        position = ffi.new("int64_t *", 0)
        out = ffi.new("int64_t[]", 2 * limit)
        count = lib.anchors_find(
            self._handle,
            space.pointer,
            space.length,
            space.strict.data,
            space.strict.count,
            pad,
            out,
            limit,
            position,
        )
        flat = ffi.unpack(out, 2 * count) if count else []
        return list(zip(flat[::2], flat[1::2], strict=True)), position[0]


def text_runs(space: Workspace, *, pad: int, min_chars: int) -> list[tuple[int, int, int]]:
    """Runs of base64 (kind 1; 3 as UTF-16LE) and hex (2; 4) characters as (start, byte length, kind)."""
    position = ffi.new("int64_t *", 0)
    flat = space.collect(
        3,
        lambda out, capacity: lib.text_runs(
            space.pointer,
            space.length,
            space.strict.data,
            space.strict.count,
            pad,
            min_chars,
            out,
            capacity,
            position,
        ),
        lambda: bool(position[0] >= space.length),
    )
    return list(zip(flat[::3], flat[1::3], flat[2::3], strict=True))


@dataclass(frozen=True, slots=True)
class DecodedTexts:
    """Texts decoded at every phase.

    Attributes:
        data: the decoded bytes of all, each on an 8-byte boundary, with 16 zero bytes or more between two.
        places: (offset in ``data``, bytes, index of the text, phase) of each.
    """

    data: bytearray
    places: list[tuple[int, int, int, int]]


def text_decode(space: Workspace, texts: Sequence[tuple[int, int, int]]) -> DecodedTexts:
    """Decode texts, as :func:`text_runs` gives them."""
    flat = ffi.new("int64_t[]", [number for text in texts for number in text])
    room = sum(4 * length + 160 for _, length, _ in texts)
    data = bytearray(room)
    places = ffi.new("int64_t[]", 16 * len(texts) + 1)
    out = ffi.from_buffer("uint8_t[]", data)
    count = lib.text_decode(space.pointer, space.length, flat, len(texts), out, room, places)
    ffi.release(out)
    numbers = ffi.unpack(places, 4 * count) if count else []
    found = list(zip(numbers[::4], numbers[1::4], numbers[2::4], numbers[3::4], strict=True))
    del data[found[-1][0] + (found[-1][1] + 7) // 8 * 8 + 16 if found else 0 :]
    return DecodedTexts(data, found)


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
    position = ffi.new("int64_t[2]", [0, 0])
    counts = ffi.new("uint64_t[2]", [0, 0])
    flat = space.collect(
        2,
        lambda out, capacity: lib.rsa_primes(
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
        lambda: bool(position[0] >= runs.count),
    )
    space.visited += counts[0]
    space.survived += counts[1]
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


def rsa_exponents(
    space: Workspace, runs: Runs, layout: str, exponents: Exponents, windows: Windows
) -> list[tuple[int, int]]:
    """Windows that may be a private exponent, as (offset, index of the key). Layouts: ``le64``, ``be``."""
    position = ffi.new("int64_t[2]", [0, 0])
    counts = ffi.new("uint64_t[2]", [0, 0])
    if not exponents.count:
        return []
    flat = space.collect(
        2,
        lambda out, capacity: lib.rsa_exponents(
            space.pointer,
            space.length,
            runs.data,
            runs.count,
            int(layout == "be"),
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
        lambda: bool(position[0] >= runs.count),
    )
    space.visited += counts[0]
    return [(offset, exponents.keys[factor]) for offset, factor in zip(flat[::2], flat[1::2], strict=True)]


def random_windows(
    space: Workspace, runs: Runs, width: int, windows: Windows, max_run: int = NEVER_LONG
) -> list[int]:
    """Offsets of windows whose bytes look drawn at random, in runs of at most ``max_run`` bytes."""
    position = ffi.new("int64_t[2]", [0, 0])
    counts = ffi.new("uint64_t[2]", [0, 0])
    flat = space.collect(
        1,
        lambda out, capacity: lib.random_windows(
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
        lambda: bool(position[0] >= runs.count),
    )
    space.visited += counts[0]
    return flat


def digit_windows(space: Workspace, runs: Runs, width: int, windows: Windows) -> list[int]:
    """Offsets of windows of ``width`` bytes all of whose 32-bit words are below 2^30, and varied: digits of a
    Python integer."""
    position = ffi.new("int64_t[2]", [0, 0])
    return space.collect(
        1,
        lambda out, capacity: lib.digit_windows(
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
        lambda: bool(position[0] >= runs.count),
    )


class Sweep:
    """Looks for every place of known byte strings, whole or in part; of those in ``sparse``, for long parts
    only."""

    def __init__(self, needles: Sequence[bytes], sparse: Sequence[bool] | None = None) -> None:
        lengths = ffi.new("uint32_t[]", [len(needle) for needle in needles])
        marks = bytes(sparse) if sparse is not None else bytes(len(needles))
        handle = lib.sweep_new(b"".join(needles), lengths, marks, len(needles))
        if handle == ffi.NULL:
            raise LimitError("swept strings must be 16 bytes to 1 MiB long, 1 GiB together")
        self._handle = ffi.gc(handle, lib.sweep_free)

    def find(self, space: Workspace, *, min_bytes: int) -> list[tuple[int, int, int, int]]:
        """Agreements of at least ``min_bytes`` as (needle, offset, offset in the needle, length)."""
        resume, mask = ffi.new("size_t *", 0), space.mask()
        flat = space.collect(
            4,
            lambda out, capacity: lib.sweep_find(
                self._handle, space.pointer, space.length, mask, min_bytes, out, capacity, resume
            ),
            lambda: bool(resume[0] >= space.length // 8),
        )
        return list(zip(flat[::4], flat[1::4], flat[2::4], flat[3::4], strict=True))
