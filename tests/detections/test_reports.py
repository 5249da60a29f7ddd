from __future__ import annotations

import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from immure.detections.finding import Finding
from immure.detections.outcome import IssuerStanding, Outcome
from immure.detections.records import NotUnderstood
from immure.detections.report.formats import FORMATS, write_report
from immure.detections.report.ocsf import _TECHNIQUES
from immure.detections.rule_files import built_in

RULES = {rule.id: rule for rule in built_in()}
EVIL = "</td><script src=https://evil.example/x>\x1b[31m\u202e"
FORGED = Finding(
    "token-forged",
    "critical",
    "a token that nobody issued",
    keys={"digest": "00"},
    reason=f"client {EVIL}",
    first=1_793_491_200_000_000,
    last=1_793_498_400_000_000,
    count=3,
    records=("r1",),
    facts={"sub": EVIL, "ip": "10.0.0.1"},
)
NEW = Finding(
    "mail-new-client",
    "medium",
    "a new client",
    keys={"app": "a"},
    strength="weak",
    score=4.5,
    first=1_793_494_800_000_000,
    last=1_793_494_800_000_000,
)
FULL = Outcome(
    findings=(FORGED, NEW),
    verdicts={"issued": 1234, "forged": 3, "not-yet-known": 2},
    issuers=(
        IssuerStanding(
            "https://login.example",
            1_793_491_000,
            1_793_496_000,
            ((1_793_492_000, 1_793_493_000, EVIL),),
            2,
            True,
        ),
    ),
    sources={"acceptance-log": {"read": 1240, "rows.acceptance": 1239, "lost": 1}},
    odd=(NotUnderstood(source="x", file=EVIL, offset=7, line=1, reason="json", what=EVIL, count=1),),
    missing=("2 acceptances are from after the watermark: not yet known",),
    notes=("a note",),
    rules=tuple(RULES),
)
EMPTY = Outcome(rules=tuple(RULES), verdicts={"issued": 5})


def written(outcome: Outcome, form: Any) -> str:
    stream = io.StringIO()
    write_report(outcome, RULES, stream, form)
    return stream.getvalue()


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(
    "outcome", [FULL, EMPTY, Outcome(missing=("nothing",))], ids=["full", "empty", "nothing"]
)
def test_nothing_foreign_reaches_a_terminal_or_a_page_as_it_is(form: Any, outcome: Outcome) -> None:
    text = written(outcome, form)
    assert "\x1b[31m" not in text
    assert "\u202e" not in text
    assert form in ("json", "ocsf", "sarif", "terminal") or "<script" not in text


def test_terminal() -> None:
    text = written(FULL, "terminal")
    assert "1 token that nobody issued: somebody else has the key" in text
    assert "not judged: 2 acceptances" in text
    assert "1 not understood: json" in text
    assert "gap from 2026-11-01T00:13:20Z" in text
    assert written(EMPTY, "terminal").endswith(
        "every accepted token was issued, and no rule found anything\n"
    )
    assert "not everything could be judged" in written(Outcome(missing=("x",)), "terminal")


def test_json() -> None:
    plain = json.loads(written(FULL, "json"))
    assert plain["verdict"] == "found"
    assert plain["acceptances"] == {"issued": 1234, "forged": 3, "not-yet-known": 2}
    assert plain["findings"][0]["id"] == FORGED.id
    assert plain["issuers"][0]["gaps"][0]["from"] == 1_793_492_000
    assert plain["not_understood"][0]["count"] == 1
    assert json.loads(written(EMPTY, "json"))["verdict"] == "clean"


def test_ocsf() -> None:
    events = [json.loads(line) for line in written(FULL, "ocsf").splitlines()]
    assert [(one["type_uid"], one["severity_id"], one["confidence_id"]) for one in events] == [
        (200401, 5, 3),
        (200401, 3, 1),
    ]
    first = events[0]
    assert first["finding_info"]["attacks"][0]["technique"]["uid"] == "T1606"
    assert first["finding_info"]["first_seen_time"] == 1_793_491_200_000
    assert first["time"] == 1_793_498_400_000
    assert {"name": "ip", "type_id": 2, "type": "IP Address", "value": "10.0.0.1"} in first["observables"]
    required = {
        "activity_id",
        "category_uid",
        "class_uid",
        "finding_info",
        "metadata",
        "severity_id",
        "time",
        "type_uid",
    }
    assert all(required <= set(one) for one in events)


def test_ocsf_is_what_others_take_for_it() -> None:
    from py_ocsf_models.events.findings.detection_finding import DetectionFinding

    lines = written(FULL, "ocsf").splitlines()
    read = [DetectionFinding.model_validate_json(line).finding_info.uid for line in lines]
    assert read == [json.loads(line)["finding_info"]["uid"] for line in lines]
    with pytest.raises(ValueError, match="finding_info"):
        DetectionFinding.model_validate_json(lines[0].replace('"finding_info"', '"finding"'))


def test_every_technique_of_our_rules_has_a_name() -> None:
    named = {one for rule in built_in() for one in rule.attack}
    assert named
    assert named <= set(_TECHNIQUES)


def test_sarif_is_sarif() -> None:
    schema = json.loads(next((Path(__file__).parents[1] / "vectors" / "sarif").glob("*.json")).read_text())
    for outcome in (FULL, EMPTY):
        jsonschema.validate(json.loads(written(outcome, "sarif")), schema)
    run = json.loads(written(FULL, "sarif"))["runs"][0]
    assert [one["ruleId"] for one in run["results"]] == [
        "immure/detect/token-forged",
        "immure/detect/mail-new-client",
    ]
    assert (
        run["tool"]["driver"]["rules"][run["results"][0]["ruleIndex"]]["id"] == "immure/detect/token-forged"
    )
    assert run["invocations"][0]["exitCode"] == 1
    assert len(run["invocations"][0]["toolExecutionNotifications"]) == 1


class Page(HTMLParser):
    """Notes elements, and what they would load."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.loads: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.loads += [value or "" for name, value in attrs if name in ("src", "href", "style", "onload")]
        if tag not in ("meta", "br", "hr"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_loads_nothing_and_draws_when_it_was() -> None:
    text = written(FULL, "html")
    page = Page()
    page.feed(text)
    assert page.open == []
    assert not page.tags & {"script", "img", "iframe", "object", "link", "form"}
    assert page.loads == []
    assert {"svg", "circle"} <= page.tags
    assert re.search("default-src (&#x27;|')none(&#x27;|')", text)
    assert 'class="gap"' in text
    assert 'class="mark"' in text
    assert "<svg" not in written(EMPTY, "html")
