"""The report for programs: JSON in the shape of ``watch-report-1.schema.json``. Fields are only ever
added."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any, Final, TextIO

from immure.clock import to_rfc3339
from immure.scanning.report import tool
from immure.scanning.report.json import encoded
from immure.watching.finding import KeyFinding, KnownKey, Sighting
from immure.watching.result import Result
from immure.watching.run import Run

SCHEMA_ID: Final = "https://immure.example/schemas/watch-report-1.json"
SCHEMA_FILE: Final = "watch-report-1.schema.json"


def write_json(result: Result, stream: TextIO) -> None:
    """Write ``result`` as JSON, in ASCII."""
    for piece in encoded(to_json(result)):
        stream.write(piece)
    stream.write("\n")


def read_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of what :func:`write_json` writes."""
    from importlib.resources import files

    text = files("immure.watching.report").joinpath(SCHEMA_FILE).read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


def to_json(result: Result) -> dict[str, Any]:
    """``result`` as plain values."""
    question = result.question
    return {
        "schema": SCHEMA_ID,
        "tool": {"name": tool.NAME, "version": tool.version()},
        "began": to_rfc3339(result.began),
        "ended": to_rfc3339(result.ended),
        "mode": question.options.mode,
        "detectors": list(question.options.detectors),
        "key_set_version": question.version,
        "keys_named": question.sought,
        "complete": result.complete,
        "open": result.is_open,
        "targets": [_run(run) for run in result.runs],
        "findings": [_finding(finding) for finding in result.findings],
        "gone": [{"key": _key(one.hit.key), **_sighting(one)} for one in result.gone],
        "expired_suppressions": [
            {"key": one.key, "place": one.place, "reason": one.reason, "expires": one.expires.isoformat()}
            for one in result.expired
        ],
    }


def _run(run: Run) -> dict[str, Any]:
    return {
        "target": run.target,
        "kind": run.kind,
        "complete": run.complete,
        "items": run.items,
        "scanned": run.scanned,
        "bytes": run.bytes,
        "gaps": run.gaps,
        "not_searched": [asdict(trouble) for trouble in run.troubles],
    }


def _finding(finding: KeyFinding) -> dict[str, Any]:
    return {
        "key": _key(finding.key),
        "open": finding.is_open,
        "first_seen": to_rfc3339(finding.first_seen),
        "last_seen": to_rfc3339(finding.last_seen),
        "places": [_sighting(sighting) for sighting in finding.sightings],
    }


def _key(key: KnownKey) -> dict[str, Any]:
    return {
        "thumbprint": key.thumbprint,
        "label": key.label,
        "kty": key.kty,
        "kid": key.kid,
        "issuer": key.issuer,
    }


def _sighting(sighting: Sighting) -> dict[str, Any]:
    hit = sighting.hit
    return {
        "target": sighting.target,
        "path": sighting.path,
        "inside": hit.inside,
        "detail": sighting.detail,
        "content": sighting.content,
        "kind": hit.kind,
        "proof": hit.proof,
        "whole": hit.whole,
        "count": hit.count,
        "first_seen": to_rfc3339(sighting.first_seen),
        "last_seen": to_rfc3339(sighting.last_seen),
        "gone": to_rfc3339(sighting.gone) if sighting.gone else None,
        "standing": sighting.standing,
        "reason": sighting.reason or None,
        "until": sighting.until or None,
        "owners": list(sighting.owners),
        "occurrences": [asdict(spot) for spot in hit.spots],
    }
