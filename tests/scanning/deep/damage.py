"""Damaged numbers, as freed chunks of a heap keep them, in memory that looks ordinary."""

from __future__ import annotations

import random
from dataclasses import dataclass

from immure.dumps.dump import Image
from immure.keymaterial.key import PublicKey
from immure.scanning.finding import ImageReport
from immure.scanning.options import ScanOptions
from immure.scanning.scanner import scan_image

from ..material import PAGE, filler, image_of

#: What overwrites the end of a number: links of a list of free chunks, zeros, text, another object's random
#: bytes.
OVERWRITES = ("pointers", "zeros", "text", "noise")
SIZE = 16 * PAGE


def overwrite(kind: str, length: int, chance: random.Random) -> bytes:
    """``length`` bytes that somebody wrote over a number."""
    if kind == "pointers":
        words = (0x55AA_0000_0000 + 16 * chance.getrandbits(24) for _ in range(length // 8 + 1))
        return b"".join(word.to_bytes(8, "little") for word in words)[:length]
    if kind == "text":
        return (b"GET /.well-known/jwks.json HTTP/1.1\r\nHost: login.example\r\n" * 9)[:length]
    return bytes(length) if kind == "zeros" else chance.randbytes(length)


def clobber(number: bytes, at_start: bool, written: bytes) -> bytes:
    """A number with ``written`` over one end of it."""
    kept = len(number) - len(written)
    return written + number[len(written) :] if at_start else number[:kept] + written


def in_chunk(memory: bytearray, offset: int, data: bytes) -> None:
    """Lay ``data`` into a chunk of glibc's heap at ``offset``: its size stands before, the next one's
    behind."""
    size = (len(data) + 8 + 15) // 16 * 16
    memory[offset - 8 : offset] = (size | 1).to_bytes(8, "little")
    memory[offset : offset + len(data)] = data
    memory[offset + size - 8 : offset + size] = (0x41).to_bytes(8, "little")


def memory_with(data: bytes, seed: int = 0, *, offset: int | None = None, name: str = "ordinary") -> Image:
    """An image of ordinary memory with ``data`` in a chunk at an address that 16 divides."""
    chance = random.Random(f"deep {seed}")
    memory = filler(name, SIZE, seed % 7)
    in_chunk(memory, offset or 16 * chance.randrange(64, (SIZE - 2048) // 16), data)
    return image_of(memory)


def deep(image: Image, *keys: PublicKey, **options: object) -> ImageReport:
    """The report of a deep scan, by one thread if not said otherwise."""
    chosen = {"threads": 1, "deep": True, "chunk_bytes": 1 << 20} | options
    return scan_image(image, keys, ScanOptions(**chosen))  # type: ignore[arg-type]


@dataclass(frozen=True)
class Case:
    """One planted prime: which end of it is overwritten, by what, and how much of it."""

    number: bytes
    at_start: bool
    kind: str
    length: int
    seed: int

    @classmethod
    def drawn(cls, seed: int, primes: tuple[int, int], most: int) -> Case:
        """A case at random: either prime, in either order of bytes, up to ``most`` bytes overwritten at
        either end."""
        chance = random.Random(f"case {seed}")
        prime = chance.choice(primes)
        order = "little" if chance.random() < 0.6 else "big"
        number = prime.to_bytes((prime.bit_length() + 7) // 8, order)  # type: ignore[arg-type]
        length, kind = chance.randint(1, most), chance.choice(OVERWRITES)
        return cls(number, chance.random() < 0.5, kind, length, seed)

    def image(self) -> Image:
        """Memory with the damaged prime in it."""
        written = overwrite(self.kind, self.length, random.Random(f"written {self.seed}"))
        return memory_with(clobber(self.number, self.at_start, written), self.seed)
