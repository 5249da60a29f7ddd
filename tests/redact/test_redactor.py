"""Whole redactions of images of every format, with keys planted in them."""

from __future__ import annotations

import gzip
import io
import json
import random
import tarfile
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import NamedTuple

import jsonschema
import pytest

from immure.dumps.compression import decompress
from immure.dumps.readers import BytesReader, FileReader
from immure.errors import ImageError, ImmureError, RedactionError, UsageError
from immure.keymaterial.encodings import encodings, secret_numbers
from immure.redact import (
    NamedSecret,
    RedactionRecord,
    RedactOptions,
    redact_file,
    redact_view,
    redactor,
)
from immure.redact.copies import FilledReader
from immure.redact.fill import fill
from immure.redact.record import read_schema
from immure.redact.span import Span
from immure.scanning.options import ScanOptions
from immure.scanning.scanner import scan_targets
from immure.secret import Secret
from immure.synth import (
    CoreThread,
    Range,
    Segment,
    build_avml,
    build_elf_core,
    build_hprof,
    build_lime,
    build_minidump,
    ordinary_memory,
    plant,
)
from scanning.material import private, public

KINDS = ("RSA-2048", "P-256", "Ed25519")
KEYS = [public(kind) for kind in KINDS]
OPTIONS = RedactOptions(scan=ScanOptions(threads=1), debugger=False)
PAGE = 4096
PAGES = 32


