"""Images made to keep the scanner busy: bounded in time and memory, and what was given up on is said."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from immure.keymaterial.key import Origin, PublicKey, RsaNumbers
from immure.scanning import harvest, survey
from immure.scanning.options import ScanOptions
from immure.scanning.scanner import scan_image
from keymaterial import formats, keys

from .hostile import IMAGES, fake_moduli, pem_headers
from .material import PAGE, filler, forms, image_of, planted, scan

SIZE, CHUNK = 48 << 10, 1 << 15
#: Seconds for one of these on a busy machine. What they must not do is to take minutes or hours.
PATIENCE = 20.0


@pytest.mark.parametrize("name", IMAGES)
def test_hostile_images_take_bounded_time(name: str) -> None:
    began = time.process_time()
    report = scan(IMAGES[name](SIZE), "RSA-1024", "P-256", "Ed25519", chunk_bytes=CHUNK)
    assert report.findings == []
    assert report.error is None
    assert time.process_time() - began < PATIENCE


def test_a_key_among_anchors_is_found() -> None:
    memory = pem_headers(SIZE) + forms("RSA-1024")["key", "pkcs8-der"] + pem_headers(SIZE)
    assert [found.key.label for found in scan(memory, "RSA-1024").findings] == ["RSA-1024"]


def test_too_many_structures_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(survey, "FAILURE_LIMIT", 100)
    report = scan(pem_headers(SIZE), chunk_bytes=CHUNK)
    gaps = [gap for gap in report.not_searched if gap.detector == "structure"]
    assert len(gaps) == 2
    assert all(gap.reason == "too many possible structures in one chunk" for gap in gaps)
    assert [(gap.offset + gap.length) % CHUNK for gap in gaps] == [0, len(pem_headers(SIZE)) % CHUNK]


def test_many_keys_are_not_too_many_structures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what turns out to be none counts."""
    monkeypatch.setattr(survey, "FAILURE_LIMIT", 2)
    store = formats.jks(keys.key("RSA-1024"), "changeit")
    report = scan((store + bytes(64)) * 6, detectors=("structure",))
    assert report.not_searched == []
    assert len(report.findings) == 1


def test_too_many_stores_that_no_password_opens_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each costs a while: thirty passwords are tried."""
    monkeypatch.setattr(survey, "STORE_LIMIT", 2)
    store = formats.jks(keys.key("RSA-1024"), "nobody knows")
    store += bytes(-len(store) % 8)
    report = scan(store * 4, detectors=("structure",), chunk_bytes=1 << 16)
    [note] = report.warnings
    assert "3 times, first at offset" in note
    [gap] = report.not_searched
    assert (gap.detector, gap.reason) == ("structure", "too many possible structures in one chunk")
    assert gap.offset == 2 * len(store)


def test_too_many_public_keys_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(harvest, "MOST_KEYS", 5)
    report = scan(fake_moduli(8 * PAGE))
    assert report.statistics["keys_harvested"] == 5
    assert [gap.detector for gap in report.not_searched] == ["ec", "montgomery", "rsa"]
    assert {gap.reason for gap in report.not_searched} == {
        "more than 5 public keys in the image: those from here on are not searched for"
    }


@pytest.mark.parametrize("bits", [3, 64, 1023, 8193, 1 << 17])
def test_keys_of_silly_size_cost_nothing(bits: int) -> None:
    began = time.process_time()
    key = PublicKey(RsaNumbers((1 << bits - 1) + 1, 3), Origin("x"))
    report = scan_image(image_of(filler("random", 4 * PAGE)), [key], ScanOptions(threads=1))
    assert report.findings == []
    assert len(report.warnings) == 1
    assert time.process_time() - began < 2


def test_one_number_a_thousand_times_is_one_finding() -> None:
    one = forms("P-256")["d", "be"] + bytes(16)
    report = scan(one * 1000 + bytes(PAGE), "P-256")
    [finding] = report.findings
    assert len(finding.occurrences) == 1000


PROGRAM = """
import json, re, sys
sys.path.insert(0, sys.argv[1])
def peak():  # KiB; getrusage would tell of the process that started this one, too
    return int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])
from immure.scanning.options import ScanOptions
from immure.scanning.scanner import scan_targets
from scanning.material import public
import immure.scanning.detectors.ec, flint, cryptography.hazmat.primitives.asymmetric.rsa
before = peak()
keys = [public("RSA-1024"), public("P-256")]
report = scan_targets([sys.argv[2]], keys=keys, options=ScanOptions(threads=2))
after = peak()
print(json.dumps([before, after, len(report.findings), report.images[0].size]))
"""


@pytest.mark.parametrize("name", ["zeros", "text"])
def test_memory_does_not_grow_with_the_image(name: str, tmp_path: Path) -> None:
    """Less than the promised 400 MiB, whatever the size; zeros are nearly nothing when compressed."""
    import gzip

    number = bytes(64) + forms("RSA-1024")["p", "le64"] + bytes(64)
    piece = bytes(planted(number, 5 * PAGE, name=name, size=1 << 20))
    path = tmp_path / "image.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        for _ in range(192 if name == "zeros" else 64):
            file.write(piece)
    tests = str(Path(__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, tests, str(path)], check=True, capture_output=True, text=True
    )
    before, after, findings, size = json.loads(done.stdout)
    assert (findings, size) == (1, (192 if name == "zeros" else 64) << 20)
    assert after < 400 << 10
    assert after - before < 330 << 10
