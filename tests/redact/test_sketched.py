"""Redaction of secrets of which only a sketch was given."""

from __future__ import annotations

import json
import random
from pathlib import Path

import jsonschema
import pytest

from immure.keymaterial.sketch_make import sketch_of
from immure.redact import RedactOptions, redact_file
from immure.redact.record import RedactionRecord, read_schema
from immure.scanning.options import ScanOptions
from immure.synth import ordinary_memory

CHANCE = random.Random("redacted")
KEY, OTHER = CHANCE.randbytes(32), CHANCE.randbytes(64)


def redact(memory: bytes, tmp_path: Path, *named: tuple[str, str, bytes]) -> tuple[bytes, RedactionRecord]:
    (tmp_path / "in.raw").write_bytes(memory)
    scan = ScanOptions(threads=1, sketches=(sketch_of(named),))
    record = redact_file(
        tmp_path / "in.raw", tmp_path / "out.raw", options=RedactOptions(scan=scan, debugger=False)
    )
    jsonschema.validate(json.loads(json.dumps(record.to_json())), read_schema())
    return (tmp_path / "out.raw").read_bytes(), record


def memory_with(*planted: tuple[int, bytes]) -> bytes:
    memory = ordinary_memory(128 << 10, 5)
    for offset, data in planted:
        memory[offset : offset + len(data)] = data
    return bytes(memory)


def left(data: bytes, secret: bytes, least: int = 8) -> int:
    return sum(secret[at : at + least] in data for at in range(len(secret) - least + 1))


def test_a_secret_that_was_found_is_erased_with_every_piece_of_it(tmp_path: Path) -> None:
    """One whole copy is enough: then its bytes are known, and pieces go that no sketch would see."""
    memory = memory_with(
        (4099, KEY),
        (9000, KEY[8:18]),
        (20001, KEY.hex().encode()),
        (30000, KEY[:16].hex().encode()),
        (40007, OTHER),
    )
    data, record = redact(memory, tmp_path, ("api", "hs256", KEY), ("absent", "aes", CHANCE.randbytes(32)))
    assert left(data, KEY) == 0
    assert left(data, KEY.hex().encode(), 30) == 0
    assert OTHER in data
    assert len(data) == len(memory)
    assert record.secrets == ("api",)
    assert record.detectors[-1] == "sketches"
    assert {span.key for span in record.spans} == {"api"}
    assert record.proof is not None
    assert record.proof.scan.strings > 10  # the second scanner, which shares no code, was told of it
    assert record.proof.scan.status == "ok"
    assert record.findings == []
    assert record.warnings == [
        "searched for 2 secrets by sketches, found 1; pieces of less than 24 bytes of those not found are not"
        " seen by a sketch"
    ]


def test_of_a_piece_no_more_is_known_than_the_piece(tmp_path: Path) -> None:
    memory = memory_with((4099, OTHER[8:40]), (9000, OTHER[20:30]), (12000, OTHER[48:60]))
    data, record = redact(memory, tmp_path, ("big", "aes", OTHER))
    assert left(data, OTHER[8:40]) == 0
    assert OTHER[48:60] in data  # 12 bytes that nothing tells of, and that is said
    assert record.warnings[1] == (
        "of the secret 'big' 32 of 64 bytes in a row stood there, and are erased; pieces of less than 24 of"
        " its other bytes were not searched for"
    )


def test_two_pieces_are_both_known(tmp_path: Path) -> None:
    memory = memory_with((4099, OTHER[:24]), (9003, OTHER[40:]), (20000, OTHER[2:12]), (21000, OTHER[50:60]))
    data, record = redact(memory, tmp_path, ("big", "aes", OTHER))
    assert left(data, OTHER[:24]) + left(data, OTHER[40:]) == 0
    assert record.secrets == ("big",)


def test_what_is_not_there_is_not_erased(tmp_path: Path) -> None:
    memory = memory_with()
    data, record = redact(memory, tmp_path, ("api", "hs256", KEY))
    assert data == memory
    assert (record.spans, record.secrets) == ([], ())


@pytest.mark.parametrize("form", ["base64", "utf16"])
def test_a_token_goes_as_text(form: str, tmp_path: Path) -> None:
    import base64

    token = base64.urlsafe_b64encode(CHANCE.randbytes(33))
    text = token if form == "base64" else token.decode().encode("utf-16-le")
    data, record = redact(memory_with((4101, text)), tmp_path, ("t", "token", token))
    assert text[:16] not in data
    assert text[-16:] not in data
    assert sum(span.length for span in record.spans) >= len(text) - 2


def test_the_second_scanner_can_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the first scan's places are lost, the proof finds them, and they are erased in a second round."""
    from immure.redact import redactor

    monkeypatch.setattr(redactor, "make_plan", lambda *_: [])
    monkeypatch.setattr(redactor, "spans_of", lambda _: [])
    data, record = redact(memory_with((4099, KEY)), tmp_path, ("api", "hs256", KEY))
    assert left(data, KEY) == 0
    assert any("the second scanner found" in words for words in record.warnings)
