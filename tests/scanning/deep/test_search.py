"""The deep search as a whole: what it costs, what it leaves undone, what reports say, and what redaction
makes of it."""

from __future__ import annotations

import io
import json
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from immure.cli.scan import scan as scan_command
from immure.keymaterial.private import OkpPrivate, RsaPrivate
from immure.keymaterial.serialize import to_pkcs8
from immure.redact import RedactOptions, redact_file
from immure.scanning.deep import search
from immure.scanning.deep.budget import DETECTOR, Budget
from immure.scanning.deep.rebuilt import encoded
from immure.scanning.finding import Finding, ImageReport, ScanReport
from immure.scanning.options import ScanOptions
from immure.scanning.report.formats import FORMATS, ReportOptions, write_report
from immure.scanning.report.json import read_schema
from immure.scanning.scanner import scan_targets

from ..material import PAGE, filler, image_of, private, public
from .damage import clobber, deep, in_chunk, memory_with


def prime() -> int:
    key = private("RSA-2048")
    assert isinstance(key, RsaPrivate)
    return key.p.reveal()


def damaged() -> bytes:
    return clobber(encoded(prime(), "le64", 128), True, bytes(16))


@pytest.mark.parametrize(("name", "pages"), [("zeros", 64), ("text", 64), ("ordinary", 32), ("random", 8)])
def test_nothing_is_found_where_nothing_is(name: str, pages: int) -> None:
    image = image_of(filler(name, pages * PAGE, 3))
    kinds = ("RSA-1024", "RSA-2048", "P-256", "Ed25519")
    assert deep(image, *(public(kind) for kind in kinds)).findings == []


@settings(max_examples=25, deadline=None)
@given(st.binary(max_size=700), st.integers(0, 7), st.sampled_from([b"", bytes(16), b"\xff" * 9]))
def test_any_bytes_are_searched(data: bytes, shift: int, between: bytes) -> None:
    """Around what the search looks for: a modulus and a public key."""
    modulus = private("RSA-1024").public.n.to_bytes(128, "big")  # type: ignore[union-attr]
    point = private("Ed25519").public.x  # type: ignore[union-attr]
    memory = (
        bytes(shift) + data + modulus + between + data[::-1] + (0x51).to_bytes(8, "little") + data + point
    )
    assert deep(image_of(memory + bytes(64)), public("RSA-1024"), public("Ed25519")).findings == []


def test_what_is_not_tried_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "Budget", lambda: Budget(3))
    report = deep(memory_with(damaged()), public("RSA-2048"))
    gaps = [gap for gap in report.not_searched if gap.detector == DETECTOR]
    assert gaps
    assert not report.complete
    assert all(gap.reason.endswith(("attempts were not made", "attempt was not made")) for gap in gaps)
    assert report.statistics["deep_attempts"] <= 3


def test_sizes_that_are_not_looked_for_are_said() -> None:
    report = deep(image_of(filler("zeros", 4 * PAGE)), public("RSA-1040"))
    (gap,) = report.not_searched
    assert (gap.detector, gap.length) == (DETECTOR, 4 * PAGE)
    assert "520 bits" in gap.reason


def test_budget() -> None:
    budget = Budget(10)
    assert budget.spend(6, "a")
    assert not budget.spend(5, "b")
    assert budget.spend(4, "a", most=10)
    assert not budget.spend(1, "a")
    budget.skip(0, "c")
    assert [gap.reason for gap in budget.not_searched(5)] == [
        "a: 1 attempt was not made",
        "b: 1 attempt was not made",
    ]
    assert not Budget().spend(11, "a", most=10)


def test_only_keys_that_are_not_found_are_looked_for() -> None:
    memory = filler("ordinary", 16 * PAGE)
    in_chunk(memory, 0x2010, damaged())
    in_chunk(memory, 0x4010, encoded(prime(), "le64", 128))
    (finding,) = deep(image_of(memory), public("RSA-2048")).findings
    assert (finding.kind, finding.partial) == ("named", None)
    assert {one.offset for one in finding.occurrences} == {0x2020, 0x4010}


