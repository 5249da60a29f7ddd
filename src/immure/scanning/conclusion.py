"""What a scan comes to: findings out of proofs and places, and what the report says of the image."""

from __future__ import annotations

from collections.abc import Iterator

from immure.dumps.dump import Image
from immure.keymaterial.key import Numbers, PublicKey
from immure.keymaterial.published import where_published
from immure.scanning.deep.search import Deep
from immure.scanning.finding import Finding, ImageReport, Occurrence
from immure.scanning.gaps import bytes_to_read, missing_part, within_mappings
from immure.scanning.hunts import Hunts
from immure.scanning.keyset import Entry, KeySet
from immure.scanning.occurrences import occurrence, tidy
from immure.scanning.proofs import Proof
from immure.scanning.proved import Proved


def conclude(
    report: ImageReport,
    image: Image,
    keys: KeySet,
    proved: Proved,
    places: dict[Numbers, list[Occurrence]],
    hunts: Hunts,
    deep: Deep | None,
) -> None:
    """Add the findings to the report: of each key that is proved and is nobody's example, with all its
    ``places``; of what deep search and the hunts found besides."""
    for entry, proof in _to_report(report, keys, proved):
        finding = _finding(image, entry, proof, places.get(entry.key.numbers, []), hunts, deep)
        if finding is not None:
            report.findings.append(finding)
    report.findings += deep.fragments if deep is not None else []
    report.findings += hunts.sketches.findings(image)
    report.not_searched += hunts.not_searched
    report.findings.sort(key=lambda finding: finding.occurrences[0].offset if finding.occurrences else 0)


def _to_report(report: ImageReport, keys: KeySet, proved: Proved) -> Iterator[tuple[Entry, Proof]]:
    for numbers, proof in proved.items():
        entry = keys.get(numbers)
        if entry is None:
            continue
        public_place = where_published(entry.key) if entry.kind != "named" else None
        if public_place is not None:
            report.warnings.append(_published(entry.key, proof, public_place))
            continue
        yield entry, proof


def _finding(
    image: Image, entry: Entry, proof: Proof, places: list[Occurrence], hunts: Hunts, deep: Deep | None
) -> Finding | None:
    numbers, schedules = entry.key.numbers, hunts.schedules
    pieces = deep.pieces.get(numbers, []) if deep is not None else []
    if schedules is not None:
        pieces = [*pieces, *schedules.occurrences(image, numbers)]
    occurrences = tidy(_with_text([*places, *pieces], proof, image))
    if schedules is not None and schedules.is_harmless(proof, occurrences):
        return None
    partial = deep.partials.get(numbers) if deep is not None else None
    kind = entry.kind if partial is None else "partial"
    return Finding(entry.key, kind, proof.words, occurrences, entry.others, partial)


def describe(report: ImageReport, image: Image, keys: KeySet, hunts: Hunts, seconds: float) -> None:
    """Say what the image is, what was missing of it, and how long the scan took."""
    report.size = bytes_to_read(image) or 0
    report.process, report.regions = image.process, image.regions
    report.warnings += [
        f"{key.label} key {key.thumbprint} is of a size that is not searched for"
        for key in keys.unsearchable()
    ]
    missing = (*image.missing, *image.reader.faults())
    if image.format == "process":
        report.not_searched = within_mappings(report.not_searched, image)
    report.not_searched += [missing_part(part, report.size) for part in dict.fromkeys(missing)]
    report.not_searched.sort(key=lambda gap: (gap.offset, gap.length, gap.detector, gap.reason))
    kinds = [entry.kind for entry in keys.entries()]
    report.statistics.update(
        seconds=round(seconds, 6),
        keys_named=kinds.count("named"),
        keys_harvested=kinds.count("harvested"),
    )
    if not hunts.sketches.is_idle:
        report.statistics.update(sketch_digests=hunts.sketches.digests)


def _published(key: PublicKey, proof: Proof, place: str) -> str:
    return (
        f"{key.label} key {key.thumbprint} at offset {proof.offset} is a published example key ({place}), not"
        " reported"
    )


def _with_text(found: list[Occurrence], proof: Proof, image: Image) -> list[Occurrence]:
    """The text in which a number was written is an occurrence, too, where the sweep knows no writing like it,
    such as hex in both cases."""
    if proof.text is None:
        return found
    length, encoding = proof.text
    if any(proof.offset <= one.offset < proof.offset + length and one.whole for one in found):
        return found
    return [*found, occurrence(image, proof.offset, length, proof.secret, encoding)]
