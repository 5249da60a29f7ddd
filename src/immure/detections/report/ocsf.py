"""Findings as events of OCSF 1.3, class 2004 (Detection Finding): one object of JSON in a line."""

from __future__ import annotations

import json
import time
from typing import Any, Final, TextIO

from immure.detections.finding import SEVERITIES, Finding
from immure.detections.outcome import Outcome
from immure.detections.rule import Rule
from immure.scanning.report import tool

VERSION: Final = "1.3.0"
_CLASS: Final = 2004
_CREATE: Final = 1
#: ATT&CK's own version of the techniques that rules name.
_ATTACK: Final = "15.1"
_TECHNIQUES: Final = {
    "T1114.002": "Remote Email Collection",
    "T1550.001": "Application Access Token",
    "T1562.008": "Disable or Modify Cloud Logs",
    "T1565.001": "Stored Data Manipulation",
    "T1606": "Forge Web Credentials",
    "T1606.002": "SAML Tokens",
}


def write_ocsf(outcome: Outcome, rules: dict[str, Rule], stream: TextIO) -> None:
    """Write an event in a line for each finding."""
    for finding in outcome.findings:
        json.dump(to_ocsf(finding, rules.get(finding.rule)), stream, separators=(",", ":"))
        stream.write("\n")


def to_ocsf(finding: Finding, rule: Rule | None) -> dict[str, Any]:
    """A finding as an event; its ``time`` is that of the last record, milliseconds since 1970."""
    made = finding.last // 1000 if finding.last is not None else int(time.time() * 1000)
    severity = SEVERITIES.index(finding.severity) + 1
    info: dict[str, Any] = {
        "uid": finding.id,
        "title": finding.title,
        "desc": finding.reason or finding.title,
        "types": [finding.rule],
        "analytic": {"uid": finding.rule, "name": finding.title, "type_id": 1, "type": "Rule"},
    }
    if finding.first is not None and finding.last is not None:
        info |= {"first_seen_time": finding.first // 1000, "last_seen_time": finding.last // 1000}
    if rule is not None and rule.attack:
        info["attacks"] = [{"technique": _technique(one), "version": _ATTACK} for one in rule.attack]
    return {
        "category_uid": 2,
        "category_name": "Findings",
        "class_uid": _CLASS,
        "class_name": "Detection Finding",
        "activity_id": _CREATE,
        "activity_name": "Create",
        "type_uid": _CLASS * 100 + _CREATE,
        "type_name": "Detection Finding: Create",
        "time": made,
        "severity_id": severity,
        "severity": finding.severity.capitalize(),
        "status_id": 1,
        "status": "New",
        "confidence_id": 3 if finding.strength == "strong" else 1,
        "confidence": "High" if finding.strength == "strong" else "Low",
        "message": finding.reason or finding.title,
        "count": finding.count,
        "finding_info": info,
        "evidences": [{"data": {"records": list(finding.records), **finding.facts}}],
        "observables": _observables(finding),
        "metadata": {
            "version": VERSION,
            "uid": finding.id,
            "product": {"name": "Immure", "vendor_name": "Immure", "version": tool.version()},
        },
        "unmapped": {"keys": dict(finding.keys), "score": finding.score},
    }


def _technique(uid: str) -> dict[str, str]:
    """One that only rules of users name is called by its number."""
    return {"uid": uid, "name": _TECHNIQUES.get(uid, uid)}


def _observables(finding: Finding) -> list[dict[str, Any]]:
    """What others search for: addresses (2), users (4) and other texts (0)."""
    kinds = {"ip": 2, "sub": 4, "user": 4}
    values = {**finding.keys, **finding.facts}
    return [
        {"name": name, "type_id": kinds.get(name, 0), "type": _TYPES[kinds.get(name, 0)], "value": value}
        for name, value in values.items()
    ]


_TYPES: Final = {0: "Unknown", 2: "IP Address", 4: "User Name"}
