"""Holding a scan against the truth: is every whole private number reported where it stands?"""

from __future__ import annotations

import time
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field

import reference
from drill.images import Image
from drill.keys import write_jwks
from immure import ScanOptions, scan_report
from immure.scanning.finding import Finding, Occurrence, ScanReport
from immure.scanning.options import Mode

#: Names for several numbers side by side: the whole hash of an Ed25519 seed, and the same with its first
#: half clamped. Equal bytes have one name only, so ``expanded`` stands for ``scalar`` if clamping changed
#: nothing.
HOLDS: dict[str, set[str]] = {
    "expanded": {"scalar", "scalar_raw", "prefix"},
    "expanded_clamped": {"scalar", "prefix"},
}
#: The scanner's names of encodings that are one to the reference search.
SAME: dict[str, str] = {
    "le-minimal": "le64",
    "be-minimal": "be",
    "base64url": "base64",
    "base64-lines": "base64",
}
#: And the other way round: it says ``der`` if a header stands before, ``reversed`` of bytes, ``pem`` if line
#: ends stand in the text.
TRUTH_SAME: dict[str, str] = {"der": "be", "reversed": "be", "base64url": "base64", "pem": "base64"}
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
    reported = {kid: _Reported(finding) for kid, finding in found.items()}
    outcome.missed = [
        hit for hit in sorted(expected) if hit.kid not in reported or hit not in reported[hit.kid]
    ]
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


class _Reported:
    """What a finding says of a key; whether a number is in it."""

    def __init__(self, finding: Finding) -> None:
        spans = [
            (_span(one.encoding, one.offset, one.length), one) for one in finding.occurrences if one.whole
        ]
        self._found = sorted(spans, key=lambda found: found[0])
        self._begins = [begin for (begin, _), _ in self._found]
        self._longest = max((end - begin for (begin, end), _ in self._found), default=0)

    def __contains__(self, hit: reference.Hit) -> bool:
        # only what begins at the number's first byte or before it, and not too far before it, can hold it
        first, _ = _span(hit.encoding, hit.offset, hit.length)
        near = bisect_left(self._begins, first - self._longest), bisect_right(self._begins, first)
        return any(_covers(occurrence, hit) for _, occurrence in self._found[slice(*near)])


def _covers(occurrence: Occurrence, hit: reference.Hit) -> bool:
    """Whether an occurrence is this number, or a whole encoded key (or a longer number) around it.

    What the scanner calls whole is exact, and so is the reference: an occurrence that reaches over the hit
    from its first byte to its last covers it if it is of the same number in the same encoding. The scanner
    may say more, for it counts zeros in front, not less.
    """
    if not occurrence.whole:
        return False
    begin, end = _span(occurrence.encoding, occurrence.offset, occurrence.length)
    first, last = _span(hit.encoding, hit.offset, hit.length)
    if begin > first or end < last:
        return False
    if occurrence.secret == "key":
        return True
    if hit.secret != occurrence.secret and hit.secret not in HOLDS.get(occurrence.secret, ()):
        return False
    return _same_encoding(occurrence.encoding, hit.encoding)


def _span(encoding: str, offset: int, length: int) -> tuple[int, int]:
    """First byte and end, without the zero byte before or behind text in UTF-16: which of them belongs to it,
    and so where it begins, is a matter of naming."""
    if "-utf16" not in encoding:
        return offset, offset + length
    big = "-utf16be" in encoding
    return offset + big, offset + length - (not big)


def _same_encoding(reported: str, expected: str) -> bool:
    ours, theirs = _plain(reported), _plain(expected)
    ours, theirs = SAME.get(ours, ours), TRUTH_SAME.get(theirs, theirs)
    return ours == theirs or (ours == "raw" and expected == "der") or {ours, theirs} == {"raw", "le64"}


def _plain(encoding: str) -> str:
    """The name without the phase, the character set and the zeros in front."""
    name = encoding.removesuffix("-utf16le").removesuffix("-utf16be")
    if name.startswith(("base64", "hex")):
        name = name.removesuffix("-minimal")
    return name[:-2] if name[-2:] in ("-1", "-2", "-3") else name
