"""Private keys: only what belongs together becomes one."""

from __future__ import annotations

from math import lcm

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from immure.errors import KeyFormatError
from immure.keymaterial.curves import CURVES, EDWARDS_ORDERS, decompress, ec_public, is_okp_point, is_on_curve
from immure.keymaterial.key import EcNumbers, OkpNumbers, RsaNumbers
from immure.keymaterial.numbers import checked_ec, checked_okp, checked_point, checked_rsa
from immure.keymaterial.private import (
    EcPrivate,
    OkpPrivate,
    RsaPrivate,
    ec_from_scalar,
    okp_from_seed,
    rsa_from_exponent,
    rsa_from_parts,
    rsa_from_prime,
)
from immure.secret import Secret

from . import formats, keys

VALUES = formats.rsa_values(keys.key("RSA-1024"))
OTHER = formats.rsa_values(keys.key("RSA-1024", 1))
PUBLIC = RsaNumbers(VALUES["n"], VALUES["e"])
LAMBDA = lcm(VALUES["p"] - 1, VALUES["q"] - 1)


def rsa(**changes: int) -> RsaPrivate:
    values = VALUES | changes
    secrets = (Secret(values[name]) for name in ("d", "p", "q", "dp", "dq", "qi"))
    return RsaPrivate(RsaNumbers(values["n"], values["e"]), *secrets)


def test_a_right_key_is_taken() -> None:
    assert rsa().public == PUBLIC
    assert rsa(d=VALUES["d"] + LAMBDA).d.reveal() == VALUES["d"] + LAMBDA


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"p": OTHER["p"]}, "p·q is not the modulus"),
        ({"p": 1, "q": VALUES["n"]}, "p·q is not the modulus"),
        ({"p": -VALUES["p"], "q": -VALUES["q"]}, "p·q is not the modulus"),
        ({"d": OTHER["d"]}, "do not belong together"),
        ({"d": 1}, "do not belong together"),
        ({"d": -VALUES["d"]}, "do not belong together"),
        ({"e": 3}, "do not belong together"),
        ({"e": 65536}, "exponent is even"),
        ({"dp": VALUES["dq"]}, "CRT exponents"),
        ({"dq": VALUES["dq"] + VALUES["q"] - 1}, "CRT exponents"),
        ({"qi": VALUES["qi"] + VALUES["p"]}, "CRT coefficient"),
        ({"qi": 0}, "CRT coefficient"),
        ({"n": VALUES["n"] + 1}, "modulus is even"),
    ],
)
def test_a_wrong_rsa_key_is_refused(changes: dict[str, int], reason: str) -> None:
    with pytest.raises(KeyFormatError, match=reason):
        rsa(**changes)


def test_equal_primes_are_refused() -> None:
    p = VALUES["p"]
    with pytest.raises(KeyFormatError):
        rsa(n=p * p, q=p)
    with pytest.raises(KeyFormatError):
        rsa_from_parts(p * p, VALUES["e"], VALUES["d"], p, p)


def test_a_key_from_either_prime_is_the_same() -> None:
    for prime in (VALUES["p"], VALUES["q"]):
        private = rsa_from_prime(PUBLIC, prime)
        assert private.p.reveal() == max(VALUES["p"], VALUES["q"])
        assert private.d.reveal() == pow(VALUES["e"], -1, (VALUES["p"] - 1) * (VALUES["q"] - 1))


NO_PRIMES = [1, 0, -1, 2, VALUES["n"], OTHER["p"], -VALUES["p"], VALUES["p"] + 2]


@pytest.mark.parametrize("prime", NO_PRIMES, ids=range(len(NO_PRIMES)))
def test_no_key_from_what_is_no_prime_of_it(prime: int) -> None:
    with pytest.raises(KeyFormatError, match="does not divide"):
        rsa_from_prime(PUBLIC, prime)


@pytest.mark.parametrize(
    "d",
    [VALUES["d"] % LAMBDA, VALUES["d"] + LAMBDA, VALUES["d"] + 12345 * LAMBDA],
    ids=["mod λ", "+ λ", "+ many λ"],
)
def test_a_key_from_its_exponent(d: int) -> None:
    private = rsa_from_exponent(PUBLIC, d)
    assert {private.p.reveal(), private.q.reveal()} == {VALUES["p"], VALUES["q"]}
    assert private.d.reveal() == d


def test_a_key_from_a_short_private_exponent() -> None:
    """Where the private exponent was chosen, the public one is as long as n: the slow way finds such keys."""
    p, q = VALUES["p"], VALUES["q"]
    d = next(d for d in range(2**127 + 1, 2**128, 2) if lcm(d, LAMBDA) == d * LAMBDA)
    public = RsaNumbers(VALUES["n"], pow(d, -1, LAMBDA))
    private = rsa_from_exponent(public, d)
    assert {private.p.reveal(), private.q.reveal()} == {p, q}


