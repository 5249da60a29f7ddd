"""What the kernels of :mod:`~immure.scanning.kernels` compute, said as plainly as possible and slowly:
the twins that tests and fuzz harness hold them against.

Written from what the functions promise (their docstrings, ``words.h``, the scan design), not from their C,
and sharing nothing with it but a few constants. Memory is ``bytes``, runs are lists of (start, end) offsets.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import groupby

from immure.scanning.kernels.rsa import EXPONENT_MULTIPLE
from immure.scanning.kernels.workspace import LOOSE_WORDS, NEVER_LONG, NOISE_MARGIN, STRICT_WORDS
from immure.scanning.kernels.workspace import Windows as Windows

Run = tuple[int, int]

DULL = 1 << 48
PAGE = 4096
NOISE_PAGES = 16
#: A run of text of one byte per character takes its characters if it has this many of them; what it leaves
#: over may be text of two bytes per character.
TEXT_CHARS = 42
BASE64 = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_")
#: Characters of claims that are looked at.
LONGEST_CLAIMS = 8192
HEX = frozenset(b"0123456789abcdefABCDEF")

# ---- words and runs ----


def words_of(memory: bytes) -> list[int]:
    """Little-endian 64-bit words; the last one is filled up with zeros."""
    return [int.from_bytes(memory[at : at + 8], "little") for at in range(0, len(memory), 8)]


def is_dull(word: int) -> bool:
    """Zeros, small numbers, pointers, sign extensions."""
    return word < DULL or word >= 2**64 - DULL


def _stretches(marks: Iterable[bool], least: int) -> list[Run]:
    """Byte offsets of ``least`` or more marked words side by side."""
    found, at = [], 0
    for marked, group in groupby(marks):
        end = at + 8 * len(list(group))
        if marked and end - at >= 8 * least:
            found.append((at, end))
        at = end
    return found


def find_runs(memory: bytes) -> tuple[int, list[Run], list[Run]]:
    """How many words are not dull; the strict runs, each longer by a word at both ends; the loose runs."""
    alive = [not is_dull(word) for word in words_of(memory)]
    size = 8 * len(alive)
    strict = [(max(0, start - 8), min(size, end + 8)) for start, end in _stretches(alive, STRICT_WORDS)]
    near = [all(alive[max(0, index - 1) : index + 2 : 2]) or alive[index] for index in range(len(alive))]
    near[:1], near[-1:] = alive[:1], alive[-1:]
    loose = [(max(0, start - 8), min(size, end + 8)) for start, end in _stretches(near, LOOSE_WORDS)]
    return sum(alive), strict, loose


def is_noise(page: bytes) -> bool:
    """Whether a page looks random all over: of the 128 bytes at each eighth of it, half as many are different
    as there are, with one exception at most."""
    different = [len(set(page[at : at + 128])) for at in range(0, PAGE, PAGE // 8)]
    return sum(count >= 64 for count in different) >= 7


def find_quiet_runs(memory: bytes, page_phase: int, runs: Sequence[Run]) -> list[Run]:
    """The runs without the inside of noise: 16 or more random-looking pages side by side, all but
    ``NOISE_MARGIN`` bytes at both ends."""
    quiet = []
    for start, end in runs:
        at, first = start, start + -(start + page_phase) % PAGE
        pages = range(first, end - PAGE + 1, PAGE)
        for noisy, group in groupby(pages, lambda page: is_noise(memory[page : page + PAGE])):
            noise = list(group)
            if noisy and len(noise) >= NOISE_PAGES:
                quiet.append((at, noise[0] + NOISE_MARGIN))
                at = noise[-1] + PAGE - NOISE_MARGIN
        quiet.append((at, end))
    return quiet


def _top_bits(data: bytes) -> int:
    return sum(byte >> 7 for byte in data)


def _without_first_word(run: Run) -> Run:
    """Runs begin a word early; at the beginning of the buffer there is none to spare."""
    start, end = run
    return (start + 8, end) if start > 0 and end - start > 8 else run


def random_ends(memory: bytes, quiet_loose: Sequence[Run], min_bytes: int, max_bytes: int) -> list[Run]:
    """Of the runs of ``min_bytes`` to ``max_bytes``, and of two words more than a loose run has at least,
    those that look random 16 bytes in from one end or the other: by 64 bytes, or where there are not so many,
    by all but the first and the last word."""

    def is_random(data: bytes) -> bool:
        return 16 * len(set(data)) > 9 * len(data) and 16 * _top_bits(data) >= 3 * len(data)

    def looks_random(start: int, end: int) -> bool:
        inside = memory[start + 16 : end - 16]
        if len(inside) < 64:
            return is_random(memory[start + 8 : end - 8])
        ends = (inside[:64], inside[-64:])
        return any(len(set(data[16:48])) > 18 and _top_bits(data) >= 12 for data in ends)

    long = [run for run in quiet_loose if run[1] - run[0] >= 8 * (LOOSE_WORDS + 2)]
    return of_length([run for run in long if looks_random(*run)], min_bytes, max_bytes)


def of_length(quiet_loose: Sequence[Run], min_bytes: int, max_bytes: int) -> list[Run]:
    """The runs of ``min_bytes`` to ``max_bytes``, without their first word."""
    return [_without_first_word(run) for run in quiet_loose if min_bytes <= run[1] - run[0] <= max_bytes]


def binary_ends(
    memory: bytes, quiet_strict: Sequence[Run], max_bytes: int, whole: int = NEVER_LONG, head: int = 0
) -> list[Run]:
    """The runs of 48 to ``max_bytes`` bytes in the first or the last 48 of which five or more have their top
    bit set, and which are no text therefore; without their first word, and of those longer than ``whole``,
    ``head`` bytes."""
    found = []
    for start, end in quiet_strict:
        data = memory[start:end]
        if 48 <= len(data) <= max_bytes and max(_top_bits(data[:48]), _top_bits(data[-48:])) >= 5:
            first, _ = _without_first_word((start, end))
            found.append((first, min(end, first + head) if len(data) > whole else end))
    return found


# ---- windows ----


def window_starts(run: Run, width: int, windows: Windows) -> list[int]:
    """Where the visited windows of a run start. Of a long run, only those within ``edge`` bytes of the first
    or the last."""
    starts = list(range(run[0], run[1] - width + 1, windows.step))
    if run[1] - run[0] < windows.long_bytes:
        return starts
    return [at for at in starts if at - starts[0] <= windows.edge or starts[-1] - at <= windows.edge]


def count_windows(runs: Sequence[Run], width: int, windows: Windows) -> tuple[int, int]:
    """Windows in the runs, and how many of them ``windows`` visits."""
    every = Windows(windows.step)
    return (
        sum(len(window_starts(run, width, every)) for run in runs),
        sum(len(window_starts(run, width, windows)) for run in runs),
    )


def is_varied(window: bytes) -> bool:
    """Whether the top bytes of the first 16 words, six bits of each, have half as many values as there are
    words."""
    tops = [window[at] & 63 for at in range(7, len(window), 8)][:16]
    return 2 * len(set(tops)) >= len(tops)


def random_windows(
    memory: bytes, runs: Sequence[Run], width: int, windows: Windows, max_run: int = NEVER_LONG
) -> list[int]:
    """Offsets of windows that look drawn at random, in runs of at most ``max_run`` bytes."""

    def is_random(window: bytes) -> bool:
        look = window[:128]
        different, ones = len(set(look)), sum(byte.bit_count() for byte in look)
        return (
            not is_dull(int.from_bytes(window[:8], "little"))
            and not is_dull(int.from_bytes(window[-8:], "little"))
            and is_varied(window)
            and different * 8 >= len(look) * (5 if len(look) < 128 else 4)
            and (ones - 4 * len(look)) ** 2 <= 100 * len(look)  # seven standard deviations
        )

    return [
        at
        for run in runs
        if run[1] - run[0] <= max_run
        for at in window_starts(run, width, windows)
        if is_random(memory[at : at + width])
    ]


def digit_windows(memory: bytes, runs: Sequence[Run], width: int, windows: Windows) -> list[int]:
    """Offsets of windows that look like the digits of a CPython integer. Its last digit may stand in the word
    behind the run."""
    size = len(memory) + -len(memory) % 8

    def is_digits(window: bytes) -> bool:
        digits = [int.from_bytes(window[at : at + 4], "little") for at in range(0, len(window), 4)]
        return max(digits) < 1 << 30 and digits[-2] >= 1 << 14 and 2 * len(set(window)) >= len(window)

    return [
        at
        for start, end in runs
        for at in window_starts((start, min(end + 8, size)), width, windows)
        if is_digits(memory[at : at + width])
    ]


# ---- literals ----


def anchors_find(memory: bytes, needles: Sequence[bytes], runs: Sequence[Run], pad: int) -> list[Run]:
    """Places of the needles that begin in a run or within ``pad`` bytes of one, as (offset, needle)."""
    return [
        (at, index)
        for at in range(len(memory))
        if any(start - pad <= at < end + pad for start, end in runs)
        for index, needle in enumerate(needles)
        if memory.startswith(needle, at)
    ]


def sweep_find(
    memory: bytes, needles: Sequence[bytes], sparse: Sequence[bool], min_bytes: int
) -> list[tuple[int, int, int, int]]:
    """Where memory and a needle agree, as far as they do, as (needle, offset, offset in the needle, length):
    in ``min_bytes`` or more, among them an aligned word that is not dull. In sparse needles only the words at
    the first eight of every 64 offsets tell."""
    found = []
    for index, needle in enumerate(needles):
        for shift in range(-len(needle) + 1, len(memory)):
            low, high = max(0, shift), min(len(memory), shift + len(needle))
            at = low
            for same, group in groupby(range(low, high), lambda k: memory[k] == needle[k - shift]):  # noqa: B023
                end = at + len(list(group))
                if same and end - at >= min_bytes:
                    words = range(at + -at % 8, end - 7, 8)
                    if any(
                        not is_dull(int.from_bytes(memory[word : word + 8], "little"))
                        and (not sparse[index] or (word - shift) % 64 < 8)
                        for word in words
                    ):
                        found.append((index, at, at - shift, end - at))
                at = end
    return found


# ---- text ----


def text_runs(memory: bytes, min_chars: int = TEXT_CHARS) -> list[tuple[int, int, int]]:
    """Runs of base64 (1; 3 as UTF-16LE) and hex characters (2; 4) anywhere, as (start, bytes, kind)."""
    found, at = [], 0
    while at < len(memory):
        narrow = at
        while narrow < len(memory) and memory[narrow] in BASE64:
            narrow += 1
        if narrow - at >= TEXT_CHARS:
            texts = _texts_in(memory[at:narrow], at, 1, min_chars)
            found += [text for text in texts if text[2] != 1 or not _is_signature(memory[:at])]
            at = narrow
            continue
        wide = at
        while wide + 1 < len(memory) and memory[wide] in BASE64 and memory[wide + 1] == 0:
            wide += 2
        if wide - at >= 2 * TEXT_CHARS:
            found += _texts_in(memory[at:wide:2], at, 2, min_chars)
            at = wide
            continue
        at += 1
    return found


def _texts_in(text: bytes, start: int, width: int, min_chars: int) -> list[tuple[int, int, int]]:
    """What a run of base64 characters holds: its stretches of hex digits, and the whole of it if there is
    more to it."""
    if len(text) < min_chars:
        return []
    found, at, in_hex = [], 0, 0
    for is_hex, group in groupby(text, lambda char: char in HEX):
        length = len(list(group))
        if is_hex and length >= min_chars:
            found.append((start + width * at, width * length, 2 * width))
            in_hex += length
        at += length
    if len(text) - in_hex >= 4 and _may_be_secret(text):
        found.append((start, width * len(text), 2 * width - 1))
    return found


def _is_signature(before: bytes) -> bool:
    """What follows the base64 of a JSON object and a dot, as in a signed token."""
    head = before.removesuffix(b".")
    if len(head) == len(before):
        return False
    head = head[:32] + head[32:].rstrip(b"=")
    start = len(head)
    while start > 0 and len(head) - start < LONGEST_CLAIMS and head[start - 1] in BASE64:
        start -= 1
    claims = head[start:]
    return len(claims) >= 32 and claims.startswith(b"eyJ") and _from_base64(claims[:32]).isascii()


def _may_be_secret(text: bytes) -> bool:
    """Not an identifier or prose (few characters, one case), nor text written as base64 once more."""
    look = set(text[:64])
    return (
        len(look) >= 18
        and any(chr(char).isupper() for char in look)
        and any(chr(char).islower() for char in look)
        and not _from_base64(text[:32]).isascii()
    )


def _from_base64(text: bytes) -> bytes:
    text = text.translate(bytes.maketrans(b"-_", b"+/"))
    if len(text) % 4 == 1:
        text = text[:-1]
    return base64.b64decode(text + bytes(-len(text) % 4 * b"="))


def text_decode(memory: bytes, texts: Sequence[tuple[int, int, int]]) -> list[tuple[bytes, int, int]]:
    """What the texts say, read from each of their first characters on: base64 from four, hex from two; as
    (bytes, index of the text, phase)."""
    decoded = []
    for index, (start, length, kind) in enumerate(texts):
        text = memory[start : start + length][:: 2 if kind > 2 else 1]
        for phase in range(min(len(text), 4 if kind % 2 else 2)):
            rest = text[phase:]
            data = _from_base64(rest) if kind % 2 else bytes.fromhex(rest[: len(rest) // 2 * 2].decode())
            decoded.append((data, index, phase))
    return decoded


# ---- RSA ----

#: Bits of a unit, by layout: bytes of a unit in memory, bits of the number in it, and whether the most
#: significant unit stands first. Each unit is itself little-endian.
_UNITS = {
    "le64": (1, 8, False),
    "negated": (8, 64, False),
    "be": (1, 8, True),
    "be32w": (4, 32, True),
    "be64w": (8, 64, True),
    "py30": (4, 30, False),
    "smi28": (8, 28, False),
}


def rsa_width(layout: str, bits: int) -> int:
    """Bytes that a number of so many bits takes up in a layout."""
    unit, held, _ = _UNITS[layout]
    return unit * -(-bits // held)


def read_number(window: bytes, layout: str) -> int | None:
    """The number that a window stands for, or None if its bytes cannot be one in this layout."""
    unit, held, big_first = _UNITS[layout]
    units = [int.from_bytes(window[at : at + unit], "little") for at in range(0, len(window), unit)]
    if layout == "smi28":
        if any(word % 2**32 for word in units):
            return None
        units = [word >> 32 for word in units]
    if max(units) >= 2**held:
        return None
    number = sum(word << held * index for index, word in enumerate(reversed(units) if big_first else units))
    return 2 ** (8 * len(window)) - number if layout == "negated" else number


@cache
def small_primes() -> list[int]:
    """Below 1,000."""
    return [p for p in range(2, 1000) if all(p % q for q in range(2, p))]


def looks_prime(number: int, bits: int) -> bool:
    """An odd number of so many bits, whose words are varied."""
    limbs = (bits + 63) // 64
    return number % 2 == 1 and number.bit_length() == bits and is_varied(number.to_bytes(8 * limbs, "little"))


def rsa_primes(
    memory: bytes, runs: Sequence[Run], layout: str, moduli: Sequence[int], bits: int, windows: Windows
) -> list[tuple[int, int]]:
    """Windows that divide a modulus, as (offset, index of the modulus); without moduli, those without a
    factor below 1,000, with index -1."""
    found = []
    width = rsa_width(layout, bits)
    for run in runs:
        for at in window_starts(run, width, windows):
            number = read_number(memory[at : at + width], layout)
            if number is None or not looks_prime(number, bits):
                continue
            if moduli:
                found += [(at, index) for index, n in enumerate(moduli) if n % number == 0]
            elif all(number % p for p in small_primes()):
                found.append((at, -1))
    return found


def rsa_exponents(
    memory: bytes, runs: Sequence[Run], layout: str, keys: Sequence[tuple[int, int]], windows: Windows
) -> list[tuple[int, int]]:
    """Windows that may be the private exponent of a key (n, e), as (offset, index of the key): they are odd
    and varied, and e·G times their top 64 bits is a multiple of n, as nearly as 64 bits can tell."""
    found = []
    width = max((n.bit_length() + 7) // 8 for n, _ in keys)
    if layout == "be32w" and width % 4:
        return []
    for run in runs:
        for at in window_starts(run, width, windows):
            window = memory[at : at + width]
            if layout == "be32w":
                words = [window[at_word : at_word + 4][::-1] for at_word in range(0, width, 4)]
                number = int.from_bytes(b"".join(words), "big")
            else:
                number = int.from_bytes(window, "big" if layout == "be" else "little")
            if number % 2 and is_varied(window):
                found += [(at, index) for index, (n, e) in enumerate(keys) if may_be_exponent(number, n, e)]
    return found


def may_be_exponent(number: int, n: int, e: int) -> bool:
    """The test in 64-bit fixed-point numbers: top/2^64 is the number over 2^bits, factor/2^places is e·G
    times 2^bits over n, and their product has to be a whole number, give or take 16 in the last place."""
    bits = n.bit_length()
    top = number >> (bits - 64)
    if e.bit_length() > 24 or top >= 2**64 or top < 2**40:
        return False
    whole = (e * EXPONENT_MULTIPLE << bits) // n
    places = 64 - whole.bit_length()
    factor = (e * EXPONENT_MULTIPLE << bits + places) // n
    fraction = (top * factor >> places) % 2**64
    return bool(min(fraction, 2**64 - fraction) <= 16 * 2 ** (64 - places))
