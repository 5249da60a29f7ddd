"""The report for CI and dashboards: SARIF 2.1.0 (OASIS).

What could not be judged is a notification of the invocation, because a viewer that shows no results must not
suggest that all is well.
"""

from __future__ import annotations

import json
from typing import Any, Final, TextIO

from immure.detections.finding import Finding, Severity
from immure.detections.outcome import Outcome
from immure.detections.report.words import exit_code, headline, span
from immure.detections.rule import Rule
from immure.scanning.report import tool
from immure.scanning.report.words import visible

SCHEMA_URI: Final = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS: Final[dict[Severity, str]] = {
    "critical": "error", "high": "error", "medium": "warning", "low": "note", "info": "note",
}  # fmt: skip
_SCORES: Final[dict[Severity, str]] = {
    "critical": "9.8", "high": "8.1", "medium": "5.4", "low": "3.1", "info": "0.0",
}  # fmt: skip


def write_sarif(outcome: Outcome, rules: dict[str, Rule], stream: TextIO, *, least: Severity) -> None:
    """Write the report as a SARIF log of one run."""
    json.dump(to_sarif(outcome, rules, least=least), stream, indent=1)
    stream.write("\n")


def to_sarif(outcome: Outcome, rules: dict[str, Rule], *, least: Severity) -> dict[str, Any]:
    """The report as plain values."""
    asked = [rules[name] for name in outcome.rules if name in rules]
    index = {rule.id: number for number, rule in enumerate(asked)}
    verdict = outcome.verdict(least)
    run = {
        "tool": {
            "driver": {
                "name": "Immure",
                "version": tool.version(),
                "rules": [_rule(rule) for rule in asked],
                "notifications": [
                    {"id": "not-judged", "shortDescription": {"text": "Something was not judged."}}
                ],
            }
        },
        "invocations": [
            {
                "executionSuccessful": True,
                "exitCode": exit_code(verdict, "incomplete"),
                "toolExecutionNotifications": [
                    {
                        "level": "warning",
                        "message": {"text": visible(words)},
                        "descriptor": {"id": "not-judged", "index": 0},
                    }
                    for words in outcome.missing
                ],
            }
        ],
        "results": [_result(one, index) for one in outcome.findings],
        "properties": {
            "verdict": verdict,
            "words": headline(outcome, least),
            "acceptances": dict(outcome.verdicts),
        },
    }
    return {"$schema": SCHEMA_URI, "version": "2.1.0", "runs": [run]}


def _rule(rule: Rule) -> dict[str, Any]:
    return {
        "id": f"immure/detect/{rule.id}",
        "shortDescription": {"text": f"{rule.title}."},
        "fullDescription": {"text": rule.description},
        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
        "properties": {"tags": ["security", *rule.attack], "security-severity": _SCORES[rule.severity]},
    }


def _result(finding: Finding, index: dict[str, int]) -> dict[str, Any]:
    values = {**finding.keys, **finding.facts}
    where = [
        {"name": visible(value), "kind": "resource", "fullyQualifiedName": name}
        for name, value in values.items()
    ]
    made: dict[str, Any] = {
        "ruleId": f"immure/detect/{finding.rule}",
        "level": _LEVELS[finding.severity],
        "message": {
            "text": visible(f"{finding.reason or finding.title} ({finding.count:,} records, {span(finding)})")
        },
        "locations": [{"logicalLocations": where}],
        "partialFingerprints": {"immureFinding/v1": finding.id},
        "occurrenceCount": finding.count,
        "properties": {
            "strength": finding.strength,
            "score": finding.score,
            "records": list(finding.records),
        },
    }
    if finding.rule in index:
        made["ruleIndex"] = index[finding.rule]
    return made
