"""What a watch knows of keys that it found: values, without a secret byte in them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal

from immure.keymaterial.key import PublicKey
from immure.scanning.finding import Finding, FindingKind

#: Occurrences that are kept of one key in one image; how many there are is kept too.
MOST_OCCURRENCES: Final = 20

#: Why something was looked for; ``rule``: a rule about how bytes look matches.
HitKind = FindingKind | Literal["rule"]
#: ``open``: it counts. ``suppressed``: a rule with a reason says that it does not, until a day. ``baseline``:
#: it was known when the baseline was written.
Standing = Literal["open", "suppressed", "baseline"]


@dataclass(frozen=True, slots=True)
class KnownKey:
    """A key as the state keeps it.

    Attributes:
        thumbprint: its name.
        label: ``RSA-2048``, ``P-256``, ``password``.
        kty: ``RSA``, ``EC``, ``OKP``, ``oct``.
        kid, issuer: what its source says of it.
    """

    thumbprint: str
    label: str
    kty: str
    kid: str | None = None
    issuer: str | None = None

    @classmethod
    def of(cls, key: PublicKey) -> KnownKey:
        """The names of a key."""
        return cls(key.thumbprint, key.label, key.kty, key.origin.kid, key.origin.issuer)


@dataclass(frozen=True, slots=True)
class Spot:
    """An occurrence: which number, how it is written, and where in its image; the line if that is a text."""

    secret: str
    encoding: str
    offset: int
    length: int
    whole: bool
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Hit:
    """A key in an image of an item.

    Attributes:
        key: which.
        inside: where in the item the image is; empty if it is the item itself.
        kind, proof: as in :class:`~immure.scanning.finding.Finding`.
        whole: whether at least one number is there whole.
        count: occurrences; ``spots`` are the first of them.
        asker: names the rules that match; empty for what is proved.
    """

    key: KnownKey
    inside: str
    kind: HitKind
    proof: str
    whole: bool
    count: int
    spots: tuple[Spot, ...]
    asker: str = ""


def hit_of(finding: Finding, inside: str, base: int = 0, data: bytes | bytearray = b"") -> Hit:
    """A finding of the scanner, as a hit. The image begins at ``base`` of what was scanned, ``data``, if that
    is known."""
    found = finding.occurrences
    spots = tuple(
        Spot(
            one.secret,
            one.encoding,
            one.offset - base,
            one.length,
            one.whole,
            line_of(data, base, one.offset),
        )
        for one in found[:MOST_OCCURRENCES]
    )
    return Hit(
        KnownKey.of(finding.key), inside, finding.kind, finding.proof, finding.whole, len(found), spots
    )


def line_of(data: bytes | bytearray, start: int, stop: int) -> int | None:
    """The number of the line, from 1; None for what is no text."""
    if not data or data.find(b"\0", start, stop + 1) >= 0:
        return None
    return data.count(b"\n", start, stop) + 1


@dataclass(frozen=True, slots=True)
class Sighting:
    """A key at a place.

    Attributes:
        target, place: where the item is; ``path`` is how people call it, ``detail`` what else there is to
        say.
        content: names the bytes.
        hit: what was found in them.
        first_seen, last_seen: in UTC.
        gone: since when it is not there any more, if it is not.
        standing, reason, until: what the rules make of it.
        owners: who is to be told.
    """

    target: str
    place: str
    path: str
    detail: str
    content: str
    hit: Hit
    first_seen: datetime
    last_seen: datetime
    gone: datetime | None = None
    standing: Standing = "open"
    reason: str = ""
    until: str = ""
    owners: tuple[str, ...] = ()

    @property
    def full_path(self) -> str:
        """Path and what is inside: what globs and baselines are held against."""
        return self.path + self.hit.inside


@dataclass(frozen=True, slots=True)
class KeyFinding:
    """A key that was found, with all places where it is; dated by the first and the last of them."""

    key: KnownKey
    sightings: tuple[Sighting, ...] = field(default=())

    @property
    def first_seen(self) -> datetime:
        """When it was first seen anywhere."""
        return min(sighting.first_seen for sighting in self.sightings)

    @property
    def last_seen(self) -> datetime:
        """When it was last seen anywhere."""
        return max(sighting.last_seen for sighting in self.sightings)

    @property
    def is_open(self) -> bool:
        """Whether any of its places counts."""
        return any(sighting.standing == "open" for sighting in self.sightings)
