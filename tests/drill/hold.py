"""Holding a scan against the truth: is every whole private number reported where it stands?"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field

import reference
from drill.images import Image
from drill.keys import write_jwks
from immure import ScanOptions, scan_report
from immure.scanning.finding import Finding, Occurrence, ScanReport
from immure.scanning.options import Mode

#: A number may be reported under another name if that is the same bytes, or holds them.
SAME_BYTES: dict[str, set[str]] = {
    "d": {"d_lambda", "d_given"},
    "d_lambda": {"d", "d_given"},
    "scalar": {"scalar_raw", "expanded_clamped"},
    "scalar_raw": {"scalar", "expanded", "expanded_clamped"},
    "prefix": {"expanded", "expanded_clamped"},
}
FAMILIES: dict[str, set[str]] = {
    "le": {"le64", "le-minimal", "raw", "reversed"},
    "be": {"be", "be-minimal", "der", "raw", "reversed"},
    "base64": {"base64", "base64url", "pem"},
    "hex": {"hex", "hex-upper"},
}
#: Padding: bytes by which a report may begin earlier or end later, or (base64) leave out characters it shares
#: with neighbours.
SLACK = 8
#: The nonce prefix of Ed25519 alone does not give the key away, unless a signature is at hand as well.
PROVES_NOTHING_ALONE = frozenset({"prefix"})


@dataclass
class Outcome:
    """What one scan of one image came to."""

    stack: str
    capture: str
    size: int
    signs: bool
    keys: int
    present: int = 0
    keys_found: int = 0
    keys_present: int = 0
    seconds: float = 0.0
    missed: list[reference.Hit] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)
    learned: list[str] = field(default_factory=list)

    @property
    def reported(self) -> int:
        """How many of the numbers that are present were reported."""
        return self.present - len(self.missed)


def scan(image: Image, *, named: bool = True, mode: Mode = "quick") -> ScanReport:
    """Scan an image by the library, with or without its public keys."""
    jwks = image.path.with_suffix(".jwks")
    write_jwks(image.keys, jwks)
    return scan_report(image.path, keys=[jwks] if named else (), options=ScanOptions(mode=mode))


def hold(image: Image, *, mode: Mode = "quick") -> Outcome:
    """Scan an image that holds private keys, and compare with the exhaustive search."""
    size = image.path.stat().st_size
    outcome = Outcome(image.stack, image.capture, size, image.signs, len(image.keys))
    begun = time.monotonic()
    report = scan(image, mode=mode)
    outcome.seconds = time.monotonic() - begun
    found = {finding.key.origin.kid or finding.key.thumbprint: finding for finding in report.findings}
    hits = image.truth()
    expected = _can_be_asked_for(hit for hit in hits if reference.is_expected(hit))
    outcome.present = len(expected)
    outcome.keys_present = len({hit.kid for hit in expected})
    outcome.keys_found = sum(key.kid in found for key in image.keys)
    outcome.missed = [hit for hit in sorted(expected) if not _is_reported(hit, found.get(hit.kid))]
    ours = {key.kid for key in image.keys}
    outcome.strangers = [
        f"{finding.key.label}: {finding.proof}" for kid, finding in found.items() if kid not in ours
    ]
    outcome.learned = sorted(
        {f"{hit.secret} {hit.encoding}" for hit in hits if not reference.is_expected(hit)}
    )
    return outcome


def _can_be_asked_for(hits: Iterable[reference.Hit]) -> list[reference.Hit]:
    """Leave out what proves nothing, where nothing else of the same key is there."""
    hits = list(hits)
    telling = {hit.kid for hit in hits if hit.secret not in PROVES_NOTHING_ALONE}
    return [hit for hit in hits if hit.kid in telling]


def _is_reported(hit: reference.Hit, finding: Finding | None) -> bool:
    return finding is not None and any(_covers(occurrence, hit) for occurrence in finding.occurrences)


def _covers(occurrence: Occurrence, hit: reference.Hit) -> bool:
    """Whether an occurrence is this number, or a whole encoded key around it."""
    begin, end = occurrence.offset, occurrence.offset + occurrence.length
    if not occurrence.whole:
        return False
    if occurrence.secret == "key":
        return begin <= hit.offset and hit.offset + hit.length <= end
    if occurrence.secret != hit.secret and occurrence.secret not in SAME_BYTES.get(hit.secret, ()):
        return False
    if begin > hit.offset + SLACK or end < hit.offset + hit.length - SLACK:
        return False
    return _is_same_family(occurrence.encoding, hit.encoding)


def _is_same_family(reported: str, expected: str) -> bool:
    reported, expected = _plain(reported), _plain(expected)
    return reported == expected or any({reported, expected} <= family for family in FAMILIES.values())


def _plain(encoding: str) -> str:
    """The name without the phase, the charset, and what it is nested in."""
    name = encoding.split(":")[0].removesuffix("-utf16le").removesuffix("-utf16be")
    return name[:-2] if name[-2:] in ("-1", "-2", "-3") else name
