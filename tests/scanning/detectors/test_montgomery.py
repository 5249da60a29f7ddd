"""R and R² modulo a prime give it away."""

from __future__ import annotations

import pytest

from ..material import PAGE, forms, planted, scan

SIZES = ("RSA-1024", "RSA-1536", "RSA-2048", "RSA-3072")


@pytest.mark.parametrize("kind", SIZES)
@pytest.mark.parametrize("secret", ["r_p", "r_q", "rr_p", "rr_q"])
@pytest.mark.parametrize("filling", ["zeros", "random"])
def test_a_constant_proves_the_key(kind: str, secret: str, filling: str) -> None:
    memory = planted(forms(kind)[secret, "le64"], PAGE, name=filling, size=3 * PAGE)
    report = scan(memory, kind, chunk_bytes=PAGE)
    [finding] = report.findings
    assert [(one.secret, one.offset, one.whole) for one in finding.occurrences] == [(secret, PAGE, True)]
    assert "Montgomery constant" in finding.proof
    assert scan(memory, kind, detectors=("rsa", "ec", "structure")).findings == []


@pytest.mark.parametrize("secret", ["qinv", "dp", "dq", "pinv", "qinv_mont"])
def test_other_numbers_modulo_a_prime_do_not(secret: str) -> None:
    assert scan(planted(forms("RSA-1024")[secret, "le64"], PAGE), "RSA-1024").findings == []
