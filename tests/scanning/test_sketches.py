"""Secrets of which the scanner has a sketch only: found wherever they stand, and nothing else is."""

from __future__ import annotations

import base64
import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from immure.keymaterial.sketch import MOST_LENGTH, Sketch
from immure.keymaterial.sketch_key import OctKey
from immure.keymaterial.sketch_make import sketch_of
from immure.scanning import sketch_table
from immure.scanning import sketches as searching
from immure.scanning.chunks import OVERLAP
from immure.scanning.finding import Finding, ImageReport
from immure.scanning.options import ScanOptions
from immure.scanning.report.formats import ReportOptions, write_report
from immure.scanning.scanner import scan_targets
from immure.scanning.sketch_text import WRITINGS, bytes_around

from .hostile import IMAGES
from .material import filler, planted, scan

CHANCE = random.Random("sketches")
KEY = CHANCE.randbytes(32)
TOKEN = base64.urlsafe_b64encode(CHANCE.randbytes(30))
PASSWORD = b"Xk3!9vQz#p7LmW@2r$8Tb/nope"
SKETCH = sketch_of([("key", "hs256", KEY), ("token", "token", TOKEN), ("pass", "password", PASSWORD)])
#: A secret's bytes as they may be written, with what of it the shortest piece that is surely found has.
WRITTEN: dict[str, tuple[Callable[[bytes], bytes], int]] = {
    "raw": (lambda data: data, 24),
    "hex": (lambda data: data.hex().encode(), 48),
    "hex-upper": (lambda data: data.hex().upper().encode(), 48),
    "base64": (base64.b64encode, 33),
    "base64url": (base64.urlsafe_b64encode, 33),
    "hex-utf16le": (lambda data: data.hex().encode("utf-16-le"), 96),
    "base64-utf16le": (lambda data: base64.b64encode(data).decode().encode("utf-16-le"), 66),
}


def search(memory: bytes, *sketches: Sketch, **options: object) -> ImageReport:
    options = {"harvest": False, "detectors": ("rsa",)} | options
    return scan(memory, sketches=sketches or (SKETCH,), **options)


def only(memory: bytes, *sketches: Sketch, **options: object) -> Finding:
    (finding,) = search(memory, *sketches, **options).findings
    return finding


@pytest.mark.parametrize("name", WRITTEN)
@pytest.mark.parametrize("memory", ["zeros", "random", "text", "ordinary"])
@pytest.mark.parametrize("offset", [4096, 4097, 4099, 4103, 4104])
def test_a_whole_secret_is_found(name: str, memory: str, offset: int) -> None:
    write, _ = WRITTEN[name]
    data = write(KEY)
    image = planted(b"\0" + data + b"\0", offset - 1, name=memory, seed=offset)
    finding = only(image)
    (place,) = finding.occurrences
    assert (place.offset, place.whole, place.secret) == (offset, True, "secret")
    assert place.length == len(data) if "base64" not in name else place.length >= len(data.rstrip(b"=\0"))
    assert finding.kind == "sketched"
    assert finding.proof == "all 32 bytes have the digests of the sketch (SHA-256)"
    assert finding.key.origin.kid == "key"
    assert (finding.key.kty, finding.key.label, finding.key.size) == ("oct", "HS256 key", 256)


@pytest.mark.parametrize("name", WRITTEN)
def test_a_piece_of_24_bytes_is_found_wherever_it_stands(name: str) -> None:
    write, width = WRITTEN[name]
    unit = 2 if "utf16" in name else 1
    for start in range(9):
        piece = write(KEY)[start * unit : start * unit + width]
        for place in range(4096, 4104):
            finding = only(planted(b"\xff" + piece + b"\xff", place - 1))
            (found,) = finding.occurrences
            if name == "raw":
                assert (found.offset, found.length, found.whole) == (place, 24, False)
                assert finding.proof == "24 of 32 bytes in a row: 9 digests of the sketch agree (576 bits)"
            assert place <= found.offset
            assert found.offset + found.length <= place + len(piece)
            assert found.length >= 17 * len(piece) // 24 - 16


