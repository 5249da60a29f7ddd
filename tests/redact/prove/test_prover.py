"""The proof as a whole, on built images and on real cores."""

from __future__ import annotations

import json
import re

import pytest

from immure.dumps.open import open_image
from immure.redact.prove import ProofReport, ProveOptions, prove, scan
from immure.synth import CoreThread, Segment, build_elf_core, ordinary_memory

from .material import KINDS, NO_DEBUGGER, all_strings, erased, fill, image, key, noise, planted, string
from .readers.cores import RealCore

PAGE = 4096


def core(memory: bytes) -> bytes:
    threads = [CoreThread(7, 0x7000_0000, 0x40_1000)]
    return build_elf_core([Segment(0x40_0000, memory)], threads=threads).data


def shown(original: bytes, options: ProveOptions = NO_DEBUGGER) -> list[tuple[int, int]]:
    """Where the prover's own scan sees anything of the keys."""
    scanned, residue = scan(image(original), [key(kind) for kind in KINDS], options=options)
    return [(part.offset, part.length) for part in (*scanned.fragments, *residue.pieces)]


def proof(original: bytes, redacted: bytes, spans: list[tuple[int, int]]) -> ProofReport:
    secrets = [key(kind) for kind in KINDS]
    return prove(image(original), image(redacted), secrets, spans, fill, options=NO_DEBUGGER)


@pytest.fixture(scope="module")
def original() -> bytes:
    memory = ordinary_memory(64 * PAGE, seed=4)
    for number, kind in enumerate(KINDS):
        data = all_strings(kind)[0].data
        memory[PAGE * (number + 1) + 3 * number : PAGE * (number + 1) + 3 * number + len(data)] = data
    return core(bytes(memory))


def test_a_right_redaction_is_proved(original: bytes) -> None:
    spans = shown(original)
    assert len(spans) >= len(KINDS)
    report = proof(original, erased(original, spans), spans)
    assert report.ok, report.reasons
    assert not report.complete
    assert report.not_done == ["debugger: not asked for"]


def test_every_span_is_needed(original: bytes) -> None:
    """A redaction that misses one copy fails in the scan, and nowhere else is it looked at more kindly."""
    spans = shown(original)
    for index, span in enumerate(spans):
        others = spans[:index] + spans[index + 1 :]
        report = proof(original, erased(original, others), others)
        assert (report.ok, report.scan.status, report.bytes.status) == (False, "failed", "ok"), span
        assert [part.offset for part in report.scan.fragments] == [span[0]]


def test_a_span_that_was_forgotten_when_writing(original: bytes) -> None:
    spans = shown(original)
    report = proof(original, erased(original, spans[1:]), spans)
    assert (report.scan.status, report.bytes.status) == ("failed", "failed")
    assert len(report.reasons) >= 2


def test_one_foreign_byte(original: bytes) -> None:
    spans = shown(original)
    redacted = bytearray(erased(original, spans))
    redacted[-9] ^= 1
    report = proof(original, bytes(redacted), spans)
    assert (report.ok, report.scan.status, report.residue.status, report.bytes.status) == (
        False,
        "ok",
        "ok",
        "failed",
    )


@pytest.mark.parametrize("cut", [1, PAGE])
def test_another_size(original: bytes, cut: int) -> None:
    spans = shown(original)
    report = proof(original, erased(original, spans)[:-cut], spans)
    assert report.bytes.status == "failed"
    assert "bytes instead of" in report.bytes.reason


def test_another_format(original: bytes) -> None:
    spans = [*shown(original), (0, 4)]
    report = proof(original, erased(original, spans), spans)
    assert report.bytes.status == "failed"
    assert "a raw image instead of a elf-core image" in report.bytes.reason


def test_the_report_as_json_holds_no_secret(original: bytes) -> None:
    text = json.dumps(proof(original, original, []).to_json())
    assert json.loads(text)["ok"] is False
    for kind in KINDS:
        for writing in all_strings(kind):
            for form in (writing.data.hex(), writing.data.decode("latin-1")):
                assert len(form) < 16 or form[:16] not in text
            if writing.encoding == "decimal":
                assert writing.data[:15].decode() not in text
    assert not re.search(r"[0-9a-f]{24}", text.replace("0x", ""))


def test_json_lists_only_so_much() -> None:
    data = string("P-256", "d", "le").data[:16]
    memory = bytes(planted([(40 * n, data) for n in range(1500)], 1 << 16))
    report = prove(image(memory), image(memory), [key("P-256")], [], fill, options=NO_DEBUGGER)
    found = report.to_json()["scan"]
    assert (found["fragments"], len(found["listed"])) == (1500, 1000)


def test_progress_is_told() -> None:
    told: list[int] = []
    memory = bytes(noise(3 * PAGE + 5))
    prove(image(memory), image(memory), [], [], fill, options=NO_DEBUGGER, advance=told.append)
    assert sum(told) == len(memory)


def test_without_keys_bytes_are_compared_all_the_same() -> None:
    memory = bytes(noise(3 * PAGE))
    report = prove(image(memory), image(erased(memory, [(5, 9)])), [], [], fill, options=NO_DEBUGGER)
    assert (report.scan.status, report.bytes.status) == ("ok", "failed")


@pytest.mark.real
def test_a_real_core(python_core: RealCore) -> None:
    """All that a real process left of three keys is seen; without it the proof holds, gdb's part included."""
    data = python_core.path.read_bytes()
    with open_image(python_core.path) as opened:
        scanned, residue = scan(opened, python_core.secrets)
        spans = [(part.offset, part.length) for part in (*scanned.fragments, *residue.pieces)]
        covered = [
            (at, size)
            for at, size in python_core.truth
            if any(o <= at and at + size <= o + n for o, n in spans)
        ]
        assert covered == python_core.truth
        assert len(covered) >= 10
        redacted = python_core.path.with_name("redacted")
        redacted.write_bytes(erased(data, spans))
        with open_image(redacted) as result:
            report = prove(opened, result, python_core.secrets, spans, fill)
        assert report.complete, (report.reasons, report.not_done)
        assert all(not one.bits_left for one in report.residue.keys)
        missed = python_core.truth[0]  # one copy that the redaction did not see
        others = [(at, size) for at, size in spans if not at <= missed[0] < at + size]
        redacted.write_bytes(erased(data, others))
        with open_image(redacted) as result:
            report = prove(opened, result, python_core.secrets, others, fill, options=NO_DEBUGGER)
        assert (report.ok, report.scan.status, report.bytes.status) == (False, "failed", "ok")
