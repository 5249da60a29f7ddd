from __future__ import annotations

import io
import json
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings

from immure.scanning.finding import ScanReport
from immure.scanning.report.json import SCHEMA_ID, read_schema, write_json

from .samples import EC, FOUND, HEAP, NASTY, NASTY_REPORT, RSA, SAMPLES, big
from .strategies import reports

VALIDATOR = jsonschema.Draft202012Validator(
    read_schema(), format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
)


def written(report: ScanReport) -> str:
    stream = io.StringIO()
    write_json(report, stream)
    return stream.getvalue()


def parsed(report: ScanReport) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(written(report), parse_constant=pytest.fail)
    VALIDATOR.validate(value)
    return value


def test_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(read_schema())
    assert read_schema()["$id"] == SCHEMA_ID


@pytest.mark.parametrize("name", SAMPLES)
def test_samples_conform(name: str) -> None:
    value = parsed(SAMPLES[name])
    assert value["schema"] == SCHEMA_ID
    assert [image["path"] for image in value["images"]] == [image.path for image in SAMPLES[name].images]


@settings(max_examples=40, deadline=None)
@given(reports)
def test_any_report_conforms_and_is_ascii_without_controls(report: ScanReport) -> None:
    value = parsed(report)
    assert len(value["images"]) == len(report.images)
    for image, said in zip(report.images, value["images"], strict=True):
        assert said["path"] == image.path
        assert said["complete"] == image.complete
        assert [f["proof"] for f in said["findings"]] == [f.proof for f in image.findings]
    assert all(character == "\n" or " " <= character <= "~" for character in written(report))


def test_shape_that_others_build_on() -> None:
    value = parsed(FOUND)
    finding = value["images"][0]["findings"][0]
    assert {name: finding["key"][name] for name in ("kty", "kid", "thumbprint", "issuer", "source")} == {
        "kty": "RSA",
        "kid": "prod-2021-04",
        "thumbprint": RSA.thumbprint,
        "issuer": "https://login.example/consumers/v2.0",
        "source": "jwks.json",
    }
    assert finding["occurrences"][0] == {
        "secret": "p",
        "encoding": "le64",
        "offset": 0x205230,
        "virtual_address": HEAP + 0x1230,
        "length": 128,
        "whole": True,
        "region": "[heap]",
        "permissions": "rw-p",
    }
    assert finding["key"]["not_after"] == "2026-04-04T12:30:00Z"
    other = value["images"][0]["findings"][1]
    assert other["key"]["crv"] == EC.label
    assert other["key"]["harvested_at"] == 0x5000
    assert value["images"][0]["regions"]["kinds"]["header"] == {"count": 1, "bytes": 0x1000}


def test_what_is_left_out_and_what_is_kept() -> None:
    assert "hunter2" not in written(FOUND), "command lines hold passwords"
    value = parsed(NASTY_REPORT)
    assert value["images"][0]["path"] == NASTY
    assert value["images"][0]["statistics"] == {NASTY: None}, "infinity is no JSON"


@pytest.mark.parametrize(
    "damage",
    [
        lambda value: value.pop("schema"),
        lambda value: value.update(schema="https://immure.example/schemas/scan-report-2.json"),
        lambda value: value["images"][0].update(complete=True, not_searched=[{}]),
        lambda value: value["images"][0]["findings"][0]["occurrences"][0].update(offset="0x10"),
        lambda value: value["images"][0]["findings"][0]["key"].update(thumbprint="abc"),
        lambda value: value["images"][0]["findings"][0].update(kind="guessed"),
    ],
)
def test_schema_refuses(damage: Any) -> None:
    value = parsed(FOUND)
    damage(value)
    assert not VALIDATOR.is_valid(value)


def test_large_report_is_written_in_pieces() -> None:
    report = big()
    pieces: list[int] = []

    class Sink(io.StringIO):
        def write(self, text: str) -> int:
            pieces.append(len(text))
            return len(text)

    write_json(report, Sink())
    assert sum(pieces) > 5_000_000
    assert max(pieces) < 10_000
