"""Findings and gaps as parts of the HTML report."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from immure.keymaterial.key import PublicKey
from immure.scanning.finding import Finding, ImageReport, Occurrence, ScanReport
from immure.scanning.report.key_facts import found_words, scope_words, source_words
from immure.scanning.report.markup import Markup, element, facts, join, table
from immure.scanning.report.summary import detectors_words, error_words, gaps, lost_words, not_asked_for
from immure.scanning.report.words import (
    bytes_words,
    count_words,
    hex_words,
    key_words,
    kind_words,
    list_words,
    secret_words,
    visible,
)

_FINDINGS = 200
_OPEN_OCCURRENCES = 12
_OCCURRENCES = 400
_GAPS = 200
_ALIASES = 10
_IN_JSON = "the JSON report lists them all"


def findings_part(image: ImageReport, prefix: str) -> Markup:
    """All findings of an image, up to a bound."""
    if not image.findings:
        return Markup("")
    shown = image.findings[:_FINDINGS]
    parts = [element("h3", "Findings")]
    parts += [_finding(finding, f"{prefix}f{number}") for number, finding in enumerate(shown, start=1)]
    rest = len(image.findings) - len(shown)
    if rest:
        parts.append(element("p", f"\u2026 and {count_words(rest, 'more key')}; {_IN_JSON}.", class_="soft"))
    return join(parts)


def _finding(finding: Finding, anchor: str) -> Markup:
    whole = "whole" if finding.whole else "in part"
    title = element("h4", key_words(finding.key), " ", element("span", whole, class_="tag found"))
    parts = [title, facts(_facts(finding)), *_places(finding)]
    return element("article", *parts, class_="finding", id=anchor)


def _facts(finding: Finding) -> Iterator[tuple[str, str]]:
    key = finding.key
    yield "Proof", finding.proof
    yield "Fingerprint", element("code", key.thumbprint)
    if key.origin.kid:
        yield "Key id (kid)", element("code", key.origin.kid)
    if key.kty != "oct":
        yield "Key scope", scope_words(key)
    yield "Learned", f"{kind_words(finding.kind)} ({source_words(key)})"
    if finding.also_known_as:
        names = [_alias(alias) for alias in finding.also_known_as[:_ALIASES]]
        rest = len(finding.also_known_as) - len(names)
        yield "Also known as", "; ".join([*names, f"{rest:,} more"] if rest else names)
    yield "Found", found_words(finding)


def _alias(key: PublicKey) -> str:
    return f"{key_words(key)}, {scope_words(key)}, in {source_words(key)}"


def _places(finding: Finding) -> Iterator[Markup]:
    ordered = sorted(finding.occurrences, key=lambda occurrence: (not occurrence.whole, occurrence.offset))
    kty = finding.key.kty
    if not ordered:
        return
    yield _occurrences(kty, ordered[:_OPEN_OCCURRENCES])
    folded = ordered[_OPEN_OCCURRENCES:_OCCURRENCES]
    if folded:
        summary = element("summary", f"{count_words(len(folded), 'more occurrence')}")
        yield element("details", summary, _occurrences(kty, folded))
    rest = len(ordered) - _OCCURRENCES
    if rest > 0:
        words = f"\u2026 and {count_words(rest, 'more occurrence')}; {_IN_JSON}."
        yield element("p", words, class_="soft")


def _occurrences(kty: str, occurrences: Iterable[Occurrence]) -> Markup:
    rows = (
        (
            _number(occurrence.offset),
            _number(occurrence.virtual_address),
            secret_words(kty, occurrence.secret) + ("" if occurrence.whole else " (in part)"),
            element("code", occurrence.encoding),
            f"{occurrence.length:,}",
            join([occurrence.region or "anonymous", " ", element("code", occurrence.permissions or "")]),
        )
        for occurrence in occurrences
    )
    headings = ("File offset", "Address", "Number", "Encoding", "Bytes", "Region")
    return table(headings, rows, "Where the key material is")


def _number(value: int | None) -> Markup:
    return element("span", hex_words(value), class_="number")


def not_searched_part(image: ImageReport, report: ScanReport) -> Markup:
    """What was not searched; always there, because silence is not evidence."""
    parts = [element("h3", "What was not searched")]
    grouped = gaps(image)
    if grouped:
        rows = (
            (
                bytes_words(gap.length),
                "all detectors" if gap.detector == "all" else gap.detector,
                gap.reason,
                f"{gap.ranges:,}",
                _number(gap.first.offset),
                _number(gap.first.virtual_address),
            )
            for gap in grouped[:_GAPS]
        )
        headings = ("How much", "Not searched by", "Why", "Ranges", "First offset", "First address")
        parts.append(table(headings, rows, "What was not searched"))
    elif image.error is None:
        parts.append(
            element("p", f"Nothing: every byte was searched by {detectors_words(report.detectors)}.")
        )
    if image.error is not None:
        lost = lost_words(image)
        words = f"{lost[0].upper()}{lost[1:]}: {error_words(image)}"
        parts.append(element("p", words))
    skipped = not_asked_for(report)
    if skipped:
        parts.append(element("p", f"Not asked for: {list_words(skipped)}. What they find is not known."))
    return join(parts)


def warnings_part(image: ImageReport) -> Markup:
    """What was odd about the image."""
    if not image.warnings:
        return Markup("")
    entries = [element("li", visible(warning)) for warning in image.warnings[:_GAPS]]
    return join([element("h3", "Warnings"), element("ul", *entries)])
