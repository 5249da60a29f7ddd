"""Numbers in long runs of base64 and hex characters."""

from __future__ import annotations

import base64
import random

import pytest

from immure.scanning import texts
from immure.scanning.options import Mode

from .material import PAGE, filler, forms, planted, scan
from .test_search import of_key

WRITTEN = [
    (kind, secret, write)
    for kind, secret, form in (("RSA-1024", "p", "be"), ("P-384", "d", "be"), ("Ed25519", "seed", "raw"))
    for write in ("base64", "hex", "base64-utf16le")
]


def in_the_middle(kind: str, secret: str, write: str) -> bytes:
    """A text of 3 KiB, the number somewhere in it."""
    chance = random.Random(f"{kind} {write}")
    data = (
        chance.randbytes(1000)
        + forms(kind)[secret, "raw" if kind == "Ed25519" else "be"]
        + chance.randbytes(1000)
    )
    if write == "hex":
        return data.hex().encode()
    text = base64.b64encode(data)
    return text.decode().encode("utf-16-le") if write.endswith("utf16le") else text


@pytest.mark.parametrize(("kind", "secret", "write"), WRITTEN)
def test_a_number_in_the_middle_of_a_long_text(kind: str, secret: str, write: str) -> None:
    memory = planted(in_the_middle(kind, secret, write), PAGE + 4, size=6 * PAGE)
    finding = of_key(scan(memory, kind, mode="exhaustive", chunk_bytes=1 << 14), kind)
    assert finding is not None
    assert [(one.secret, one.whole) for one in finding.occurrences] == [(secret, True)]


@pytest.mark.parametrize(("mode", "is_found"), [("quick", False), ("exhaustive", True)])
def test_of_many_texts_quick_mode_searches_the_ends_and_says_so(
    mode: Mode, is_found: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(texts, "EVERYWHERE_BYTES", 1 << 12)
    memory = planted(in_the_middle("P-384", "d", "base64"), PAGE, size=6 * PAGE)
    report = scan(memory, "P-384", mode=mode)
    assert (of_key(report, "P-384") is not None) == is_found
    assert report.complete == is_found
    ends = base64.b64encode(forms("P-384")["d", "be"])
    assert of_key(scan(memory + ends + bytes(PAGE), "P-384", mode=mode), "P-384") is not None


@pytest.mark.parametrize("write", ["base64", "hex", "base64-utf16le", "pkcs8"])
@pytest.mark.parametrize("before", [1000, 40_000])
def test_a_text_that_is_longer_than_chunks_is_searched_to_its_end(write: str, before: int) -> None:
    """A text belongs to the chunk in which it begins, but for what lies too far behind that."""
    chance = random.Random(before)
    number = forms("P-256")["key", "pkcs8-der"] if write == "pkcs8" else forms("P-256")["d", "be"]
    data = chance.randbytes(before) + number + chance.randbytes(1000)
    text = data.hex().encode() if write == "hex" else base64.b64encode(data)
    text = text.decode().encode("utf-16-le") if write.endswith("utf16le") else text
    report = scan(bytes(100) + text + bytes(100), "P-256", mode="exhaustive", chunk_bytes=8 * PAGE)
    assert of_key(report, "P-256") is not None


def test_texts_that_do_not_fit_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts, "POOL_BYTES", 1 << 20)
    data = base64.b64encode(filler("random", 600_000))
    report = scan(data, "P-256", chunk_bytes=1 << 17)
    reasons = {gap.reason for gap in report.not_searched}
    assert "more than 1 MiB of decoded text" in reasons
