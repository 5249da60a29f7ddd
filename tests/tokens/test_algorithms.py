"""Each algorithm with its key, and with every other key and algorithm."""

from __future__ import annotations

from math import prod

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from immure.keymaterial.key import EcNumbers, OkpNumbers, Origin, PublicKey, RsaNumbers, b64url, b64url_uint
from immure.registry.weakness import has_roca_fingerprint
from immure.tokens.algorithms import ALGORITHMS, fitting, verifier
from immure.tokens.errors import AlgorithmError, SignatureError, TokenError, WeakKeyError
from immure.tokens.weak import weakness
from tokens.minting import Mint, jwk, private, sign, validator

FITTING = {
    "RS": ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"],
    "ES256": ["ES256"],
    "ES384": ["ES384"],
    "ES512": ["ES512"],
    "ES256K": ["ES256K"],
    "Ed25519": ["EdDSA", "Ed25519"],
    "Ed448": ["EdDSA", "Ed448"],
}
PAIRS = [(key, alg) for key, algs in FITTING.items() for alg in algs]


@pytest.mark.parametrize(("key", "alg"), PAIRS)
def test_a_key_verifies_with_what_fits_it(key, alg):
    token = Mint(key=key, alg=alg).token()
    assert validator(jwk(key)).validate(token)
    assert validator(jwk(key, alg=alg), rule={"algorithms": {alg}}).validate(token)
    signed = token.rpartition(".")[0]
    other = Mint(key=key, alg=alg).token(sub="other").rpartition(".")[2]
    with pytest.raises(SignatureError):
        validator(jwk(key)).validate(f"{signed}.{other}")


@pytest.mark.parametrize("key", FITTING)
def test_and_with_nothing_else(key):
    one = validator(jwk(key))
    for alg in [*(ALGORITHMS - set(FITTING[key])), "HS256", "none", "RSA-OAEP", "HS512", "ML-DSA-44"]:
        with pytest.raises(AlgorithmError):
            one.validate(Mint(key=key, alg=FITTING[key][0], header={"alg": alg}).token())


@pytest.mark.parametrize(("key", "alg"), [pair for pair in PAIRS if pair[0] == "RS"])
def test_a_key_that_names_its_algorithm_has_no_other(key, alg):
    for other in set(FITTING[key]) - {alg}:
        with pytest.raises(AlgorithmError):
            validator(jwk(key, alg=other)).validate(Mint(key=key, alg=alg).token())


def test_every_algorithm_fits_some_key():
    assert {alg for algs in FITTING.values() for alg in algs} == ALGORITHMS


@pytest.mark.parametrize("key", ["ES256", "ES384", "ES512", "ES256K"])
def test_ecdsa_takes_the_raw_form_only(key):
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

    token = Mint(key=key, alg=key).token()
    signed = token.rpartition(".")[0].encode()
    raw = sign(key, key, signed)
    half = len(raw) // 2
    der = encode_dss_signature(int.from_bytes(raw[:half], "big"), int.from_bytes(raw[half:], "big"))
    zero = bytes(half)
    with pytest.raises(SignatureError):
        validator(jwk(key)).validate(f"{signed.decode()}.{b64url(raw[:half] + bytes(1) + raw[half:])}")
    for wrong in (
        der,
        raw[1:],
        raw + b"\0",
        zero + raw[half:],
        raw[:half] + zero,
        b"\0" + raw[:half] + b"\0" + raw[half:],
    ):
        with pytest.raises(SignatureError):
            validator(jwk(key)).validate(f"{signed.decode()}.{b64url(wrong)}")


def test_a_public_key_is_no_secret():
    """The oldest confusion: HMAC with the public key as its secret."""
    import hmac

    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    pem = private("RS").public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    signed = Mint(key="RS", alg="RS256", header={"alg": "HS256"}).token().rpartition(".")[0]
    forged = f"{signed}.{b64url(hmac.digest(pem, signed.encode(), 'sha256'))}"
    with pytest.raises(AlgorithmError):
        validator(jwk("RS")).validate(forged)


def test_symmetric_keys_of_a_set_are_refused():
    secret = {"kty": "oct", "k": b64url(bytes(32)), "kid": "Ed25519"}
    with pytest.raises(TokenError) as caught:
        validator(secret, jwk("ES256")).validate(Mint().token())
    assert caught.value.code == "key-use"


def test_short_rsa_keys_are_refused():
    with pytest.raises(WeakKeyError):
        validator(jwk("RS1024")).validate(Mint(key="RS1024", alg="RS256").token())


def test_small_exponents_are_refused():
    numbers = rsa.generate_private_key(3, 2048).public_key().public_numbers()
    key = {"kty": "RSA", "n": b64url_uint(numbers.n), "e": b64url_uint(3)}
    with pytest.raises(WeakKeyError):
        validator(jwk("RS") | key).validate(Mint(key="RS", alg="RS256").token())


def test_moduli_of_the_broken_generator_are_recognised():
    primorial = prod(prime for prime in range(2, 702) if all(prime % k for k in range(2, prime)))
    p, q = (k * primorial + pow(65537, a, primorial) for k, a in ((3 << 40, 1234567), (5 << 41, 7654321)))
    assert has_roca_fingerprint(p * q)
    assert not any(
        has_roca_fingerprint(private(name).public_key().public_numbers().n)
        for name in ("RS", "RS1024", "RS:2")
    )


def test_and_are_weak():
    primorial = prod(prime for prime in range(2, 702) if all(prime % k for k in range(2, prime)))
    p = (1 << 1023) // primorial * primorial * 3 // 2 // primorial * primorial + pow(65537, 99, primorial)
    n = p * p
    assert n.bit_length() == 2048
    assert "ROCA" in str(weakness(PublicKey(RsaNumbers(n, 65537), Origin("x"))))


def test_close_primes_are_weak():
    p = (3 << 1022) + 1155
    assert "factor" in str(weakness(PublicKey(RsaNumbers(p * (p + 1024), 65537), Origin("x"))))


ORDER_8 = "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"


@pytest.mark.parametrize("point", [bytes(32), b"\1" + bytes(31), bytes.fromhex(ORDER_8)])
def test_points_of_small_order_are_refused(point):
    assert weakness(PublicKey(OkpNumbers("Ed25519", point), Origin("x")))


def test_other_points_are_not():
    for name in ("Ed25519", "Ed448", "Ed25519:2"):
        raw = private(name).public_key().public_bytes_raw()
        assert weakness(PublicKey(OkpNumbers(name.split(":")[0], raw), Origin("x"))) is None


def test_keys_for_agreement_verify_nothing():
    numbers = OkpNumbers("X25519", b"\x09" + bytes(31))
    assert not fitting(numbers)
    with pytest.raises(AlgorithmError):
        verifier(numbers, "EdDSA")


def test_a_point_beside_its_curve_is_no_key():
    with pytest.raises(WeakKeyError):
        verifier(EcNumbers("P-256", 1, 1), "ES256")
    with pytest.raises(TokenError) as caught:
        validator(jwk("ES256", x=b64url(bytes(31) + b"\1")), jwk("Ed25519")).validate(
            Mint(key="ES256", alg="ES256").token()
        )
    assert caught.value.code == "key-use"
