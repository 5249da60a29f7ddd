"""Nothing is proved but by arithmetic."""

from __future__ import annotations

import pytest

from immure.keymaterial.encodings import secret_numbers
from immure.keymaterial.key import EcNumbers, Numbers, OkpNumbers, RsaNumbers
from immure.scanning.proofs import (
    Proof,
    proof_of_private,
    prove_exponent,
    prove_montgomery,
    prove_prime,
    prove_scalar,
)

from .material import EC, KINDS, OKP, RSA, forms, private


def rsa(kind: str) -> tuple[RsaNumbers, dict[str, int]]:
    public = private(kind).public
    assert isinstance(public, RsaNumbers)
    return public, {
        name: value for name, value in secret_numbers(private(kind)).items() if isinstance(value, int)
    }


@pytest.mark.parametrize("kind", RSA)
def test_primes(kind: str) -> None:
    public, secret = rsa(kind)
    square = 1 << 128 * ((secret["p"].bit_length() + 63) // 64)
    table: list[tuple[int, str, str | None]] = [
        (secret["p"], "prime", "p"), (secret["q"], "prime", "q"), (6 * secret["p"], "prime", "p"),
        (square - secret["rr_q"], "rr", "rr_q"), (secret["p"] + 2, "prime", None),
        (0, "prime", None), (1, "prime", None),
        (public.n, "prime", None), (secret["d"], "prime", None),
    ]  # fmt: skip
    for value, secret_name, expected in table:
        proof = prove_prime(public, value, secret_name, 42)
        assert (proof.secret if proof else None) == expected
        if proof:
            assert (proof.public, proof.offset) == (public, 42)
            assert proof.private is not None


@pytest.mark.parametrize("small", [3, 257, 65537, (1 << 61) - 1, (1 << 127) - 1])
def test_a_small_factor_proves_nothing(small: int) -> None:
    other, _ = rsa("RSA-1024")
    public = RsaNumbers(other.n * small, 65537)
    assert prove_prime(public, small, "prime", 0) is None


@pytest.mark.parametrize("kind", RSA[:-1])
def test_exponents(kind: str) -> None:
    public, secret = rsa(kind)
    for name in ("d", "d_lambda"):
        proof = prove_exponent(public, secret[name], 7)
        assert proof is not None
        assert (proof.secret, proof.offset) == ("d", 7)
    for value in (0, 1, 2, public.n - 1, public.n, secret["d"] + 1, secret["d"] + 2, secret["p"], public.e):
        assert prove_exponent(public, value, 0) is None


@pytest.mark.parametrize("kind", EC)
def test_scalars(kind: str) -> None:
    public = private(kind).public
    assert isinstance(public, EcNumbers)
    d = int.from_bytes(forms(kind)["d", "be"], "big")
    mont = int.from_bytes(forms(kind)["d_mont", "be"], "big")
    proof, other = prove_scalar(public, "d", d, 3), prove_montgomery(public, mont, 3)
    assert proof is not None
    assert other is not None
    assert (proof.secret, other.secret) == ("d", "d_mont")
    for wrong in (0, 1, d + 1, d ^ 1 << 200, 1 << 600):
        assert prove_scalar(public, "d", wrong, 0) is None
        assert prove_montgomery(public, wrong, 0) is None
    assert prove_scalar(public, "d", b"bytes", 0) is None


@pytest.mark.parametrize("kind", OKP)
def test_seeds(kind: str) -> None:
    public = private(kind).public
    assert isinstance(public, OkpNumbers)
    seed = forms(kind)["seed", "raw"]
    proof = prove_scalar(public, "seed", seed, 3)
    assert proof is not None
    assert proof.private is not None
    for wrong in (seed[:-1], bytes(len(seed)), seed[::-1], b""):
        assert prove_scalar(public, "seed", wrong, 0) is None
    assert prove_scalar(public, "seed", 5, 0) is None


@pytest.mark.parametrize("kind", KINDS)
def test_needles_are_the_catalog(kind: str) -> None:
    proof = proof_of_private(private(kind), "pem", 0)
    needles = {data for _, _, data in proof.needles()}
    assert set(forms(kind).values()) <= needles
    assert len(needles) == len(proof.needles())
    assert all(len(data) >= 16 for data in needles)


@pytest.mark.parametrize("kind", ["Ed25519", "Ed448"])
@pytest.mark.parametrize("secret", ["scalar", "scalar_raw"])
def test_needles_of_a_scalar_are_all_that_follows_from_it(kind: str, secret: str) -> None:
    public: Numbers = private(kind).public
    assert isinstance(public, OkpNumbers)
    proof = prove_scalar(public, "scalar", forms(kind)[secret, "raw"], 0)
    assert isinstance(proof, Proof)
    needles = {data for _, _, data in proof.needles()}
    wanted = ["scalar", "scalar_mod"] + ["scalar_raw"] * (secret == "scalar_raw")
    for name in wanted:
        assert forms(kind)[name, "raw"] in needles
        assert forms(kind)[name, "hex"] in needles


@pytest.mark.parametrize("kind", KINDS)
def test_a_proof_does_not_show_its_secret(kind: str) -> None:
    text = repr(proof_of_private(private(kind), "pem", 0)).encode()
    assert not any(
        data in text for (_, encoding), data in forms(kind).items() if encoding in ("decimal", "hex")
    )
