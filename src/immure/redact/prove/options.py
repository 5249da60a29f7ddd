"""How a redaction is proved, and what is still allowed to be left."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

#: Share of the bits of p, q, d, dp and dq, known at random, from which an RSA key can be rebuilt (Heninger
#: and Shacham, "Reconstructing RSA Private Keys from Random Key Bits", CRYPTO 2009).
REBUILD_SHARE: Final = 0.27
#: Share of one prime (or one CRT exponent, or constant modulo a prime) from which it follows, if the bits are
#: side by side (Coppersmith 1996; Blömer and May 2003).
PRIME_SHARE: Final = 0.5
#: Share of the private exponent: its lowest quarter gives half of a prime (Boneh, Durfee and Frankel 1998).
EXPONENT_SHARE: Final = 0.25


@dataclass(frozen=True, slots=True)
class ResidueLimits:
    """What may be left of a key. The defaults stay below the bounds by a margin.

    Attributes:
        rsa_share: of the bits of p, q, d, dp and dq together.
        number_share: of the bits of one number of prime size; of private exponents half as much.
        scalar_bits: of all numbers of an EC key or octet key pair together. One word of 64 bits is already
            enough for attacks that search for the rest.
    """

    rsa_share: float = 0.20
    number_share: float = 0.40
    scalar_bits: int = 63


@dataclass(frozen=True, slots=True)
class ProveOptions:
    """How to prove.

    Attributes:
        limits: what may be left.
        threads: worker threads for reading both images.
        chunk_bytes: unit of reading. Findings do not depend on it.
        most_fragments: no more fragments than about this many are collected: then the proof has failed long
            ago.
        debugger: let other programs open both images (gdb, the ``minidump`` package, VisualVM).
        debugger_seconds: how long each of them may take.
        debugger_memory: bytes of an image without a file of its own that are laid into memory for them.
        executable: the crashed program's file, for gdb; by default what the image says, if it is there.
        gdb, java, heap_library: programs and VisualVM's heap library; by default where they usually are.
    """

    limits: ResidueLimits = field(default_factory=ResidueLimits)
    threads: int = 1
    chunk_bytes: int = 1 << 19
    most_fragments: int = 100_000
    debugger: bool = True
    debugger_seconds: float = 120.0
    debugger_memory: int = 2 << 30
    executable: str | None = None
    gdb: str = "gdb"
    java: str = "java"
    heap_library: str | None = None
