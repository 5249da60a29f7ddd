"""AES key schedules (FIPS 197, sections 5.2 and 5.3.5) as they stand in memory, and the key of a damaged one.

A schedule repeats its key over and over: every Nk of its 32-bit words lead to all the others. So it proves
itself, and a few flipped bits do no harm (Halderman et al., "Lest We Remember", USENIX Security 2008).

>>> layout = Layout(16, "encryption", swapped=False)
>>> layout.write(bytes(range(16)))[16:32].hex()
'd6aa74fdd2af72fadaa678f1d6ab76fe'
>>> recover(layout, layout.write(bytes(range(16)))).flipped
0
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from immure.secret import Secret

Order = Literal["encryption", "decryption", "inverse", "rotated"]

#: Bytes of keys, and of a round key.
KEY_BYTES: Final = (16, 24, 32)
ROUND_BYTES: Final = 16
#: ``encryption``: round keys 0 to R, as FIPS 197 makes them. ``decryption``: those of the equivalent inverse
#: cipher, R - 1 to 0, with InvMixColumns applied to all but the last; round key R, which stands in front of
#: them, belongs to no pattern. ``inverse``: the same round keys from 0 to R (libgcrypt). ``rotated``: 0, R,
#: and R - 1 to 1 (Java).
ORDERS: Final[tuple[Order, ...]] = ("encryption", "decryption", "inverse", "rotated")
#: What the name of an encoding calls them.
_NAMES: Final = {
    "encryption": "aes-schedule",
    "decryption": "aes-decrypt",
    "inverse": "aes-inverse",
    "rotated": "aes-decrypt-rotated",
}
#: Bits of a schedule that may be flipped: with so many, it is found.
SURELY_FLIPPED: Final = 6
#: The most that are: above :data:`SURELY_FLIPPED` it depends on where they are.
MOST_FLIPPED: Final = 10


def _double(value: int) -> int:
    """Times x in GF(2^8)."""
    return (value << 1 ^ (0x11B if value & 0x80 else 0)) & 0xFF


def _times(left: int, right: int) -> int:
    product = 0
    while right:
        product ^= left if right & 1 else 0
        left, right = _double(left), right >> 1
    return product


def _make_sbox() -> bytes:
    """The inverse in GF(2^8), and the affine map of FIPS 197, section 5.1.1."""
    box = bytearray(256)
    powers = [1]  # of 3, which every value but 0 is one of
    while len(powers) < 255:
        powers.append(_times(powers[-1], 3))
    inverses = {power: powers[-index % 255] for index, power in enumerate(powers)}
    for value in range(256):
        inverse = inverses.get(value, 0)
        turned = (inverse << shift | inverse >> 8 - shift for shift in range(5))
        result = 0x63
        for term in turned:
            result ^= term & 0xFF
        box[value] = result
    return bytes(box)


SBOX: Final = _make_sbox()
#: What each byte gives, times the numbers of a row of the matrix.
_MIXING, _UNMIXING = (
    tuple(bytes(_times(factor, value) for value in range(256)) for factor in factors)
    for factors in ((2, 3, 1, 1), (14, 11, 13, 9))
)
#: What is added to every Nk-th word, from the second on.
_CONSTANTS: Final = bytes.fromhex("01020408102040801b36")


def words_of(data: bytes) -> list[bytes]:
    """The 32-bit words, as four bytes each."""
    return [data[at : at + 4] for at in range(0, len(data), 4)]


def _xor(left: bytes, right: bytes) -> bytes:
    return (int.from_bytes(left, "big") ^ int.from_bytes(right, "big")).to_bytes(len(left), "big")


def mixed(word: bytes, *, inverse: bool) -> bytes:
    """MixColumns of one column, or its inverse (FIPS 197, sections 5.1.3 and 5.3.3)."""
    first, second, third, fourth = _UNMIXING if inverse else _MIXING
    return bytes(
        first[word[row]] ^ second[word[row - 3]] ^ third[word[row - 2]] ^ fourth[word[row - 1]]
        for row in range(4)
    )


def _step(index: int, before: bytes, nk: int) -> bytes:
    """What is added to word ``index - nk`` to give word ``index``; ``before`` is word ``index - 1``."""
    if index % nk == 0:
        first, *rest = (before[1:] + before[:1]).translate(SBOX)
        return bytes((first ^ _CONSTANTS[index // nk - 1], *rest))
    if nk == 8 and index % nk == 4:
        return before.translate(SBOX)
    return before


def growing(start: int, known: list[bytes], nk: int, total: int) -> Iterator[tuple[int, bytes]]:
    """All ``total`` words of the schedule of which ``known`` are the ``nk`` from ``start`` on: first these,
    then those behind them, then those before them, from the last to the first."""
    words: dict[int, bytes] = dict(enumerate(known, start))
    yield from words.items()
    for index in range(start + nk, total):
        words[index] = _xor(words[index - nk], _step(index, words[index - 1], nk))
        yield index, words[index]
    for index in range(start - 1, -1, -1):
        words[index] = _xor(words[index + nk], _step(index + nk, words[index + nk - 1], nk))
        yield index, words[index]


def expand(key: bytes) -> bytes:
    """KeyExpansion: the round keys 0 to R of a key of 16, 24 or 32 bytes, one after the other."""
    nk = len(key) // 4
    return b"".join(word for _, word in growing(0, words_of(key), nk, 4 * (nk + 7)))


@dataclass(frozen=True, slots=True)
class Layout:
    """A way of writing a schedule.

    Attributes:
        key_bytes: 16, 24 or 32.
        order: of its round keys.
        swapped: each 32-bit word is a number of a little-endian machine (``be32w``); FIPS 197 has its bytes
            in their own order.
    """

    key_bytes: int
    order: Order
    swapped: bool

    @property
    def name(self) -> str:
        """As reports name the encoding."""
        return _NAMES[self.order] + "-be32w" * self.swapped

    @property
    def rounds(self) -> int:
        """Rounds of the cipher: R."""
        return self.key_bytes // 4 + 6

    @property
    def length(self) -> int:
        """Bytes of the pattern; see :data:`ORDERS`."""
        return ROUND_BYTES * (self.rounds + (self.order != "decryption"))

    def write(self, key: bytes) -> bytes:
        """The pattern that the key makes."""
        words = words_of(expand(key))[: self.length // 4]
        written = (mixed(word, inverse=True) if self.is_mixed(at) else word for at, word in enumerate(words))
        return b"".join(self.turned(list(written)))

    def is_mixed(self, index: int) -> bool:
        """Whether InvMixColumns was applied to the word ``index`` of the schedule."""
        return self.order != "encryption" and 4 <= index < 4 * self.rounds

    def last_round(self, key: bytes) -> bytes:
        """Round key R, as it stands beside the pattern of a schedule for decryption."""
        words = words_of(expand(key)[-ROUND_BYTES:])
        return b"".join(word[::-1] for word in words) if self.swapped else b"".join(words)

    def turned(self, words: list[bytes]) -> list[bytes]:
        """Between the words from 0 on and the words in memory, which is the same both ways."""
        if self.order in ("decryption", "rotated"):
            rounds = [words[at : at + 4] for at in range(0, len(words), 4)]
            first = int(self.order == "rotated")
            words = [word for one in (*rounds[:first], *reversed(rounds[first:])) for word in one]
        return [word[::-1] for word in words] if self.swapped else words


#: Every layout; a kernel's numbers count through them.
LAYOUTS: Final = tuple(
    Layout(size, order, swapped) for size in KEY_BYTES for order in ORDERS for swapped in (False, True)
)


class Recovered(NamedTuple):
    """The key of a schedule, and how many bits of that were not as the key makes them."""

    key: Secret[bytes]
    flipped: int


def recover(layout: Layout, data: bytes, most: int = MOST_FLIPPED) -> Recovered | None:
    """The key whose schedule differs from ``data`` in the fewest bits, if those are not more than ``most``.

    From each Nk words in a row the whole schedule follows: wherever a row of them is whole, the key is right.
    """
    if len(data) < layout.length:
        return None
    memory = layout.turned(words_of(data[: layout.length]))
    words = [mixed(word, inverse=False) if layout.is_mixed(at) else word for at, word in enumerate(memory)]
    best: Recovered | None = None
    for start in range(len(words) - layout.key_bytes // 4 + 1):
        found = _recover_from(layout, start, words, memory, most)
        if found is not None:
            best, most = found, found.flipped - 1
        if most < 0:
            break
    return best


def _recover_from(
    layout: Layout, start: int, words: list[bytes], memory: list[bytes], most: int
) -> Recovered | None:
    """The key that the row of words at ``start`` leads to; given up as soon as too many bits differ."""
    nk, flipped, key = layout.key_bytes // 4, 0, [b""] * (layout.key_bytes // 4)
    for index, word in growing(start, words[start : start + nk], nk, len(words)):
        written = mixed(word, inverse=True) if layout.is_mixed(index) else word
        flipped += flips_between(written, memory[index])
        if flipped > most:
            return None
        if index < nk:
            key[index] = word
    return Recovered(Secret(b"".join(key)), flipped)


def flips_between(left: bytes, right: bytes) -> int:
    """Bits in which the two differ."""
    return (int.from_bytes(left, "big") ^ int.from_bytes(right, "big")).bit_count()
