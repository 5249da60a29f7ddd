"""Primes and private exponents: for few keys one by one, for many in batches."""

from __future__ import annotations

import random

import pytest

from immure.keymaterial.key import Origin, PublicKey, RsaNumbers
from immure.scanning.detectors.rsa import DIRECT_KEYS
from immure.scanning.options import ScanOptions
from immure.scanning.scanner import scan_image

from ..material import PAGE, forms, image_of, planted, private, public, scan


def strangers(count: int) -> list[PublicKey]:
    """Odd numbers of 1,024 bits: the search cannot know that they are no keys."""
    chance = random.Random(5)
    return [
        PublicKey(RsaNumbers(chance.getrandbits(1022) | 1 | 1 << 1023, 65537), Origin("x"))
        for _ in range(count)
    ]


@pytest.mark.parametrize("others", [0, DIRECT_KEYS - 1, DIRECT_KEYS, 4 * DIRECT_KEYS])
@pytest.mark.parametrize(
    ("secret", "form"),
    [
        ("p", "le64"),
        ("q", "be"),
        ("p", "be32w"),
        ("q", "be64w"),
        ("p", "py30"),
        ("q", "smi28"),
        ("d", "le64"),
        ("d", "be"),
    ],
)
def test_one_of_many_keys(secret: str, form: str, others: int) -> None:
    keys = [*strangers(others), public("RSA-1024")]
    memory = planted(forms("RSA-1024")[secret, form], PAGE, name="ordinary", size=3 * PAGE)
    report = scan_image(image_of(memory), keys, ScanOptions(threads=1, chunk_bytes=PAGE))
    assert [found.key for found in report.findings] == [public("RSA-1024")]
    assert (PAGE, True) in [(one.offset, one.whole) for one in report.findings[0].occurrences]


@pytest.mark.parametrize("detectors", [("rsa",), ("montgomery",), ("ec",), ("structure",)])
def test_a_prime_is_found_by_its_detector_only(detectors: tuple[str, ...]) -> None:
    memory = planted(forms("RSA-1024")["p", "le64"], PAGE)
    assert bool(scan(memory, "RSA-1024", detectors=detectors).findings) == (detectors == ("rsa",))


@pytest.mark.parametrize("e", [3, 17, 65537])
def test_exponents_for_other_public_exponents(e: int) -> None:
    p, q = (int.from_bytes(forms("RSA-2048")[name, "be"], "big") for name in ("p", "q"))
    phi = (p - 1) * (q - 1)
    try:
        d = pow(e, -1, phi)
    except ValueError:
        pytest.skip(f"NOT TESTED: e = {e} has no inverse for this key")
    key = PublicKey(RsaNumbers(p * q, e), Origin("x"))
    memory = planted(d.to_bytes(256, "big"), PAGE + 3)
    assert len(scan_image(image_of(memory), [key], ScanOptions(threads=1)).findings) == 1


def test_a_multiple_of_a_prime_is_not_taken_for_the_prime() -> None:
    prime = int.from_bytes(forms("RSA-1024")["p", "be"], "big")
    memory = planted((3 * prime >> 2).to_bytes(64, "big"), PAGE)
    assert scan(memory, "RSA-1024").findings == []
    assert private("RSA-1024").public == public("RSA-1024").numbers
