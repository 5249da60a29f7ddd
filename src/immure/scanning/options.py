"""What a scan may be told, and how it tells how far it is."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from immure.keymaterial.sketch import Sketch
    from immure.scanning.hmac_token import HmacToken

Mode = Literal["quick", "exhaustive"]

#: Every detector, in the order in which reports list them.
#: ``rsa``: primes and private exponents as numbers in memory. ``montgomery``: constants that give a prime
#: away. ``ec``: scalars and seeds as bytes in memory. ``structure``: encoded private keys (DER, PEM, JWK …),
#: also in text.
DETECTORS: tuple[str, ...] = ("rsa", "montgomery", "ec", "structure")


@dataclass(frozen=True, slots=True)
class ScanOptions:
    """How to search.

    Attributes:
        mode: ``quick`` may leave out, and then reports, what rarely holds the only copy of a key;
            ``exhaustive`` leaves out nothing.
        detectors: names out of :data:`DETECTORS`.
        harvest: also search for the keys whose public halves stand in the image itself.
        threads: worker threads.
        chunk_bytes: unit of scanning. Findings do not depend on it.
        deep: also look for damaged keys: numbers of which only a part is left, and what can be rebuilt.
        sketches: of secrets without a public half, to look for; in either mode in all of an image.
        token: one whose symmetric key is to be looked for.
        aes: also look for AES keys, by their key schedules.
    """

    mode: Mode = "quick"
    detectors: tuple[str, ...] = DETECTORS
    harvest: bool = True
    threads: int = field(default_factory=lambda: min(8, os.cpu_count() or 1))
    chunk_bytes: int = 8 << 20
    deep: bool = False
    sketches: tuple[Sketch, ...] = field(default=(), repr=False)
    token: HmacToken | None = field(default=None, repr=False)
    aes: bool = False


class Progress(Protocol):
    """Told of progress; the default does nothing, so the library never prints."""

    def start(self, path: str, total: int | None) -> None:
        """An image is begun; ``total`` bytes, or None if not known yet."""

    def phase(self, name: str) -> None:
        """A step is begun: ``survey`` (what is in the image), ``search`` (candidates against keys), ``sweep``
        (all places of a found key)."""

    def advance(self, count: int) -> None:
        """``count`` more bytes of the current phase are done."""

    def finish(self, path: str) -> None:
        """The image is done."""


class NoProgress:
    """Ignores everything."""

    def start(self, path: str, total: int | None) -> None:
        """Ignored."""

    def phase(self, name: str) -> None:
        """Ignored."""

    def advance(self, count: int) -> None:
        """Ignored."""

    def finish(self, path: str) -> None:
        """Ignored."""
