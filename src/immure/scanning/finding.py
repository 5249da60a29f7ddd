"""What a scan says: findings, their occurrences, and what was not searched.

Values only; there is no secret byte in any of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from immure.dumps.dump import Process, Region
from immure.keymaterial.key import PublicKey

#: How we came to look for the key: the user named it, its public half stood in the image, or only the private
#: key itself did; or it is a secret without a public half, of which the user gave a sketch, or a token.
#: ``partial``: there is a part of the private key only; see :class:`Partial`. ``schedule``: an AES key, by
#: its key schedule.
FindingKind = Literal["named", "harvested", "unnamed", "sketched", "token", "partial", "schedule"]


@dataclass(frozen=True, slots=True, order=True)
class Occurrence:
    """One place where one secret number of a key stands.

    Attributes:
        offset: byte offset in the image.
        length: bytes that it takes up there.
        secret: which number: ``p q d d_lambda dp dq qinv`` (RSA), ``r_p r_q rr_p rr_q`` (Montgomery constants
            R mod p, R² mod p), ``d`` (EC), ``seed scalar expanded`` (Ed25519, Ed448, X25519), ``key`` (a
            whole encoded private key); ``secret`` of what has no public half.
        encoding: how it is written, by the names of the catalog (``le64``, ``be``, ``be32w``, ``py30``,
            ``pkcs8-der``, ``pem``, ``base64`` …).
        virtual_address: of the first byte, if the image knows it.
        whole: True if all of the number is there, False if part.
        region: name of the region.
        permissions: of the region, if known.
    """

    offset: int
    length: int
    secret: str
    encoding: str
    virtual_address: int | None = None
    whole: bool = True
    region: str = ""
    permissions: str | None = None


@dataclass(frozen=True, slots=True)
class Partial:
    """How much of a damaged key is there, and what follows from it.

    Attributes:
        secret: the number that says most, by the names of :class:`Occurrence`; ``p q d dp dq`` … separated by
            spaces if several had to be taken together.
        known_bits: bits of it (of them) that are there.
        bits: that it has.
        rebuilt: whether the whole key was computed from that, and so proved.
        method: by what: ``lattice-3`` (the number is the dimension), ``low-half``, ``exponent``, ``search``,
            ``branch-and-prune``; empty if by nothing.
    """

    secret: str
    known_bits: int
    bits: int
    rebuilt: bool
    method: str = ""


@dataclass
class Finding:
    """One key whose private half is in the image, with every place where it is.

    ``proof`` says why it is certain, in words: "a 1024-bit number divides n of kid …".
    ``origins`` are further places where the same key was learned. ``partial`` is there if the key is not.
    """

    key: PublicKey
    kind: FindingKind
    proof: str
    occurrences: list[Occurrence] = field(default_factory=list)
    also_known_as: list[PublicKey] = field(default_factory=list)
    partial: Partial | None = None

    @property
    def whole(self) -> bool:
        """True if at least one occurrence holds a whole number."""
        return any(occurrence.whole for occurrence in self.occurrences)


@dataclass(frozen=True, slots=True, order=True)
class NotSearched:
    """A range that a detector did not search, and why. ``detector`` is ``all`` if none of them did."""

    offset: int
    length: int
    detector: str
    reason: str
    virtual_address: int | None = None


@dataclass
class ImageReport:
    """The result for one image. ``complete`` is True only if ``not_searched`` is empty and nothing was
    missing."""

    path: str
    format: str
    size: int
    findings: list[Finding] = field(default_factory=list)
    not_searched: list[NotSearched] = field(default_factory=list)
    process: Process | None = None
    regions: tuple[Region, ...] = ()
    warnings: list[str] = field(default_factory=list)
    error: str | None = None
    statistics: dict[str, float | int] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Whether every byte was searched by every detector that was asked for."""
        return self.error is None and not self.not_searched


@dataclass
class ScanReport:
    """The result of a whole run. ``sketched`` is the number of secrets of sketches that were looked for."""

    images: list[ImageReport] = field(default_factory=list)
    keys: list[PublicKey] = field(default_factory=list)
    mode: str = "quick"
    detectors: tuple[str, ...] = ()
    sketched: int = 0
    statistics: dict[str, float | int] = field(default_factory=dict)

    @property
    def findings(self) -> list[Finding]:
        """All findings of all images."""
        return [finding for image in self.images for finding in image.findings]

    @property
    def complete(self) -> bool:
        """Whether every image was searched completely, and there was a byte to search.

        An empty pipe comes from a program that failed, and an empty directory is the wrong one, more often
        than
        not: that nothing was found in them is no evidence.
        """
        return all(image.complete for image in self.images) and any(image.size for image in self.images)
