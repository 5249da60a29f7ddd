"""The report for security dashboards: SARIF 2.1.0 (OASIS).

A result is a token that was let in, or that broke the server. What could not be told is a notification of the
invocation, because a viewer that shows no results must not suggest that all is well.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any, Final, TextIO

from immure.clock import to_rfc3339
from immure.probe.answer import Outcome
from immure.probe.case import GROUPS, Case, Severity
from immure.probe.report.words import exit_code, headline, not_asked
from immure.probe.result import ProbeReport, Result, Verdict
from immure.scanning.report import tool
from immure.scanning.report.words import visible

SCHEMA_URI: Final = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS: Final[dict[Severity, str]] = {
    "critical": "error", "high": "error", "medium": "warning", "low": "note",
}  # fmt: skip
_SCORES: Final[dict[Severity, str]] = {"critical": "9.8", "high": "8.1", "medium": "5.4", "low": "3.1"}
_HELP: Final = (
    "The relying party let in a token that it must refuse. Bind each issuer to its own keys and audiences, "
    "and refuse what the standard named here forbids; then probe again."
)
_NOTIFICATIONS: Final = {
    "cannot-tell": "The probe could not tell; nothing can be concluded.",
    "no-answer": "A token got no answer that says yes or no.",
    "not-asked": "Cases were not asked; nothing can be concluded about them.",
}


def write_sarif(report: ProbeReport, stream: TextIO) -> None:
    """Write ``report`` as a SARIF log of one run."""
    json.dump(to_sarif(report), stream, indent=1)
    stream.write("\n")


def to_sarif(report: ProbeReport) -> dict[str, Any]:
    """``report`` as plain values."""
    rules = [one.case for one in report.results]
    index = {case.id: number for number, case in enumerate(rules)}
    run = {
        "tool": {
            "driver": {
                "name": "Immure",
                "version": tool.version(),
                "rules": [_rule(case) for case in rules],
                "notifications": [
                    {"id": name, "shortDescription": {"text": text}} for name, text in _NOTIFICATIONS.items()
                ],
            }
        },
        "invocations": [_invocation(report)],
        "results": [
            _result(one, index[one.case.id], report)
            for one in report.results
            if one.answer.outcome in (Outcome.LET_IN, Outcome.BROKE)
        ],
        "properties": {
            "verdict": report.verdict.value,
            "complete": report.is_complete,
            "channel": report.channel,
            "issuer": report.issuer,
            "audience": report.audience,
        },
    }
    return {"$schema": SCHEMA_URI, "version": "2.1.0", "runs": [run]}


def _rule(case: Case) -> dict[str, Any]:
    return {
        "id": f"immure/probe/{case.id}",
        "shortDescription": _message(f"{case.title}."),
        "fullDescription": _message(f"{GROUPS[case.group]}: {case.title}. {case.reference}."),
        "help": {"text": _HELP},
        "defaultConfiguration": {"level": _LEVELS[case.severity]},
        "properties": {
            "tags": ["security", "authentication", "external/cwe/cwe-287", "external/cwe/cwe-347"],
            "reference": case.reference,
            "security-severity": _SCORES[case.severity],
        },
    }


def _result(result: Result, index: int, report: ProbeReport) -> dict[str, Any]:
    case, broke = result.case, result.answer.outcome is Outcome.BROKE
    level = "warning" if broke else _LEVELS[case.severity]
    words = "broke the server" if broke else "was let in"
    remark = " The standards leave this open." if result.is_remark else ""
    where = f"{case.id}\n{report.channel}\n{report.target}".encode()
    return {
        "ruleId": f"immure/probe/{case.id}",
        "ruleIndex": index,
        "kind": "informational" if result.is_remark else "fail",
        "level": "none" if result.is_remark else level,
        "message": _message(f"{case.title}: the token {words} ({result.answer.detail}).{remark}"),
        "locations": [{"physicalLocation": {"artifactLocation": {"uri": report.target}}}],
        "fingerprints": {"caseAtTarget/v1": hashlib.sha256(where).hexdigest()},
        "properties": {"outcome": result.answer.outcome.value, "tokens": list(result.digests)},
    }


def _invocation(report: ProbeReport) -> dict[str, Any]:
    return {
        "executionSuccessful": report.verdict is not Verdict.CANNOT_TELL,
        "exitCode": exit_code(report.verdict),
        "exitCodeDescription": headline(report),
        "startTimeUtc": to_rfc3339(report.begun),
        "endTimeUtc": to_rfc3339(report.ended),
        "toolExecutionNotifications": list(_notifications(report)),
    }


def _notifications(report: ProbeReport) -> Iterator[dict[str, Any]]:
    if report.verdict is Verdict.CANNOT_TELL or report.reason is not None:
        yield _notification("cannot-tell", "error", report.reason or headline(report))
    for one in report.of(Outcome.NO_ANSWER) + report.of(Outcome.UNCLEAR):
        yield _notification("no-answer", "warning", f"{one.case.id}: {one.answer.detail}")
    for why, count in not_asked(report):
        yield _notification("not-asked", "note", f"{count} not asked: {why}")


def _notification(name: str, level: str, text: str) -> dict[str, Any]:
    return {"descriptor": {"id": name}, "level": level, "message": _message(text)}


def _message(text: str) -> dict[str, str]:
    """A message in which nothing is a placeholder or a link (SARIF 3.11.5, 3.11.6)."""
    plain = visible(text).replace("](", "] (")
    return {"text": plain.replace("{", "{{").replace("}", "}}")}
