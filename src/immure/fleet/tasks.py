"""What a worker is asked to do: small values, without any secret.

A task names bytes in a store; the worker reads them there itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from immure.keymaterial.key import PublicKey
from immure.scanning.finding import FindingKind
from immure.scanning.options import ScanOptions
from immure.scanning.part import Part
from immure.scanning.plan import Counts


@dataclass(frozen=True, slots=True)
class Place:
    """Where an image is.

    Attributes:
        url: of the object, or the path of a file.
        size: in bytes, as it was listed.
        stamp: what the store calls this version of the bytes; None if it does not say.
    """

    url: str
    size: int
    stamp: str | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """What is looked for, and how: the same for all tasks of a run, so it travels once to each worker.

    Attributes:
        options: of the scan; sketches are among them.
        keys: public keys.
        memory_bytes: bytes of an image that a task may keep in memory.
    """

    options: ScanOptions
    keys: tuple[PublicKey, ...] = ()
    memory_bytes: int = 1 << 30


@dataclass(frozen=True, slots=True)
class Pointer:
    """Where a key was proved: whoever has to know the private key reads it there again, so that it never
    crosses the link.

    Attributes:
        key: the public key.
        offset: of the proof in the image.
        start, stop: the byte range whose search proved it.
    """

    key: PublicKey
    offset: int
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Tally:
    """What the survey counted in the whole image: by this it is decided what quick mode leaves out."""

    counts: Counts = field(default_factory=Counts)
    text_bytes: int = 0

    def part(self, start: int, stop: int) -> Part:
        """A part of the image that is searched by this tally."""
        return Part(start, stop, self.counts, self.text_bytes)


@dataclass(frozen=True, slots=True)
class Look:
    """Tell what kind of image it is, and whether it can be cut."""

    place: Place


@dataclass(frozen=True, slots=True)
class Whole:
    """Scan all of it."""

    place: Place


@dataclass(frozen=True, slots=True)
class Survey:
    """Count windows and gather public keys in [start, stop)."""

    place: Place
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Search:
    """Search [start, stop) by the plan for the whole image and with the keys of all of it."""

    place: Place
    start: int
    stop: int
    tally: Tally
    keys: tuple[tuple[PublicKey, FindingKind], ...] = ()


@dataclass(frozen=True, slots=True)
class Sweep:
    """Find in [start, stop) every place of keys that were proved elsewhere in the image."""

    place: Place
    start: int
    stop: int
    tally: Tally
    pointers: tuple[Pointer, ...] = field(default=())


Task = Look | Whole | Survey | Search | Sweep
