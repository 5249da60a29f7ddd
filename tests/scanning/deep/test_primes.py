"""Primes of which one end was overwritten, found in memory."""

from __future__ import annotations

import random

import pytest

from immure.keymaterial.private import RsaPrivate
from immure.scanning.deep.primes import steps_for
from immure.scanning.deep.rebuilt import encoded

from ..material import private, public
from .damage import OVERWRITES, Case, clobber, deep, memory_with, overwrite


def rsa(kind: str) -> RsaPrivate:
    key = private(kind)
    assert isinstance(key, RsaPrivate)
    return key


@pytest.mark.parametrize("seed", range(30))
def test_up_to_320_bits_of_rsa_2048(seed: int) -> None:
    """The drill does a thousand of these."""
    key = rsa("RSA-2048")
    case = Case.drawn(seed, (key.p.reveal(), key.q.reveal()), most=40)
    report = deep(case.image(), public("RSA-2048"))
    (finding,) = report.findings
    assert finding.partial is not None
    assert finding.kind == "partial"
    assert finding.partial.rebuilt
    assert not finding.whole
    # what overwrote it may agree by chance, and then that much more is there
    assert finding.partial.known_bits >= 8 * (len(case.number) - case.length)
    assert report.not_searched == []


@pytest.mark.parametrize("kind", ["RSA-1024", "RSA-3072", "RSA-4096"])
@pytest.mark.parametrize("at_start", [True, False])
@pytest.mark.parametrize("layout", ["le64", "be"])
def test_other_sizes(kind: str, at_start: bool, layout: str) -> None:
    prime = rsa(kind).q.reveal()
    width = prime.bit_length() // 8
    lost = width - steps_for(8 * width)[0].width
    assert lost >= width // 4
    data = clobber(encoded(prime, layout, width), at_start, bytes(lost))
    (finding,) = deep(memory_with(data), public(kind)).findings
    assert finding.partial is not None
    assert (finding.partial.secret, finding.partial.known_bits) == ("q", 8 * (width - lost))


@pytest.mark.parametrize(
    ("lost", "at_start", "method"),
    [
        (48, True, "lattice-5"),
        (48, False, "lattice-5"),
        (56, True, "lattice-11"),
        (64, True, None),  # half a prime is the limit of the method
    ],
)
def test_larger_lattices(lost: int, at_start: bool, method: str | None) -> None:
    data = clobber(encoded(rsa("RSA-2048").p.reveal(), "le64", 128), at_start, bytes(lost))
    findings = deep(memory_with(data, name="zeros"), public("RSA-2048")).findings
    assert [finding.partial.method for finding in findings if finding.partial] == ([method] if method else [])


@pytest.mark.parametrize("kind", OVERWRITES)
def test_without_deep_nothing_is_found(kind: str) -> None:
    """What is left of the prime is no number that the ordinary scan knows."""
    written = overwrite(kind, 16, random.Random(kind))
    data = clobber(encoded(rsa("RSA-2048").p.reveal(), "le64", 128), True, written)
    image = memory_with(data)
    assert deep(image, public("RSA-2048"), deep=False).findings == []
    assert len(deep(image, public("RSA-2048")).findings) == 1


def test_whole_primes_are_no_partial_finding() -> None:
    image = memory_with(encoded(rsa("RSA-2048").p.reveal(), "le64", 128))
    (finding,) = deep(image, public("RSA-2048")).findings
    assert (finding.kind, finding.partial) == ("named", None)


@pytest.mark.parametrize(("threads", "chunk_bytes"), [(1, 4096), (3, 8192), (2, 1 << 20)])
def test_findings_depend_on_neither_threads_nor_chunks(threads: int, chunk_bytes: int) -> None:
    data = clobber(encoded(rsa("RSA-2048").p.reveal(), "le64", 128), True, bytes(24))
    image = memory_with(data, offset=3 * 4096 - 64)
    expected = deep(image, public("RSA-2048")).findings
    found = deep(image, public("RSA-2048"), threads=threads, chunk_bytes=chunk_bytes).findings
    assert len(found) == 1
    assert found == expected


def test_inside_of_a_long_run_only_exhaustively() -> None:
    """Quick mode looks at ends of runs; in the middle of noise there is none."""
    chance = random.Random(5)
    data = clobber(encoded(rsa("RSA-2048").p.reveal(), "le64", 128), True, chance.randbytes(16))
    noise = chance.randbytes(1024) + data + chance.randbytes(1024)
    image = memory_with(noise, name="zeros")
    assert deep(image, public("RSA-2048")).findings == []
    (finding,) = deep(image, public("RSA-2048"), mode="exhaustive").findings
    assert finding.kind == "partial"
