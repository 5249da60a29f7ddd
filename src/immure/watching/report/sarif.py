"""The report for code hosts and dashboards: SARIF 2.1.0 (OASIS). One result for each key at each place."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final, TextIO

from immure.clock import to_rfc3339
from immure.scanning.report import tool
from immure.scanning.report.json import encoded
from immure.scanning.report.sarif import SCHEMA_URI, message, uri
from immure.scanning.report.sarif_rules import CWE, NOTIFICATIONS, TAXONOMY, Rule
from immure.scanning.report.sarif_rules import RULES as SCANNED
from immure.watching.finding import HitKind, Sighting, Spot
from immure.watching.item import Trouble
from immure.watching.report.words import form_words, half_words
from immure.watching.result import Result
from immure.watching.run import Run

_SHORT: Final[dict[HitKind, str]] = {
    "named": "The private half of a key that you named is here.",
    "harvested": "The private half of a key whose public half is beside it is here.",
    "unnamed": "A private key that nobody named is here.",
    "sketched": "A secret of which you gave a sketch is here, or a part of it.",
    "token": "The key that made a token you gave is here.",
    "partial": "A part of a private key is here.",
    "schedule": "An AES key is here.",
    "rule": "Bytes that one of the rules describes are here.",
}
_MATCH: Final = Rule(
    "immure/rule-match",
    "RuleMatch",
    _SHORT["rule"],
    "A rule that was asked for (--rules, --credentials, --kingfisher) says that bytes look like a secret. "
    "That they are one is not proved.",
)
_OTHER: Final = Rule(
    "immure/other-key", "OtherPrivateKey", "A private key is here.", "Its kind is told in the message."
)
#: One for each kind, with the names that the reports of scans give them.
RULES: Final[dict[HitKind, Rule]] = {
    kind: replace(SCANNED[kind], short=short) if kind != "rule" else _MATCH for kind, short in _SHORT.items()
}
#: What code hosts make of a match.
_GUESSED: Final = {"precision": "medium", "security-severity": "7.0"}


def write_sarif(
    result: Result, stream: TextIO, exit_code: int | None = None, exit_words: str | None = None
) -> None:
    """Write ``result`` as a SARIF log of one run."""
    for piece in encoded(to_sarif(result, exit_code, exit_words)):
        stream.write(piece)
    stream.write("\n")


def to_sarif(result: Result, exit_code: int | None = None, exit_words: str | None = None) -> dict[str, Any]:
    """``result`` as plain values; the results are made when they are read."""
    invocation: dict[str, Any] = {
        "executionSuccessful": all(run.whole for run in result.runs),
        "startTimeUtc": to_rfc3339(result.began),
        "endTimeUtc": to_rfc3339(result.ended),
        "toolExecutionNotifications": [
            _notification(run, trouble) for run in result.runs for trouble in run.troubles
        ],
    }
    if exit_code is not None:
        invocation["exitCode"] = exit_code
    if exit_words is not None:
        invocation["exitCodeDescription"] = exit_words
    run = {
        "tool": {"driver": {
            "name": "Immure", "version": tool.version(),
            "rules": [_described(rule) for rule in (*RULES.values(), _OTHER)],
            "notifications": NOTIFICATIONS, "supportedTaxonomies": [{"name": CWE, "index": 0}],
        }},
        "taxonomies": [TAXONOMY],
        "invocations": [invocation],
        "results": _results(result),
        "properties": {
            "mode": result.question.options.mode, "keySetVersion": result.question.version,
            "complete": result.complete, "targets": [run.target for run in result.runs],
        },
    }  # fmt: skip
    return {"$schema": SCHEMA_URI, "version": "2.1.0", "runs": [run]}


def _described(rule: Rule) -> dict[str, Any]:
    described = rule.to_sarif()
    if rule is _MATCH:
        described["properties"] |= _GUESSED
    return described


def _results(result: Result) -> Iterator[dict[str, Any]]:
    several = len(result.runs) > 1
    for sighting in result.sightings:
        state = "new" if sighting.first_seen >= result.began else "unchanged"
        yield _result(sighting, state, several)
    for sighting in result.gone:
        yield _result(sighting, "absent", several)


def _result(sighting: Sighting, state: str, several: bool) -> dict[str, Any]:
    hit = sighting.hit
    rule = RULES.get(hit.kind, _OTHER)
    where = f"{hit.key.thumbprint}\n{sighting.full_path}".encode("utf-8", "surrogatepass")
    found: dict[str, Any] = {
        "ruleId": rule.id,
        "ruleIndex": [*RULES.values(), _OTHER].index(rule),
        "kind": "fail",
        "level": "error",
        "message": message(_sentence(sighting)),
        "locations": [_location(sighting, spot, several) for spot in hit.spots[:10] or (None,)],
        "fingerprints": {"keyAtPlace/v1": hashlib.sha256(where).hexdigest()},
        "partialFingerprints": {"keyThumbprint/v1": hit.key.thumbprint},
        "baselineState": state,
        "properties": {
            "target": sighting.target, "path": sighting.path, "inside": hit.inside,
            "content": sighting.content, "detail": sighting.detail, "thumbprint": hit.key.thumbprint,
            "kid": hit.key.kid, "issuer": hit.key.issuer, "firstSeen": to_rfc3339(sighting.first_seen),
            "lastSeen": to_rfc3339(sighting.last_seen), "owners": list(sighting.owners),
        },
    }  # fmt: skip
    if sighting.standing != "open":
        words = f"{sighting.reason} (until {sighting.until})" if sighting.reason else "in the baseline"
        found["suppressions"] = [{"kind": "external", "status": "accepted", "justification": words}]
    return found


def _sentence(sighting: Sighting) -> str:
    hit = sighting.hit
    part = half_words(hit.key) if hit.whole else f"part of {half_words(hit.key)}"
    words = f"{part[0].upper()}{part[1:]} is in {sighting.full_path}, {form_words(sighting)}."
    detail = f" {sighting.detail}." if sighting.detail else ""
    return f"{words}{detail} {'Match' if hit.kind == 'rule' else 'Proof'}: {hit.proof}."


def _location(sighting: Sighting, spot: Spot | None, several: bool) -> dict[str, Any]:
    path = f"{sighting.target.rstrip('/')}/{sighting.path}" if several else sighting.path
    physical: dict[str, Any] = {"artifactLocation": {"uri": uri(path)}}
    if spot is not None and not sighting.hit.inside:
        physical["region"] = {"byteOffset": spot.offset, "byteLength": spot.length}
        if spot.line is not None:
            physical["region"] = {"startLine": spot.line}
    return {"physicalLocation": physical}


def _notification(run: Run, trouble: Trouble) -> dict[str, Any]:
    path = trouble.place or run.target
    return {
        "descriptor": {"id": "not-searched"},
        "level": "warning",
        "message": message(f"{path}: {trouble.reason}"),
        "locations": [{"physicalLocation": {"artifactLocation": {"uri": uri(path)}}}],
    }
