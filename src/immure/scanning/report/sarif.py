"""The report for code-scanning services and security dashboards: SARIF 2.1.0 (OASIS).

One run for one scan; one result for each key in each image; what was not searched is a notification of the
invocation, because a viewer that shows no results must not suggest that there is nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any, TextIO
from urllib.parse import quote

from immure.scanning.finding import Finding, ImageReport, Occurrence, ScanReport
from immure.scanning.report import tool
from immure.scanning.report.json import encoded, numbers
from immure.scanning.report.process import process_words
from immure.scanning.report.sarif_rules import CWE, NOTIFICATIONS, RULES, TAXONOMY
from immure.scanning.report.summary import Gap, gaps, not_asked_for
from immure.scanning.report.words import (
    bytes_words,
    count_words,
    key_words,
    list_words,
    secret_words,
    visible,
)

SCHEMA_URI = "https://json.schemastore.org/sarif-2.1.0.json"

#: Viewers refuse results with more locations than this; how many there are stands in the properties.
MAX_LOCATIONS = 1000
#: Addresses that do not fit (SARIF reads them as signed 64-bit numbers) stay in the message only.
_MAX_ADDRESS = (1 << 63) - 1


def write_sarif(
    report: ScanReport, stream: TextIO, exit_code: int | None = None, exit_words: str | None = None
) -> None:
    """Write ``report`` as a SARIF log of one run."""
    for piece in encoded(to_sarif(report, exit_code, exit_words)):
        stream.write(piece)
    stream.write("\n")


def to_sarif(
    report: ScanReport, exit_code: int | None = None, exit_words: str | None = None
) -> dict[str, Any]:
    """``report`` as plain values; the results are made when they are read."""
    run = {
        "tool": {"driver": _driver()},
        "taxonomies": [TAXONOMY],
        "invocations": [_invocation(report, exit_code, exit_words)],
        "artifacts": [_artifact(number, image) for number, image in enumerate(report.images)],
        "results": _results(report),
        "properties": {
            "mode": visible(report.mode),
            "detectors": list(report.detectors),
            "complete": report.complete,
            "keysNamed": len(report.keys),
            "statistics": numbers(report.statistics),
        },
    }
    return {"$schema": SCHEMA_URI, "version": "2.1.0", "runs": [run]}


def _driver() -> dict[str, Any]:
    return {
        "name": "Immure",
        "version": tool.version(),
        "rules": [rule.to_sarif() for rule in RULES.values()],
        "notifications": NOTIFICATIONS,
        "supportedTaxonomies": [{"name": CWE, "index": 0}],
    }


def _artifact(number: int, image: ImageReport) -> dict[str, Any]:
    # the number tells two scans of one file apart: equal artifacts are not allowed
    properties: dict[str, Any] = {
        "number": number,
        "format": visible(image.format),
        "complete": image.complete,
    }
    if image.process is not None:
        properties["process"] = process_words(image.process)
    return {
        "location": {"uri": uri(image.path)},
        "length": image.size,
        "roles": ["analysisTarget", "memoryContents"],
        "properties": properties,
    }


def uri(path: str) -> str:
    """``path`` as a URI reference; bytes of a file name that are no UTF-8 are kept as they are."""
    try:
        raw = path.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raw = path.encode("utf-8", "surrogatepass")
    # a colon in the first segment would read as a scheme, so quote() may not leave it alone
    return f"file://{quote(raw)}" if path.startswith("/") else quote(raw)


def message(text: str) -> dict[str, str]:
    """``text`` as a message in which nothing is a placeholder or a link (SARIF 3.11.5, 3.11.6)."""
    # [heap] alone is no link; viewers would show a backslash before its brackets
    plain = visible(text).replace("](", "] (")
    return {"text": plain.replace("{", "{{").replace("}", "}}")}


def _results(report: ScanReport) -> Iterator[dict[str, Any]]:
    for index, image in enumerate(report.images):
        for finding in image.findings:
            yield _result(image, index, finding)


def _result(image: ImageReport, index: int, finding: Finding) -> dict[str, Any]:
    rule = RULES[finding.kind]
    thumbprint = finding.key.thumbprint
    where = f"{thumbprint}\n{uri(image.path)}".encode()
    shown = finding.occurrences[:MAX_LOCATIONS]
    return {
        "ruleId": rule.id,
        "ruleIndex": list(RULES).index(finding.kind),
        "kind": "fail",
        "level": "error",
        "message": message(_sentence(finding)),
        "locations": [_location(image, index, finding.key.kty, occurrence) for occurrence in shown]
        or [{"physicalLocation": {"artifactLocation": {"uri": uri(image.path), "index": index}}}],
        "fingerprints": {"keyInImage/v1": hashlib.sha256(where).hexdigest()},
        "partialFingerprints": {"keyThumbprint/v1": thumbprint},
        "properties": {
            "whole": finding.whole,
            "occurrences": len(finding.occurrences),
            "thumbprint": thumbprint,
            "kid": finding.key.origin.kid,
            "issuer": finding.key.origin.issuer,
            "cloudInstanceName": finding.key.origin.cloud_instance_name,
            "source": finding.key.origin.source,
        },
    }


def _sentence(finding: Finding) -> str:
    part = "The private half" if finding.whole else "Part of the private half"
    times = count_words(len(finding.occurrences), "time")
    return f"{part} of {key_words(finding.key)} is in this image, {times}. Proof: {finding.proof}."


def _location(image: ImageReport, index: int, kty: str, occurrence: Occurrence) -> dict[str, Any]:
    physical: dict[str, Any] = {
        "artifactLocation": {"uri": uri(image.path), "index": index},
        "region": {"byteOffset": occurrence.offset, "byteLength": occurrence.length},
    }
    address = occurrence.virtual_address
    if address is not None and address <= _MAX_ADDRESS:
        physical["address"] = {
            "absoluteAddress": address,
            "length": occurrence.length,
            "kind": "data",
            "name": visible(occurrence.region),
        }
    words = [secret_words(kty, occurrence.secret), "as", occurrence.encoding]
    words += [] if occurrence.whole else ["in part"]
    words += ["in", occurrence.region or "anonymous memory", occurrence.permissions or ""]
    if address is not None:
        words.append(f"at address {address:#x}")
    return {"physicalLocation": physical, "message": message(" ".join(word for word in words if word))}


def _invocation(report: ScanReport, exit_code: int | None, exit_words: str | None) -> dict[str, Any]:
    invocation: dict[str, Any] = {
        "executionSuccessful": all(image.error is None for image in report.images),
        "toolExecutionNotifications": list(_notifications(report)),
    }
    if exit_code is not None:
        invocation["exitCode"] = exit_code
    if exit_words is not None:
        invocation["exitCodeDescription"] = exit_words
    skipped = not_asked_for(report)
    if skipped:
        text = f"Detectors that were not asked for: {list_words(skipped)}."
        invocation["toolConfigurationNotifications"] = [
            {"descriptor": {"id": "not-asked-for"}, "level": "warning", "message": message(text)}
        ]
    return invocation


def _notifications(report: ScanReport) -> Iterator[dict[str, Any]]:
    for index, image in enumerate(report.images):
        if image.error is not None:
            yield _notification(image, index, "image-error", "error", image.error)
        for warning in image.warnings:
            yield _notification(image, index, "image-warning", "warning", warning)
        for gap in gaps(image):
            yield _gap_notification(image, index, gap)


def _gap_notification(image: ImageReport, index: int, gap: Gap) -> dict[str, Any]:
    who = "any detector" if gap.detector == "all" else gap.detector
    ranges = count_words(gap.ranges, "range")
    text = f"{bytes_words(gap.length)} in {ranges} were not searched by {who}: {gap.reason}."
    notification = _notification(image, index, "not-searched", "warning", text)
    region = {"byteOffset": gap.first.offset, "byteLength": gap.first.length}
    notification["locations"][0]["physicalLocation"]["region"] = region
    notification["properties"] = {"ranges": gap.ranges, "bytes": gap.length}
    return notification


def _notification(image: ImageReport, index: int, name: str, level: str, text: str) -> dict[str, Any]:
    return {
        "descriptor": {"id": name},
        "level": level,
        "message": message(text),
        "locations": [{"physicalLocation": {"artifactLocation": {"uri": uri(image.path), "index": index}}}],
    }
