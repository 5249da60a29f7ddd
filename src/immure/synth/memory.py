"""Memory to put into images, and the place where planted bytes end up."""

from __future__ import annotations

import random
import string
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Built:
    """A finished image.

    Attributes:
        data: the file.
        places: (file offset, address, length) of every piece of memory in it.
    """

    data: bytes
    places: tuple[tuple[int, int, int], ...] = field(default=())

    def offset_of(self, address: int) -> int:
        """File offset of the byte that was at ``address``; :class:`KeyError` if it is not in the file."""
        for offset, start, length in self.places:
            if start <= address < start + length:
                return offset + address - start
        raise KeyError(hex(address))


def plant(buffer: bytearray, offset: int, data: bytes) -> None:
    """Overwrite ``buffer`` from ``offset`` on; :class:`ValueError` if ``data`` does not fit."""
    if offset < 0 or offset + len(data) > len(buffer):
        raise ValueError(f"{len(data)} bytes at {offset} do not fit into {len(buffer)}")
    buffer[offset : offset + len(data)] = data


def ordinary_memory(size: int, seed: int) -> bytearray:
    """``size`` bytes as memory usually looks: zeros, pointers, small numbers, text, and some random bytes."""
    chance = random.Random(seed)  # noqa: S311 - reproducible filler, not a secret
    out = bytearray()
    while len(out) < size:
        length = chance.randrange(64, 4096)
        out += chance.choices(_KINDS, _WEIGHTS)[0](chance, length)
    return out[:size]


def _zeros(chance: random.Random, length: int) -> bytes:
    return bytes(length)


def _pointers(chance: random.Random, length: int) -> bytes:
    base = chance.randrange(0x7F0000000000, 0x7FFFFFFFF000)
    words = [base + chance.randrange(0, 1 << 20) * 8 for _ in range(length // 8)]
    return b"".join(word.to_bytes(8, "little") for word in words)


def _small(chance: random.Random, length: int) -> bytes:
    return b"".join(chance.randrange(0, 1000).to_bytes(8, "little") for _ in range(length // 8))


def _text(chance: random.Random, length: int) -> bytes:
    return "".join(chance.choices(string.ascii_letters + " \n", k=length)).encode("ascii")


def _noise(chance: random.Random, length: int) -> bytes:
    return chance.randbytes(length)


_KINDS = (_zeros, _pointers, _small, _text, _noise)
_WEIGHTS = (50, 20, 10, 15, 5)
