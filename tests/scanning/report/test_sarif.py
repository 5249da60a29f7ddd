from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import jsonschema
import pytest
from hypothesis import given, settings

from immure.scanning.finding import Finding, ImageReport, ScanReport
from immure.scanning.options import DETECTORS
from immure.scanning.report.sarif import MAX_LOCATIONS, message, uri, write_sarif

from .samples import CLEAN, FOUND_INCOMPLETE, INCOMPLETE, RSA, SAMPLES, big, image, occurrence, report
from .strategies import reports

SCHEMA = Path(__file__).parents[2] / "vectors" / "sarif" / "sarif-2.1.0-rtm.5.json"
VALIDATOR = jsonschema.Draft4Validator(
    json.loads(SCHEMA.read_text(encoding="utf-8")), format_checker=jsonschema.Draft4Validator.FORMAT_CHECKER
)


def parsed(value: ScanReport, code: int | None = None) -> dict[str, Any]:
    stream = io.StringIO()
    write_sarif(value, stream, code, None if code is None else "words")
    log: dict[str, Any] = json.loads(stream.getvalue(), parse_constant=pytest.fail)
    VALIDATOR.validate(log)
    run: dict[str, Any] = log["runs"][0]
    return run


@pytest.mark.parametrize("name", SAMPLES)
def test_samples_conform(name: str) -> None:
    run = parsed(SAMPLES[name], 3)
    assert len(run["results"]) == len(SAMPLES[name].findings)
    assert run["invocations"][0]["exitCode"] == 3


@settings(max_examples=40, deadline=None)
@given(reports)
def test_any_report_conforms(value: ScanReport) -> None:
    run = parsed(value)
    assert len(run["artifacts"]) == len(value.images)


def test_result() -> None:
    run = parsed(FOUND_INCOMPLETE)
    first, second = run["results"]
    assert first["ruleId"] == "immure/named-key"
    assert run["tool"]["driver"]["rules"][second["ruleIndex"]]["id"] == "immure/harvested-key"
    place = first["locations"][0]["physicalLocation"]
    assert place["region"] == {"byteOffset": 0x205230, "byteLength": 128}
    assert place["address"]["absoluteAddress"] == 0x5567_8C1F_1230
    assert (
        first["locations"][0]["message"]["text"] == "prime p as le64 in [heap] rw-p at address 0x55678c1f1230"
    )
    assert first["partialFingerprints"] == {"keyThumbprint/v1": RSA.thumbprint}


def test_rules_point_at_weaknesses() -> None:
    run = parsed(CLEAN)
    taxa = run["taxonomies"][0]["taxa"]
    for rule in run["tool"]["driver"]["rules"]:
        targets = [taxa[relation["target"]["index"]]["id"] for relation in rule["relationships"]]
        assert targets == ["528", "312"]
    assert run["tool"]["driver"]["supportedTaxonomies"][0]["name"] == run["taxonomies"][0]["name"]


def test_fingerprints_tell_keys_and_images_apart_but_not_runs() -> None:
    def prints(path: str) -> list[dict[str, str]]:
        value = report(image(path, findings=[Finding(RSA, "named", "divides n", [occurrence(0)])]))
        return [result["fingerprints"] for result in parsed(value)["results"]]

    assert prints("a.core") == prints("a.core") != prints("b.core")


def test_what_was_not_searched_is_a_notification() -> None:
    notes = parsed(INCOMPLETE)["invocations"][0]["toolExecutionNotifications"]
    said = [(note["descriptor"]["id"], note["message"]["text"]) for note in notes]
    assert ("image-warning", "program header 7 lies about its size") in said
    assert ("not-searched", "20.0 MiB in 2 ranges were not searched by ec: high-entropy run.") in said
    assert (
        "not-searched",
        "12.0 MiB in 1 range were not searched by any detector: segment 7 ends beyond the file.",
    ) in said


def test_detectors_not_asked_for_are_said() -> None:
    run = parsed(report(image(), detectors=("rsa",)))
    text = run["invocations"][0]["toolConfigurationNotifications"][0]["message"]["text"]
    assert text == "Detectors that were not asked for: montgomery, ec and structure."
    assert (
        "toolConfigurationNotifications" not in parsed(report(image(), detectors=DETECTORS))["invocations"][0]
    )


def test_failed_image_fails_the_invocation() -> None:
    assert parsed(SAMPLES["errored"])["invocations"][0]["executionSuccessful"] is False
    assert parsed(CLEAN)["invocations"][0]["executionSuccessful"] is True


def test_locations_are_bounded_and_counted() -> None:
    run = parsed(big(occurrences=5000, regions=50, gaps=50))
    assert len(run["results"][0]["locations"]) == MAX_LOCATIONS
    assert run["results"][0]["properties"]["occurrences"] == 5000


def test_address_beyond_signed_64_bits_is_said_in_words() -> None:
    finding = Finding(RSA, "named", "x", [occurrence(0)])
    object.__setattr__(finding.occurrences[0], "virtual_address", 0xFFFF_8880_0000_0000)
    location = parsed(report(image(findings=[finding])))["results"][0]["locations"][0]
    assert "address" not in location["physicalLocation"]
    assert "0xffff888000000000" in location["message"]["text"]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("app.core", "app.core"),
        ("/var/crash/a b.core", "file:///var/crash/a%20b.core"),
        ("pid:4711", "pid%3A4711"),
        ("//host/x", "file:////host/x"),
        ("caf\udce9.core", "caf%E9.core"),
        ("javascript:alert(1)", "javascript%3Aalert%281%29"),
    ],
)
def test_uri(path: str, expected: str) -> None:
    assert uri(path) == expected
    assert urlsplit(expected).scheme in ("", "file")
    assert unquote(expected).endswith(path.lstrip("/")) or "\udce9" in path


def test_messages_hold_no_links_and_no_placeholders() -> None:
    text = message("[here](http://evil.example) {0} [heap]")["text"]
    assert not re.search(r"\]\(", text)
    assert "{{0}}" in text
    assert "[heap]" in text


def test_image_without_occurrences_still_has_a_location() -> None:
    value = report(ImageReport("x", "raw", 1, [Finding(RSA, "named", "x")]))
    assert parsed(value)["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "x"
