"""The report for programs: JSON in the shape of ``probe-report-1.schema.json``.

Fields are only ever added to version 1 of the shape. Tokens are named by their digests.
"""

from __future__ import annotations

import json
from typing import Any, Final, TextIO

from immure.clock import to_rfc3339
from immure.probe.answer import Outcome
from immure.probe.result import Control, ProbeReport, Result
from immure.scanning.report import tool

#: Names the shape and its version; readers refuse what they do not know.
SCHEMA_ID: Final = "https://immure.example/schemas/probe-report-1.json"
SCHEMA_FILE: Final = "probe-report-1.schema.json"


def write_json(report: ProbeReport, stream: TextIO) -> None:
    """Write ``report`` as JSON, in ASCII."""
    json.dump(to_json(report), stream, indent=1)
    stream.write("\n")


def read_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of what :func:`write_json` writes."""
    from importlib.resources import files

    text = files("immure.probe").joinpath(SCHEMA_FILE).read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


def to_json(report: ProbeReport) -> dict[str, Any]:
    """``report`` as plain values."""
    return {
        "schema": SCHEMA_ID,
        "tool": {"name": tool.NAME, "version": tool.version()},
        "target": report.target,
        "channel": report.channel,
        "begun": to_rfc3339(report.begun),
        "ended": to_rfc3339(report.ended),
        "verdict": report.verdict.value,
        "complete": report.is_complete,
        "reason": report.reason,
        "trusted": {
            "issuer": report.issuer,
            "audience": report.audience,
            "keys": [{"kid": kid, "alg": alg, "thumbprint": name} for kid, alg, name in report.keys],
        },
        "counts": {one.name.lower(): len(report.of(one)) for one in Outcome} | {"holes": len(report.holes)},
        "controls": [_control(one) for one in report.controls],
        "cases": [_case(one) for one in report.results],
    }


def _control(control: Control) -> dict[str, Any]:
    return {
        "name": control.name,
        "wanted": control.wanted.value,
        "outcome": control.answer.outcome.value,
        "detail": control.answer.detail,
        "before": control.before,
        "holds": control.holds,
    }


def _case(result: Result) -> dict[str, Any]:
    case = result.case
    return {
        "id": case.id,
        "group": case.group,
        "title": case.title,
        "reference": case.reference,
        "severity": case.severity,
        "expected": case.expected,
        "outcome": result.answer.outcome.value,
        "detail": result.answer.detail,
        "hole": result.is_hole,
        "tokens": list(result.digests),
        "seconds": round(result.seconds, 4),
    }