def memory() -> bytes:
    """Ordinary memory with numbers of three keys in it, whole and in pieces."""
    data = ordinary_memory(PAGES * PAGE, seed=11)
    at = PAGE
    for kind in KINDS:
        key = private(kind)
        for name, value in secret_numbers(key).items():
            for encoding, written in encodings(name, value, key):
                if encoding in ("le64", "be", "raw"):
                    plant(data, at, written)
                    plant(data, at + 800, written[: len(written) // 2])
                    at += 1608
    assert at < (PAGES - 1) * PAGE
    return bytes(data)


MEMORY = memory()


def images(memory: bytes) -> dict[str, bytes]:
    threads = [CoreThread(71, 0x7000_0010, 0x5000_0000)]
    segments = [Segment(0x5000_0000, memory[: 8 * PAGE], 5), Segment(0x7000_0000, memory[8 * PAGE :])]
    core = build_elf_core(segments, threads=threads, process=(71, "signer", "signer")).data
    return {
        "elf": core,
        "elf32": build_elf_core(segments, bits=32, machine=3, threads=threads, process=(71, "a", "b")).data,
        "minidump": build_minidump([(s.address, s.data) for s in segments], threads=threads, pid=71).data,
        "hprof": build_hprof(["a"], [memory]).data,
        "lime": build_lime([Range(0x1000, memory)]).data,
        "raw": memory,
        "gzip": gzip.compress(core, 1),
    }


IMAGES = images(MEMORY)
#: The same of less memory, where what matters is not the keys.
SMALL_IMAGES = images(MEMORY[: 10 * PAGE])


class Redacted(NamedTuple):
    """A dump, what was made of it, and the record of that; all tests look at the same."""

    path: Path
    record: RedactionRecord
    out: Path


@pytest.fixture(scope="module")
def redacted(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Redacted]:
    @cache
    def make(name: str) -> Redacted:
        path = tmp_path_factory.mktemp("redacted") / f"{name}.dump"
        path.write_bytes(IMAGES[name])
        return Redacted(path, *run(path))

    return make


@pytest.fixture(params=IMAGES)
def image(request: pytest.FixtureRequest, redacted: Callable[[str], Redacted]) -> Redacted:
    return redacted(request.param)


def run(path: Path, **changes: object) -> tuple[RedactionRecord, Path]:
    out = path.with_name(f"{path.name}.out")
    return redact_file(path, out, keys=KEYS, options=replace(OPTIONS, **changes)), out


def plain(path: Path) -> bytes:
    data = path.read_bytes()
    return b"".join(decompress(BytesReader(data), "gzip")) if data[:2] == b"\x1f\x8b" else data


def test_keys_are_gone_and_every_other_byte_stays(image: Redacted) -> None:
    path, record, out = image
    assert {finding.key.thumbprint for finding in record.findings} == {key.thumbprint for key in KEYS}
    before, after = bytearray(plain(path)), plain(out)
    for span in record.spans:
        assert after[span.offset : span.end] == fill(span.offset, span.length)
        before[span.offset : span.end] = fill(span.offset, span.length)
    assert after == before
    again = scan_targets([str(out)], keys=KEYS, options=ScanOptions(threads=1))
    assert again.findings == []
    for kind in KINDS:
        key = private(kind)
        for name, value in secret_numbers(key).items():
            for encoding, written in encodings(name, value, key):
                if encoding in ("le64", "be", "raw"):
                    assert written not in after, (kind, name, encoding)
                    assert written[:15] not in after, (kind, name, encoding)


@pytest.mark.parametrize("name", IMAGES)
def test_redacting_twice_changes_nothing(name: str, tmp_path: Path) -> None:
    path = tmp_path / "dump"
    path.write_bytes(IMAGES[name])
    record, out = run(path, texts=("tokens", "cookies", "credentials"))
    second, twice = run(out, texts=("tokens", "cookies", "credentials"))
    assert plain(twice) == plain(out)
    assert second.spans == []
    assert second.findings == []
    assert second.source == record.output


def test_the_record_is_whole_and_holds_no_secret(image: Redacted) -> None:
    _, record, out = image
    text = json.dumps(record.to_json())
    jsonschema.Draft202012Validator(read_schema()).validate(json.loads(text))
    assert json.loads(text)["output"]["size"] == out.stat().st_size
    for kind in KINDS:
        for value in secret_numbers(private(kind)).values():
            number = value if isinstance(value, int) else int.from_bytes(value, "big")
            assert f"{number:x}"[:24] not in text
            assert str(number)[:24] not in text


def test_keys_that_the_user_brings_are_erased_where_no_scan_would_find_them(tmp_path: Path) -> None:
    key = private("RSA-2048")
    piece = key.q.reveal().to_bytes(128, "little")[24:60]
    path = tmp_path / "a.raw"
    path.write_bytes(bytes(5000) + piece + bytes(5000))
    record = redact_file(path, tmp_path / "b", options=OPTIONS)
    assert record.spans == []
    record, out = run(path, known=(key,))
    assert piece[8:] not in out.read_bytes()
    assert [one.thumbprint for one in record.known] == [public("RSA-2048").thumbprint]


def test_secrets_of_bytes_are_erased(tmp_path: Path) -> None:
    path = tmp_path / "a.raw"
    path.write_bytes(bytes(100) + b"PGPASSWORD=swordfish-7\0" + bytes(100))
    record, out = run(path, secrets=(NamedSecret("pg", Secret(b"swordfish-7")),))
    assert b"swordfish" not in out.read_bytes()
    assert [(span.kind, span.key) for span in record.spans] == [("secret", "pg")]


def test_only_stacks_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.core"
    path.write_bytes(IMAGES["elf"])
    record, out = run(path, keep=("stacks",))
    after = out.read_bytes()
    assert MEMORY[:PAGE] not in after
    assert MEMORY[-PAGE:] in after
    assert any(span.kind == "region" for span in record.spans)


def archive() -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        entry = tarfile.TarInfo("a.core")
        entry.size = len(SMALL_IMAGES["elf"])
        tar.addfile(entry, io.BytesIO(SMALL_IMAGES["elf"]))
    return stream.getvalue()


REFUSED = {
    "archive": (archive(), RedactionError, "archive"),
    "archive in gzip": (gzip.compress(archive()), RedactionError, "not opened"),
    "gzip in gzip": (gzip.compress(gzip.compress(SMALL_IMAGES["raw"])), RedactionError, "not opened"),
    "avml": (build_avml([Range(0x1000, MEMORY[: 10 * PAGE])]).data, RedactionError, "avml"),
    "cut core": (SMALL_IMAGES["elf"][:-5000], RedactionError, "at offset"),
    "cut gzip": (SMALL_IMAGES["gzip"][:-5000], RedactionError, "cut short"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_understood_has_no_output(name: str, tmp_path: Path) -> None:
    data, error, words = REFUSED[name]
    path = tmp_path / "dump"
    path.write_bytes(data)
    with pytest.raises(error, match=words):
        run(path)
    assert [one.name for one in tmp_path.iterdir()] == ["dump"]


def test_a_dump_does_not_replace_itself(tmp_path: Path) -> None:
    path, link = tmp_path / "dump", tmp_path / "link"
    path.write_bytes(MEMORY)
    link.symlink_to(path)
    for target in (path, link):
        with pytest.raises(UsageError, match="itself"):
            redact_file(path, target, options=OPTIONS)
    assert path.read_bytes() == MEMORY


@pytest.mark.parametrize("target", ["missing/dir/out", "file/out"])
def test_an_output_that_cannot_be_written_is_said(target: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(MEMORY)
    with pytest.raises(RedactionError, match="cannot be written"):
        redact_file(path, tmp_path / target, options=OPTIONS)


def test_a_dump_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(ImageError):
        redact_file(tmp_path / "none", tmp_path / "out", options=OPTIONS)


@pytest.mark.parametrize("seed", range(16))
def test_damaged_images_are_redacted_or_refused(seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)
    data = bytearray(chance.choice(list(SMALL_IMAGES.values())))
    for _ in range(chance.randint(1, 12)):
        data[chance.randrange(min(len(data), 3000))] = chance.randrange(256)
    path = tmp_path / "dump"
    path.write_bytes(data)
    try:
        record, out = run(path)
    except ImmureError:
        assert [one.name for one in tmp_path.iterdir()] == ["dump"]
    else:
        assert out.stat().st_size == record.output.size


@pytest.mark.parametrize("name", [name for name in IMAGES if name != "gzip"])
def test_a_view_is_what_a_copy_would_be(
    name: str, redacted: Callable[[str], Redacted], tmp_path: Path
) -> None:
    path, copied, out = redacted(name)
    options = OPTIONS
    if name == "elf":
        options, path = replace(OPTIONS, keep=("stacks",)), tmp_path / path.name
        path.write_bytes(IMAGES[name])
        copied, out = run(path, keep=options.keep)
    original = BytesReader(IMAGES[name])
    record, view = redact_view(str(path), original, keys=KEYS, options=options)
    assert view.read(0, len(IMAGES[name]) + 1) == out.read_bytes()
    assert (record.output, record.source, record.spans) == (copied.output, copied.source, copied.spans)
    for offset, length in ((0, 5), (PAGE + 3, 4000), (len(IMAGES[name]) - 3, 9)):
        assert view.read(offset, length) == out.read_bytes()[offset : offset + length]


def test_there_is_no_view_of_a_compressed_dump() -> None:
    with pytest.raises(RedactionError, match="compressed"):
        redact_view("dump", BytesReader(IMAGES["gzip"]), options=OPTIONS)


def test_fill_in_a_hole_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "sparse"
    with path.open("wb") as stream:
        stream.truncate(1 << 20)
    reader = FileReader.open(str(path))
    view = FilledReader(reader, [Span(5000, 100, "region"), Span(9000, 10, "region")])
    assert list(view.extents(0, 1 << 20)) == [(5000, 5100), (9000, 9010)]
    assert list(view.extents(5050, 9005)) == [(5050, 5100), (9000, 9005)]
    assert view.read(4990, 20) == bytes(10) + fill(5000, 10)


def test_what_only_the_second_scanner_finds_is_erased_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first is kept from finding one of two copies."""
    data = bytearray(random.Random(8).randbytes(20_000))
    prime = private("RSA-2048").p.reveal().to_bytes(128, "little")
    data[4000:4128] = data[12000:12128] = prime
    path = tmp_path / "dump"
    path.write_bytes(data)

    def half(*arguments: object) -> list[Span]:
        return [span for span in make_plan(*arguments) if span.offset < 8000]  # type: ignore[arg-type]

    make_plan = redactor.make_plan
    monkeypatch.setattr(redactor, "make_plan", half)
    record, out = run(path)
    assert prime[:16] not in out.read_bytes()
    assert any("second scanner" in words for words in record.warnings)
    assert record.proof is not None
    assert record.proof.ok
    monkeypatch.setattr(redactor, "left_over", lambda report: [])
    with pytest.raises(RedactionError, match="not proved"):
        run(path)
