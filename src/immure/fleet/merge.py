"""From the answers for the ranges of an image to the one report that a scan of all of it would give."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from immure.fleet.results import Rank, Searched, Surveyed, Swept
from immure.fleet.tasks import Place
from immure.keymaterial.aes_published import DRBG
from immure.keymaterial.key import Numbers, PublicKey
from immure.scanning.finding import Finding, FindingKind, ImageReport, Occurrence
from immure.scanning.keyset import KeySet
from immure.scanning.occurrences import tidy


def merged_keys(
    named: Sequence[PublicKey], surveyed: Mapping[int, Surveyed]
) -> tuple[tuple[PublicKey, FindingKind], ...]:
    """The keys that the image brings, in order of offset: the first that brings a key gives it its name."""
    keys = _key_set(named, surveyed)
    return tuple((entry.key, entry.kind) for entry in keys.entries() if entry.kind != "named")


def _key_set(named: Sequence[PublicKey], surveyed: Mapping[int, Surveyed]) -> KeySet:
    keys = KeySet(named)
    for _, part in sorted(surveyed.items()):
        for key, kind in part.keys:
            keys.add(key, kind)
    return keys


def merged_report(
    place: Place,
    named: Sequence[PublicKey],
    surveyed: Mapping[int, Surveyed],
    searched: Mapping[int, Searched],
    swept: Mapping[int, Swept],
) -> ImageReport:
    """The report on the image."""
    parts = [part for _, part in sorted(searched.items())]
    report = ImageReport(place.url, parts[0].report.format if parts else "none", place.size)
    for part in parts:
        report.regions = report.regions or part.report.regions
        report.process = report.process or part.report.process
        report.warnings += [words for words in part.report.warnings if words not in report.warnings]
    gaps = [gap for part in parts for gap in part.report.not_searched]
    gaps += [gap for part in swept.values() for gap in part.not_searched]
    report.not_searched = list(dict.fromkeys(gaps))
    report.findings = _findings(parts, swept.values())
    keys = [entry.kind for entry in _key_set(named, surveyed).entries()]
    report.statistics = {
        "seconds": round(sum(part.report.statistics.get("seconds", 0) for part in parts), 6),
        "keys_named": keys.count("named"),
        "keys_harvested": keys.count("harvested"),
    }
    digests = [part.report.statistics.get("sketch_digests") for part in parts]
    if any(one is not None for one in digests):
        report.statistics["sketch_digests"] = sum(one or 0 for one in digests)
    return report


def _findings(parts: Iterable[Searched], swept: Iterable[Swept]) -> list[Finding]:
    groups: dict[tuple[Numbers, str], list[Finding]] = {}
    ranks: dict[Numbers, Rank] = {}
    for part in parts:
        for numbers, rank in part.ranks:
            if numbers not in ranks or rank.order < ranks[numbers].order:
                ranks[numbers] = rank
        for finding in part.report.findings:
            groups.setdefault((finding.key.numbers, finding.kind), []).append(finding)
    more: dict[Numbers, list[Occurrence]] = {}
    for sweep in swept:
        for numbers, occurrences in sweep.occurrences:
            more.setdefault(numbers, []).extend(occurrences)
    found = [
        _joined(group, ranks.get(numbers), more.get(numbers, [])) for (numbers, _), group in groups.items()
    ]
    found = [finding for finding in found if not _is_generator(finding)]
    return sorted(found, key=lambda one: one.occurrences[0].offset if one.occurrences else 0)


def _joined(group: Sequence[Finding], rank: Rank | None, more: Iterable[Occurrence]) -> Finding:
    """The findings of one key as one."""
    occurrences = tidy([*(one for finding in group for one in finding.occurrences), *more])
    first = group[0]
    # of what has no public half the longest piece says most
    best = max(group, key=lambda one: (one.whole, _longest(one)))
    words = rank.words if rank is not None else best.proof
    return Finding(first.key, first.kind, words, occurrences, first.also_known_as, first.partial)


def _is_generator(finding: Finding) -> bool:
    """Whether an AES key is the state of a random number generator, whose rest stands in another range."""
    drbg = any(one.encoding == DRBG and one.whole for one in finding.occurrences)
    return finding.kind == "schedule" and drbg


def _longest(finding: Finding) -> int:
    return max((occurrence.length for occurrence in finding.occurrences), default=0)
