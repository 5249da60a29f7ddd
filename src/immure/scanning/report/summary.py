"""What a report comes down to: the verdict, counts of what was found, and what was not searched."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from immure.scanning.finding import Finding, ImageReport, NotSearched, Occurrence, ScanReport
from immure.scanning.options import DETECTORS
from immure.scanning.report.words import bytes_words, count_words, key_words, list_words, visible


class Verdict(Enum):
    """What can be said of an image."""

    FOUND = "found"
    CLEAN = "clean"
    INCOMPLETE = "incomplete"
    UNREADABLE = "unreadable"
    EMPTY = "empty"
    """Nothing in it, so nothing follows: an empty file may be a dump that could not be written."""
    SKIPPED = "skipped"
    """Never opened, because it is no file: a link, a device."""


def verdict(image: ImageReport) -> Verdict:
    """The verdict on one image: a key that was found outweighs what is not known."""
    if image.findings:
        return Verdict.FOUND
    if image.error is not None:
        return Verdict.UNREADABLE
    if not image.complete:
        return Verdict.INCOMPLETE
    if not was_opened(image):
        return Verdict.SKIPPED
    return Verdict.CLEAN if image.size else Verdict.EMPTY


def headline(image: ImageReport) -> str:
    """The verdict as a sentence for people."""
    match verdict(image):
        case Verdict.FOUND:
            return f"{_keys_found(image.findings)} in this image{_reservation(image)}"
        case Verdict.UNREADABLE:
            broken_off = "not scanned to the end" if was_opened(image) else "not scanned"
            return f"{broken_off}: {error_words(image)}"
        case Verdict.EMPTY:
            return "nothing to search in it"
        case Verdict.SKIPPED:
            return visible(image.warnings[0]) if image.warnings else "not opened"
        case Verdict.CLEAN:
            return f"no private key found; all {bytes_words(image.size)} were searched"
        case Verdict.INCOMPLETE:
            return f"no private key found so far{_reservation(image)}"


def _keys_found(findings: list[Finding]) -> str:
    if any(finding.key.kty == "oct" for finding in findings):
        return _secrets_found(findings)
    if len(findings) == 1:
        part = "the private half" if findings[0].whole else "a part of the private half"
        return f"{part} of {key_words(findings[0].key)} is"
    return f"the private halves of {count_words(len(findings), 'key')} are"


def _secrets_found(findings: list[Finding]) -> str:
    """As above, where one at least has no public half."""
    if len(findings) > 1:
        return f"{len(findings):,} secrets (private halves of keys, and others) are"
    return f"{'all' if findings[0].whole else 'a part'} of the {key_words(findings[0].key)} is"


def _reservation(image: ImageReport) -> str:
    if image.error is not None:
        return f", and the scan broke off: {error_words(image)}"
    if not image.not_searched:
        return ""
    lost = bytes_not_searched(image.not_searched)
    if not lost:  # how much is missing is not always known
        return f", but not everything could be searched: {visible(image.not_searched[0].reason)}"
    return f", but {bytes_words(lost)} were not searched for everything"


def error_words(image: ImageReport) -> str:
    """Why the scan of an image broke off, without its path, which stands beside it in every report."""
    return visible((image.error or "").removeprefix(f"{image.path}: "))


def was_opened(image: ImageReport) -> bool:
    """Whether any byte of it could be read."""
    return image.format != "none"


def lost_words(image: ImageReport) -> str:
    """What is not searched of an image with an error."""
    return "what lies behind the place where the scan broke off" if was_opened(image) else "all of it"


def overall(report: ScanReport) -> str:
    """The verdict on the whole run as a sentence."""
    if len(report.images) == 1:
        return headline(report.images[0])
    images = count_words(len(report.images), "image")
    keys = {finding.key.thumbprint for finding in report.findings}
    if any(finding.key.kty == "oct" for finding in report.findings):
        hit = sum(1 for image in report.images if image.findings)
        return f"{count_words(len(keys), 'secret')} found in {hit:,} of {images}"
    if keys:
        hit = sum(1 for image in report.images if image.findings)
        halves = (
            "the private half of 1 key is"
            if len(keys) == 1
            else f"the private halves of {len(keys):,} keys are"
        )
        return f"{halves} in {hit:,} of {images}"
    incomplete = sum(1 for image in report.images if not image.complete)
    if not incomplete and not report.complete:
        return "nothing was scanned: there is no byte in it"
    if incomplete:
        return f"no private key found so far, but {incomplete:,} of {images} could not be searched completely"
    return f"no private key found in {images}, searched completely"


def overall_verdict(report: ScanReport) -> Verdict:
    """The verdict on the whole run: nothing scanned is not clean."""
    verdicts = {verdict(image) for image in report.images} - {Verdict.SKIPPED, Verdict.EMPTY}
    if Verdict.FOUND in verdicts:
        return Verdict.FOUND
    if verdicts == {Verdict.CLEAN}:
        return Verdict.CLEAN
    return Verdict.UNREADABLE if verdicts <= {Verdict.UNREADABLE} else Verdict.INCOMPLETE


@dataclass(frozen=True, slots=True)
class Tally:
    """How often one secret number stands in one encoding."""

    secret: str
    encoding: str
    whole: int
    partial: int


def tally(occurrences: Iterable[Occurrence]) -> list[Tally]:
    """Occurrences counted by secret and encoding, the most frequent first."""
    counts: dict[tuple[str, str], list[int]] = {}
    for occurrence in occurrences:
        counts.setdefault((occurrence.secret, occurrence.encoding), [0, 0])[not occurrence.whole] += 1
    tallies = [Tally(*name, whole=whole, partial=partial) for name, (whole, partial) in counts.items()]
    return sorted(tallies, key=lambda entry: (-entry.whole - entry.partial, entry.secret, entry.encoding))


@dataclass(frozen=True, slots=True)
class Gap:
    """Ranges of one image that one detector did not search for one reason."""

    detector: str
    reason: str
    ranges: int
    length: int
    first: NotSearched


def gaps(image: ImageReport) -> list[Gap]:
    """What was not searched, grouped by detector and reason; the largest first."""
    grouped: dict[tuple[str, str], list[NotSearched]] = {}
    for entry in image.not_searched:
        grouped.setdefault((entry.detector, entry.reason), []).append(entry)
    found = [
        Gap(detector, reason, len(entries), sum(entry.length for entry in entries), min(entries, key=_offset))
        for (detector, reason), entries in grouped.items()
    ]
    return sorted(found, key=lambda gap: (-gap.length, gap.detector, gap.reason))


def _offset(entry: NotSearched) -> int:
    return entry.offset


def bytes_not_searched(ranges: Iterable[NotSearched]) -> int:
    """Bytes that at least one detector did not search: what two detectors left out counts once."""
    total = reached = 0
    for start, stop in sorted((entry.offset, entry.offset + entry.length) for entry in ranges):
        total += max(0, stop - max(start, reached))
        reached = max(reached, stop)
    return total


def detectors_words(detectors: Iterable[str]) -> str:
    """The detectors that were used, as a list in words."""
    names = [visible(name) for name in detectors]
    return list_words(names) if names else "no detector"


def not_asked_for(report: ScanReport) -> tuple[str, ...]:
    """Detectors that exist but that this run was told not to use."""
    return tuple(name for name in DETECTORS if name not in report.detectors)


def keys_words(report: ScanReport) -> str:
    """Which keys were looked for."""
    if report.sketched:
        named = count_words(len(report.keys), "named key")
        secrets = count_words(report.sketched, "secret")
        return f"looked for {secrets} of sketches, {named}, and for keys that the image itself names"
    if not report.keys:
        return (
            "no key was named: looked for keys whose public half, or whose whole private key, is in the image"
        )
    return f"looked for {count_words(len(report.keys), 'named key')} and for keys that the image itself names"
