"""Containers that nothing opens are told of, whoever made them; what a common password opens is a finding."""

from __future__ import annotations

import json

import pytest

from immure.scanning import harvest
from immure.scanning.finding import ImageReport
from immure.synth import plant
from keymaterial import containers, formats, keys

from .material import filler, planted, scan


def sealed_notes(report: ImageReport) -> list[str]:
    return [warning for warning in report.warnings if warning.startswith("sealed")]


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (
            containers.bks(keys.key("P-256"), "a8Kd-2ls9"),
            "BKS key store: none of the common passwords opens it (bks)",
        ),
        (
            formats.jks(keys.key("RSA-1024"), "a8Kd-2ls9"),
            "JKS key store: none of the common passwords opens it (jks)",
        ),
        (
            containers.dpapi(bytes(range(200))),
            f"DPAPI blob of 200 bytes under the master key {containers.MASTER} (dpapi)",
        ),
        (containers.keychain("password"), "keychain of macOS: a common password opens it (keychain)"),
        (containers.tss2(), "a loadable key of a TPM (RSA), which asks for no password (tss2)"),
    ],
    ids=["bks", "jks", "dpapi", "keychain", "tss2"],
)
@pytest.mark.parametrize("memory", ["zeros", "ordinary"])
def test_a_sealed_container_is_told_of(data: bytes, what: str, memory: str) -> None:
    report = scan(planted(data, 4096, name=memory))
    assert report.findings == []
    (note,) = sealed_notes(report)
    assert note.startswith("sealed, so not looked into: at offset ")
    assert note.endswith(what)
    assert sealed_notes(scan(planted(data, 4096, name=memory), detectors=("rsa",))) == []


@pytest.mark.parametrize("write", [containers.bks, formats.jks])
def test_a_store_with_a_common_password_is_a_finding(write: object) -> None:
    assert callable(write)
    key = keys.key("RSA-1024")
    report = scan(planted(write(key, "changeit"), 4096))
    (finding,) = report.findings
    assert finding.key.numbers == keys.numbers(key)
    assert sealed_notes(report) == []


def test_many_of_a_kind_are_one_note_and_many_kinds_are_cut_short(monkeypatch: pytest.MonkeyPatch) -> None:
    image = filler("zeros", 64 << 10)
    for number in range(5):
        plant(image, 4096 * (number + 1), containers.dpapi(bytes(range(100, 200 + number // 3))))
    assert [note.split(", ")[1] for note in sealed_notes(scan(image))] == [
        "so not looked into: 3 times",
        "so not looked into: 2 times",
    ]
    monkeypatch.setattr(harvest, "MOST_NOTES", 1)
    notes = scan(image).warnings
    assert len(sealed_notes(scan(image))) == 1
    assert "1 more kinds of sealed containers" in notes


def test_the_key_of_a_service_account_is_a_finding() -> None:
    """Google's JSON has the PEM text in one line, with line ends written out."""
    key = keys.key("RSA-1024")
    document = {
        "type": "service_account",
        "private_key_id": "x",
        "private_key": formats.pkcs8_pem(key).decode(),
    }
    report = scan(planted(json.dumps(document).encode(), 4096))
    (finding,) = report.findings
    assert finding.key.numbers == keys.numbers(key)