@pytest.mark.parametrize("d", [0, 1, -1, VALUES["d"] + 2, OTHER["d"], VALUES["n"] ** 3])
def test_no_key_from_a_wrong_exponent(d: int) -> None:
    with pytest.raises(KeyFormatError):
        rsa_from_exponent(PUBLIC, d)


@settings(max_examples=30, deadline=None)
@given(kind=st.sampled_from(keys.EC), d=st.integers(1, 2**256))
def test_ec_keys_agree_with_their_curve(kind: str, d: int) -> None:
    curve = CURVES[kind]
    private = ec_from_scalar(kind, d % curve.n or 1)
    point = private.public
    assert is_on_curve(curve, point.x, point.y)
    assert decompress(curve, point.x, bool(point.y & 1)) == point.y
    assert ec_public(curve, curve.n - private.d.reveal()) == (point.x, curve.p - point.y)


@pytest.mark.parametrize("kind", keys.EC)
def test_wrong_ec_keys_are_refused(kind: str) -> None:
    curve = CURVES[kind]
    x, y, d, width = formats.ec_values(keys.key(kind))
    assert EcPrivate(EcNumbers(kind, x, y), Secret(d)).d.reveal() == d
    for scalar in (0, -1, curve.n, curve.n + d):
        with pytest.raises(KeyFormatError, match="out of range"):
            ec_from_scalar(kind, scalar)
    with pytest.raises(KeyFormatError, match="do not belong together"):
        EcPrivate(EcNumbers(kind, x, y), Secret(d - 1))
    with pytest.raises(KeyFormatError, match="not on"):
        checked_ec(kind, x, y + 1)
    with pytest.raises(KeyFormatError):
        checked_point(curve, b"\2" + curve.p.to_bytes(width, "big"))
    for form in (b"", b"\0", b"\5" + bytes(2 * width), b"\4" + bytes(width), b"\4" + bytes(2 * width)):
        with pytest.raises(KeyFormatError):
            checked_point(curve, form)


def test_compressed_points_are_read() -> None:
    for kind in keys.EC:
        x, y, _, width = formats.ec_values(keys.key(kind))
        assert checked_point(CURVES[kind], bytes([2 + (y & 1)]) + x.to_bytes(width, "big")).y == y


def test_unknown_curves_are_refused() -> None:
    with pytest.raises(KeyFormatError, match="unknown elliptic curve"):
        ec_from_scalar("P-224", 1)
    with pytest.raises(KeyFormatError, match="unknown elliptic curve"):
        checked_ec("P-224", 1, 1)


@pytest.mark.parametrize("kind", keys.OKP)
def test_octet_key_pairs(kind: str) -> None:
    made = formats.jwk(keys.key(kind))
    public = keys.numbers(keys.key(kind))
    assert isinstance(public, OkpNumbers)
    seed = formats.base64.urlsafe_b64decode(made["d"] + "==")
    assert okp_from_seed(kind, seed).public == public
    assert is_okp_point(kind, public.x)
    with pytest.raises(KeyFormatError, match="bytes"):
        okp_from_seed(kind, seed + b"\0")
    with pytest.raises(KeyFormatError, match="do not belong together"):
        OkpPrivate(public, Secret(bytes(len(seed))))
    with pytest.raises(KeyFormatError, match="bytes"):
        checked_okp(kind, public.x[1:])


@pytest.mark.parametrize(("kind", "order"), EDWARDS_ORDERS.items())
def test_about_half_of_all_strings_are_no_point(kind: str, order: int) -> None:
    length = len(keys.numbers(keys.key(kind)).x)
    points = sum(is_okp_point(kind, y.to_bytes(length, "little")) for y in range(2, 202))
    assert 60 < points < 140
    assert pow(2, order - 1, order) == 1  # a prime, if the constant has no slip


@pytest.mark.parametrize(
    ("n", "e", "reason"),
    [
        (VALUES["n"], 2, "exponent is even"),
        (VALUES["n"], 1, "exponent is out of range"),
        (VALUES["n"], -3, "exponent is out of range"),
        (VALUES["n"], VALUES["n"] + 2, "exponent is out of range"),
        (VALUES["n"] - 1, 65537, "modulus is even"),
        (2**511 - 1, 65537, "modulus of 511 bits"),
        (2**16384 + 1, 65537, "modulus of 16385 bits"),
        (3 * (2**1021 + 1) | 1, 65537, "divisible by"),
        (0, 65537, "modulus of 0 bits"),
        (-VALUES["n"], 65537, "out of range"),
    ],
    ids=range(10),
)
def test_silly_rsa_numbers_are_refused(n: int, e: int, reason: str) -> None:
    with pytest.raises(KeyFormatError, match=reason):
        checked_rsa(n, e)


def test_nothing_shows_a_secret() -> None:
    private = rsa()
    assert str(VALUES["p"]) not in repr(private)
    assert repr(private.p) == "Secret(512-bit number)"
    with pytest.raises(TypeError):
        _ = private.p == private.q