@pytest.mark.parametrize("length", range(8, 33))
def test_a_piece_is_exactly_what_stands_there(length: int) -> None:
    for place in (4096, 4101):
        found = search(planted(b"\xfe" + KEY[:length] + b"\xfe" * 9, place - 1)).findings
        if not found:
            assert length < 24
            continue
        (one,) = found[0].occurrences
        assert (one.offset, one.length, one.whole) == (place, length, length == 32)
        assert length >= 17


def test_pieces_of_less_than_two_windows_are_no_finding() -> None:
    assert search(planted(KEY[3:19] + b"\xaa" * 8, 4096)).findings == []
    assert len(search(planted(KEY[3:20] + b"\xaa" * 8, 4096)).findings) == 1


def test_a_key_of_one_window_is_held_against_the_longer_digest() -> None:
    made = sketch_of([("aes", "aes", KEY[:16])])
    assert only(planted(KEY[:16], 4096), made).proof.startswith("all 16 bytes")
    (secret,) = made.secrets
    (string, turned) = secret.strings
    other = type(string)(string.part, string.form, bytes(32), string.windows)
    wrong = Sketch(made.salt, made.looks, (type(secret)("aes", "aes", False, (other, turned)),))
    assert search(planted(KEY[:16], 4096), wrong).findings == []


@pytest.mark.parametrize(
    ("form", "write"),
    [
        ("be32w", lambda key: b"".join(key[at : at + 4][::-1] for at in range(0, 32, 4))),
        ("ipad", lambda key: bytes(byte ^ 0x36 for byte in key)),
        ("opad", lambda key: bytes(byte ^ 0x5C for byte in key)),
    ],
)
def test_forms_in_which_programs_keep_keys(form: str, write: Callable[[bytes], bytes]) -> None:
    (place,) = only(planted(write(KEY), 4099, name="ordinary")).occurrences
    assert (place.encoding, place.offset, place.whole) == (form, 4099, True)


@pytest.mark.parametrize("offset", [4096, 4097, 4098, 4099, 4100, 4103])
@pytest.mark.parametrize("charset", ["ascii", "utf-16-le"])
@pytest.mark.parametrize(("name", "value"), [("token", TOKEN), ("pass", PASSWORD)])
def test_texts_are_found_in_text(name: str, value: bytes, charset: str, offset: int) -> None:
    data = value.decode().encode(charset)
    image = planted(b"\1" + data + b"\1\0", offset - 1, name="text")
    finding = only(image)
    assert finding.key.origin.kid == name
    (place,) = finding.occurrences
    assert (place.offset, place.whole) == (offset, True)
    assert place.length >= len(data) - 2


def test_a_token_is_also_found_as_its_bytes() -> None:
    assert only(planted(base64.urlsafe_b64decode(TOKEN), 4099)).key.origin.kid == "token"


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("chunk_bytes", [4096, 8192, 1 << 20])
@pytest.mark.parametrize("offset", [4064, 4080, 4090, 4096, 8191, 12288 - 8])
def test_borders_of_chunks_change_nothing(offset: int, chunk_bytes: int, threads: int) -> None:
    image = planted(KEY, offset, name="ordinary", seed=4)
    image[40_000 : 40_000 + 64] = KEY.hex().encode()
    expected = search(image).findings
    first = expected[0].occurrences[0]
    assert (first.offset, first.length) == (offset, 32)
    assert search(image, chunk_bytes=chunk_bytes, threads=threads).findings == expected


@given(st.integers(24, 400), st.integers(0, 2**32), st.sampled_from(sorted(WRITTEN)), st.integers(0, 40))
@settings(max_examples=60, deadline=None)
def test_secrets_of_every_length(length: int, seed: int, name: str, place: int) -> None:
    value = random.Random(seed).randbytes(length)
    made = sketch_of([("s", "secret", value)], allow_guessable=True)
    found = only(planted(b"\0\0" + WRITTEN[name][0](value) + b"\0\0", 4096 + place), made)
    assert [one.whole for one in found.occurrences] == [True]


def test_secrets_that_are_short_are_found_at_aligned_places_only_and_that_is_said() -> None:
    made = sketch_of([("a", "aes", KEY[:16]), ("b", "aes", KEY[:24])])
    assert search(planted(KEY[:16], 4097), made).findings == []
    report = search(planted(KEY[:16], 4096), made)
    assert report.warnings == [
        "1 secret of sketches has less than 23 bytes: found only where 16 of them stand at a multiple of 8"
    ]


