"""The prover's own numbers, against plain identities and against the catalog, which it does not use."""

from __future__ import annotations

import hashlib

import pytest

from immure.keymaterial.curves import CURVES, EDWARDS_ORDERS
from immure.keymaterial.encodings import scalar_numbers, secret_numbers
from immure.keymaterial.private import OkpPrivate, RsaPrivate
from immure.redact.prove import arithmetic
from immure.redact.prove.arithmetic import Number, numbers_of

from .material import SEED_BYTES, key, private, rsa_key

KEYS = ("RSA-1024", "RSA-2048", *CURVES, *SEED_BYTES)


def by_name(numbers: list[Number]) -> dict[str, Number]:
    return {number.name: number for number in numbers}


@pytest.mark.parametrize("kind", KEYS)
def test_every_number_of_the_catalog_is_there(kind: str) -> None:
    known = private(kind)
    ours = {number.value for number in numbers_of(known)}
    for name, value in secret_numbers(known).items():
        number = int.from_bytes(value, "little") if isinstance(value, bytes) else value
        assert number in ours, name


def test_names_are_those_of_the_catalog() -> None:
    for kind in KEYS:
        numbers, catalog = by_name(numbers_of(private(kind))), secret_numbers(private(kind))
        for name in catalog.keys() & numbers.keys():
            value = catalog[name]
            assert numbers[name].value == (
                int.from_bytes(value, "little") if isinstance(value, bytes) else value
            )


@pytest.mark.parametrize("e", [3, 65537])
def test_rsa(e: int) -> None:
    known = rsa_key(1024, e)
    numbers = {number.name: number.value for number in numbers_of(known)}
    p, q, n = numbers["p"], numbers["q"], known.public.n
    assert p * q == n
    assert numbers["dp"] * e % (p - 1) == numbers["dq"] * e % (q - 1) == 1
    assert numbers["qinv"] * q % p == numbers["pinv"] * p % q == 1
    assert (numbers["p_less_1"], numbers["q_less_1"]) == (p - 1, q - 1)
    assert numbers["n0_p"] * p % 2**64 == numbers["n0_q"] * q % 2**64 == 1
    assert (numbers["n0_p"] + numbers["n0_minus_p"]) % 2**64 == 0
    assert (numbers["phi_low"] - (p - 1) * (q - 1)) % 2**512 == 0


def test_nothing_public_counts_as_secret() -> None:
    """With e = 3, e·d begins like a small multiple of n, which is no secret."""
    for _ in range(4):
        known = rsa_key(1024, 3)
        public = {
            (known.public.n * factor // divisor) >> 768 for factor in (1, 2, 3) for divisor in (1, 2, 4, 8)
        }
        for number in numbers_of(known):
            assert number.value >> 768 not in public - {0}, number.name


def test_an_exponent_as_it_was_given() -> None:
    known = private("RSA-1024")
    assert isinstance(known, RsaPrivate)
    p, q = known.p.reveal(), known.q.reveal()
    from immure.keymaterial.private import rsa_from_parts

    given = rsa_from_parts(known.public.n, known.public.e, known.d.reveal() + (p - 1) * (q - 1), p, q)
    assert by_name(numbers_of(given))["d_given"].value == given.d.reveal()


@pytest.mark.parametrize("curve", CURVES)
def test_curves_are_the_right_ones(curve: str) -> None:
    assert (arithmetic._ORDERS[curve], arithmetic._FIELDS[curve][0]) == (CURVES[curve].n, CURVES[curve].p)


def test_edwards_orders_are_the_right_ones() -> None:
    assert {name: EDWARDS_ORDERS[name] for name in ("Ed25519", "Ed448")} == arithmetic._EDWARDS


def test_ed25519_seed_and_hash() -> None:
    known = private("Ed25519")
    assert isinstance(known, OkpPrivate)
    digest = hashlib.sha512(known.seed.reveal()).digest()
    numbers = by_name(numbers_of(known))
    assert numbers["expanded"].value.to_bytes(64, "little") == digest
    assert numbers["prefix"].value.to_bytes(32, "little") == digest[32:]


def test_a_scalar_alone() -> None:
    known = key("scalar")
    numbers = by_name(numbers_of(known))
    expected = scalar_numbers("Ed25519", known.scalar.reveal())  # type: ignore[union-attr]
    assert {name: number.value.to_bytes(32, "little") for name, number in numbers.items()} == expected


def test_numbers_do_not_show_themselves() -> None:
    assert repr(numbers_of(private("P-256"))[0]) == "Number('d', 256 bits)"
