"""Primes computed from a part of their bits."""

from __future__ import annotations

import pytest

from immure.keymaterial.private import RsaPrivate
from immure.redact.prove.lattice import attempt

from .material import key


@pytest.fixture(params=["RSA-1024", "RSA-2048"])
def known(request: pytest.FixtureRequest) -> RsaPrivate:
    found = key(request.param)
    assert isinstance(found, RsaPrivate)
    return found


@pytest.mark.parametrize(
    ("share", "low", "dimension"),
    [(0.30, 0.0, 3), (0.30, 0.70, 3), (0.30, 0.35, 3), (0.38, 0.0, 5), (0.41, 0.2, 7), (0.42, 0.0, 9)],
)
def test_a_stretch_of_unknown_bits(known: RsaPrivate, share: float, low: float, dimension: int) -> None:
    """At the low end, at the high end, and in the middle."""
    n, prime = known.public.n, known.p.reveal()
    bits = prime.bit_length()
    unknown = int(share * bits)
    mask = (1 << bits) - 1 & ~((1 << unknown) - 1 << int(low * bits))
    (result,) = attempt("p", n, prime, mask)
    assert result.recovered
    assert result.unknown_bits == unknown
    assert result.dimension <= dimension


def test_too_few_bits_are_not_tried(known: RsaPrivate) -> None:
    assert attempt("p", known.public.n, known.p.reveal(), 0) == []
    assert attempt("p", known.public.n, known.p.reveal(), 1 << 40) == []


def test_all_bits_need_no_lattice(known: RsaPrivate) -> None:
    prime = known.p.reveal()
    (result,) = attempt("p", known.public.n, prime, (1 << prime.bit_length()) - 1)
    assert result.recovered
    assert result.dimension == 0


def test_wrong_bits_give_nothing(known: RsaPrivate) -> None:
    """The known bits are those of another number: then the lattice finds no factor."""
    prime = known.p.reveal()
    mask = (1 << prime.bit_length()) - (1 << 100)
    (result,) = attempt("p", known.public.n, prime ^ 1 << 300, mask)
    assert not result.recovered