def test_the_longest_secret_fits_between_two_chunks() -> None:
    assert 4 * MOST_LENGTH < OVERLAP
    value = random.Random(3).randbytes(MOST_LENGTH)
    image = planted(value.hex().encode("utf-16-le"), 8192, size=128 << 10)
    (place,) = only(image, sketch_of([("s", "secret", value)]), chunk_bytes=4096).occurrences
    assert (place.offset, place.length, place.whole) == (8192, 4 * MOST_LENGTH, True)


@pytest.mark.parametrize("name", IMAGES)
def test_hostile_images_hold_nothing(name: str) -> None:
    report = search(IMAGES[name](64 << 10))
    assert report.findings == []
    assert report.complete


def test_an_image_full_of_a_secret_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (sketch_table, searching):
        monkeypatch.setattr(module, "MOST_HITS", 100)
    report = search(KEY * 2000, chunk_bytes=16384)
    (gap, *_) = [gap for gap in report.not_searched if gap.detector == "sketches"]
    assert gap.reason == "more than 100 places in one chunk agree with a sketch"
    assert report.findings[0].whole
    assert not report.complete


@pytest.mark.parametrize("name", ["zeros", "random", "text", "ordinary"])
def test_nothing_is_found_where_nothing_is(name: str) -> None:
    chance = random.Random(name)
    made = sketch_of([(str(n), "hs256", chance.randbytes(32)) for n in range(300)])
    report = search(filler(name, 1 << 20, 3), made)
    assert report.findings == []


def test_many_secrets_are_told_apart() -> None:
    values = [random.Random(n).randbytes(32) for n in range(500)]
    made = sketch_of([(str(n), "secret", value) for n, value in enumerate(values)])
    image = filler("ordinary", 1 << 20, 9)
    for n in range(0, 500, 7):
        image[2000 * n : 2000 * n + 32] = values[n]
    found = {finding.key.origin.kid for finding in search(image, made).findings}
    assert found == {str(n) for n in range(0, 500, 7)}


def test_equal_secrets_are_both_named() -> None:
    made = sketch_of([("a", "aes", KEY), ("b", "aes", KEY)])
    assert {one.key.origin.kid for one in search(planted(KEY, 4096), made).findings} == {"a", "b"}
    again = sketch_of([("c", "aes", KEY)])
    found = {one.key.origin.kid for one in search(planted(KEY, 4096), made, again).findings}
    assert found == {"a", "b", "c"}


def test_the_same_in_every_mode_and_with_all_detectors() -> None:
    image = planted(KEY, 4099, name="ordinary")
    expected = search(image).findings
    assert scan(image, sketches=(SKETCH,)).findings == expected
    assert scan(image, sketches=(SKETCH,), mode="exhaustive").findings == expected


def test_without_sketches_nothing_is_different() -> None:
    report = scan(planted(KEY, 4096))
    assert report.findings == []
    assert "sketches" not in str(report.not_searched)


@pytest.mark.parametrize("form", ["terminal", "json", "sarif", "html"])
def test_reports_say_what_was_found(form: str, tmp_path: object) -> None:
    import io
    from pathlib import Path

    path = Path(str(tmp_path)) / "image.raw"
    path.write_bytes(planted(KEY[2:30], 4099) + planted(PASSWORD, 4100))
    report = scan_targets([str(path)], options=ScanOptions(threads=1, sketches=(SKETCH,)))
    assert report.sketched == 3
    assert report.detectors[-1] == "sketches"
    stream = io.StringIO()
    write_report(report, stream, form, ReportOptions(show_all=True))  # type: ignore[arg-type]
    text = stream.getvalue()
    assert "pass" in text
    assert "28 of 32 bytes in a row: 13 digests" in text
    assert "sketch" in text
    assert PASSWORD.decode() not in text


