"""Scans broken images of every format from end to end: survey, search, sweep, native kernels, all reports.

What the parsers' own harnesses do not see: whether the scanner and the reports can live with whatever a
parser made of foreign bytes, and whether a secret byte ever gets into a report.
"""

from __future__ import annotations

import gzip
import io
import json
import sys
from functools import cache
from pathlib import Path

import jsonschema
from checks import LIMITS
from driver import run
from seeds import images

from immure.dumps import Image, open_reader
from immure.dumps.readers import BytesReader
from immure.errors import ImmureError
from immure.keymaterial.key import Origin, PublicKey
from immure.scanning.finding import ImageReport, ScanReport
from immure.scanning.options import ScanOptions
from immure.scanning.report.formats import FORMATS, write_report
from immure.scanning.report.json import read_schema
from immure.scanning.scanner import scan_image
from immure.synth.elf import Segment, build_elf_core
from immure.synth.numbers import LAYOUTS, encode

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.keymaterial import formats, keys

KINDS = ("RSA-1024", "P-256", "Ed25519", "Ed448")
OPTIONS = ScanOptions(threads=1, chunk_bytes=1 << 16)


@cache
def _validator() -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(read_schema())


@cache
def named() -> tuple[PublicKey, ...]:
    """The keys that are searched for."""
    return tuple(PublicKey(keys.numbers(keys.key(kind)), Origin("keys", kind)) for kind in KINDS)


@cache
def secrets() -> tuple[str, ...]:
    """The secret numbers as a report might show them: as decimal, hexadecimal and base64url digits."""
    values = formats.rsa_values(keys.key("RSA-1024"))
    shown = [values[name] for name in ("p", "q", "d", "dp", "dq", "qi")]
    return tuple(
        text for value in shown for text in (str(value), f"{value:x}", formats.b64url(formats.uint(value)))
    )


def check_scan(data: bytes) -> None:
    """Every image in ``data`` is scanned, and the report on it can be written in every form."""
    report = ScanReport(keys=list(named()), detectors=OPTIONS.detectors)
    try:
        for opened in open_reader("fuzz", BytesReader(data), limits=LIMITS):
            if isinstance(opened, Image):
                with opened as image:
                    report.images.append(scan_image(image, named(), OPTIONS))
            else:
                report.images.append(ImageReport(opened.path, "none", 0, error=opened.reason))
    except ImmureError as error:
        report.images.append(ImageReport("fuzz", "none", 0, error=str(error)))
    for form in FORMATS:
        written = io.StringIO()
        write_report(report, written, form)
        text = written.getvalue()
        assert not any(secret in text for secret in secrets()), form
        if form == "json":
            _validator().validate(json.loads(text))
    for image in report.images:
        _check_places(image)


def _check_places(image: ImageReport) -> None:
    for finding in image.findings:
        assert finding.proof
        assert finding.occurrences, finding.key
        for place in finding.occurrences:
            assert place.length > 0
            assert 0 <= place.offset <= place.offset + place.length <= image.size, place
    for gap in image.not_searched:
        assert gap.reason
        assert gap.length >= 0
        assert gap.offset >= 0


def planted() -> list[bytes]:
    """Cores with whole keys, and with numbers of keys in every layout."""
    values = formats.rsa_values(keys.key("RSA-1024"))
    numbers = b"".join(encode(values[name], layout, 512) + bytes(64) for name in "pq" for layout in LAYOUTS)
    written = [form.build(keys.key(kind)) for form in formats.FORMATS for kind in form.kinds if kind in KINDS]
    texts = b"\xff".join(written)
    return [
        build_elf_core([Segment(0x5000_0000, part, 6)]).data
        for part in (numbers, *(texts[at : at + 8192] for at in range(0, len(texts), 8192)))
    ]


if __name__ == "__main__":
    cores = planted()
    others = [data for kind in ("elf", "minidump", "hprof", "lime", "avml") for data in images(kind)[:2]]
    run(check_scan, [*cores, *others, gzip.compress(cores[0])])