def reported(tmp_path: Path) -> tuple[ScanReport, Finding]:
    path = tmp_path / "image.raw"
    path.write_bytes(memory_with(damaged()).reader.read(0, 16 * PAGE))
    report = scan_targets([str(path)], keys=[public("RSA-2048")], options=ScanOptions(deep=True, threads=1))
    (finding,) = report.findings
    return report, finding


def test_reports_say_how_much_there_is(tmp_path: Path) -> None:
    report, _ = reported(tmp_path)
    assert report.detectors[-1] == DETECTOR
    for form in FORMATS:
        stream = io.StringIO()
        write_report(report, stream, form, ReportOptions(exit_code=1, exit_words="found"))
        assert "896 of the 1024 bits" in " ".join(stream.getvalue().split())
        assert format(prime(), "x")[:16] not in stream.getvalue()


def test_json_follows_the_schema(tmp_path: Path) -> None:
    report, _ = reported(tmp_path)
    stream = io.StringIO()
    write_report(report, stream, "json", ReportOptions())
    made = json.loads(stream.getvalue())
    jsonschema.Draft202012Validator(read_schema()).validate(made)
    (finding,) = made["images"][0]["findings"]
    assert finding["partial"] == {
        "secret": "p",
        "known_bits": 896,
        "bits": 1024,
        "rebuilt": True,
        "method": "lattice-3",
    }


def test_command(tmp_path: Path) -> None:
    image, keys = tmp_path / "image.raw", tmp_path / "keys.jwks"
    image.write_bytes(memory_with(damaged()).reader.read(0, 16 * PAGE))
    keys.write_text(json.dumps({"keys": [public("RSA-2048").to_jwk()]}))
    arguments = [str(image), "--keys", str(keys), "--quiet"]
    assert CliRunner().invoke(scan_command, arguments, standalone_mode=False).return_value == 0
    assert CliRunner().invoke(scan_command, [*arguments, "--deep"], standalone_mode=False).return_value == 1


def redacted(tmp_path: Path, data: bytes, kind: str) -> tuple[bytes, ImageReport]:
    """What redaction leaves of an image with ``data`` in a chunk, and a deep scan of that."""
    source, target = tmp_path / "image.raw", tmp_path / "image.redacted.raw"
    source.write_bytes(memory_with(data, offset=0x4010).reader.read(0, 16 * PAGE))
    options = RedactOptions(scan=ScanOptions(deep=True, threads=1), debugger=False)
    redact_file(source, target, keys=[public(kind)], options=options)
    return target.read_bytes(), deep(image_of(target.read_bytes()), public(kind))


def test_redaction_erases_what_a_key_was_rebuilt_from(tmp_path: Path) -> None:
    data = damaged()
    left, report = redacted(tmp_path, data, "RSA-2048")
    assert report.findings == []
    assert not any(data[at : at + 8] in left for at in range(16, 120))
    assert left[:0x4010] == memory_with(data, offset=0x4010).reader.read(0, 0x4010)


def test_redaction_erases_both_sides_of_a_hole(tmp_path: Path) -> None:
    key = private("P-256")
    number = bytearray(key.d.reveal().to_bytes(32, "little"))  # type: ignore[union-attr]
    number[3:6] = bytes(3)
    left, report = redacted(tmp_path, bytes(number), "P-256")
    assert report.findings == []
    assert number[:3] not in left[0x4010:0x4013]
    assert left[0x4016:0x4030] != bytes(number[6:])


def test_redaction_erases_halves_that_are_not_proved(tmp_path: Path) -> None:
    key = private("Ed25519")
    assert isinstance(key, OkpPrivate)
    seed, point = key.seed.reveal(), key.public.x
    left, report = redacted(tmp_path, bytes(16) + seed[16:] + point, "Ed25519")
    assert report.findings == []
    assert seed[16:24] not in left
    assert point in left


def test_redaction_of_an_encoding_with_holes(tmp_path: Path) -> None:
    data = bytearray(to_pkcs8(private("RSA-1024")))
    for at in range(80, len(data) - 8, 24):
        data[at : at + 8] = bytes(8)
    left, report = redacted(tmp_path, bytes(data), "RSA-1024")
    assert report.findings == []
    assert data[-30:-20] not in left