def test_json_report_has_the_promised_shape(tmp_path: object) -> None:
    import io
    import json
    from pathlib import Path

    import jsonschema

    from immure.scanning.report.json import read_schema

    path = Path(str(tmp_path)) / "image.raw"
    path.write_bytes(planted(KEY, 4099))
    report = scan_targets([str(path)], options=ScanOptions(threads=1, sketches=(SKETCH,)))
    stream = io.StringIO()
    write_report(report, stream, "json", ReportOptions())
    plain = json.loads(stream.getvalue())
    jsonschema.validate(plain, read_schema())
    assert plain["sketched"] == 3
    assert plain["images"][0]["findings"][0]["key"]["kty"] == "oct"


def test_a_fingerprint_is_of_the_sketch_and_not_of_the_secret() -> None:
    key = only(planted(KEY, 4096)).key
    again = sketch_of([("key", "hs256", KEY)])
    assert isinstance(key, OctKey)
    assert key.thumbprint != again.secrets[0].fingerprint
    assert key.to_jwk() == {"kty": "oct"}


# ---- text around a place ----


@given(st.binary(max_size=60), st.binary(min_size=24, max_size=60), st.binary(max_size=60), st.data())
@settings(max_examples=80)
def test_bytes_around_a_place(before: bytes, value: bytes, after: bytes, data: st.DataObject) -> None:
    """Whatever is read around a place is there, in that writing, and names the place it was read at."""
    number = data.draw(st.sampled_from(range(6)))
    writing = WRITINGS[number]
    texts = {
        0: value,
        1: value.hex().encode(),
        2: base64.b64encode(value).rstrip(b"="),
        3: bytes(32 + byte % 95 for byte in value),
    }
    text = texts[number] if number < 3 else texts[{3: 3, 4: 1, 5: 2}[number]].decode().encode("utf-16-le")
    memory = before + text + after
    at = len(before) + data.draw(st.integers(0, 3)) * writing.group * writing.width
    found, index, start = bytes_around(memoryview(memory), at, writing, 40)
    assert 0 <= start <= at
    assert index == (at - start) // writing.width * writing.bits // 8
    offset, length = writing.place(start, index, len(found))
    assert offset == at
    assert offset + length <= len(memory)


# ---- noise ----


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every image count as one that is too large to be searched for everything."""
    from immure.scanning import plan

    monkeypatch.setattr(plan, "BUDGETS", dict.fromkeys(plan.BUDGETS, 0))


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize("chunk_bytes", [1 << 16, 1 << 20])
def test_quick_mode_leaves_noise_out_of_large_images_and_says_so(chunk_bytes: int) -> None:
    image = (
        filler("ordinary", 64 << 10, 1)
        + random.Random(1).randbytes(256 << 10)
        + filler("ordinary", 64 << 10, 2)
    )
    for offset in (4099, (64 << 10) + 1200, 200 << 10, 350 << 10):
        image[offset : offset + 32] = KEY
    report = search(image, chunk_bytes=chunk_bytes)
    (finding,) = report.findings
    found = [one.offset for one in finding.occurrences]
    assert found == [4099, (64 << 10) + 1200, 350 << 10]
    gaps = [gap for gap in report.not_searched if gap.detector == "sketches"]
    assert sum(gap.length for gap in gaps) == (256 << 10) - 4096
    assert gaps[0].offset == (64 << 10) + 2048
    assert {gap.reason for gap in gaps} == {
        "quick mode: noise (64 KiB or more of random-looking pages) was left out"
    }
    report = search(image, chunk_bytes=chunk_bytes, mode="exhaustive")
    assert len(report.findings[0].occurrences) == 4
    assert [gap for gap in report.not_searched if gap.detector == "sketches"] == []


@pytest.mark.usefixtures("large")
def test_noise_is_left_out_whatever_else_is_searched_for() -> None:
    image = filler("random", 256 << 10, 1)
    image[128 << 10 : (128 << 10) + 32] = KEY
    for options in ({"detectors": ("ec",)}, {"harvest": True}, {}):
        report = search(image, **options)
        assert report.findings == []
        assert any(gap.detector == "sketches" for gap in report.not_searched)
    report = scan(image, "RSA-1024", "P-256", sketches=(SKETCH,))
    assert report.findings == []


def test_small_images_are_searched_completely() -> None:
    image = filler("random", 256 << 10, 1)
    image[(128 << 10) + 3 : (128 << 10) + 35] = KEY
    report = search(image)
    assert report.findings[0].whole
    assert report.complete
