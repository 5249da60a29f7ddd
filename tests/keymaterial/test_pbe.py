"""Derivations and ciphers against another writing of the standard, and against the library."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import pytest

from immure.errors import KeyFormatError
from immure.keymaterial import der
from immure.keymaterial.derivation import Derivation, derived
from immure.keymaterial.pbe import Code, read_code, read_encryption

from . import containers
from .pfx_files import algorithm, oid


@pytest.mark.parametrize("length", [1, 8, 20, 24, 45, 70])
def test_keys_of_passwords_are_those_of_the_standard(length: int) -> None:
    """Our own, against another writing of RFC 7292, appendix B.2."""
    for password in (None, "x", "changeit" * 9):
        for salt in (b"s", bytes(range(64)), bytes(range(70))):
            expected = containers.pkcs12_kdf(password or "", salt, 3, 1, length)
            assert derived("sha1", password, salt, 3, 1, length) == expected


def test_no_password_is_not_an_empty_one() -> None:
    assert derived("sha1", None, b"salt", 1, 1, 20) != derived("sha1", "", b"salt", 1, 1, 20)
    assert (
        derived("sha1", "", b"salt", 1, 1, 20) == hashlib.sha1(b"\1" * 64 + b"salt" * 16 + bytes(64)).digest()
    )


@pytest.mark.parametrize("name", ["sha1", "sha224", "sha256", "sha384", "sha512"])
@pytest.mark.parametrize("length", [1, 20, 32, 70, 200])
def test_the_cost_goes_with_the_hashes_that_are_done(
    name: str, length: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, done = getattr(hashlib, name), list[int]()

    def counted(*arguments: Any, **options: Any) -> Any:
        done.append(1)
        return made(*arguments, **options)

    monkeypatch.setattr(hashlib, name, counted)
    one, many = (Derivation(name, b"salt", rounds, is_pbkdf2=False) for rounds in (1, 50))
    one.key("changeit", length)
    blocks = len(done)
    assert blocks == -(-length // made().digest_size)
    many.key("changeit", length)
    assert len(done) == 51 * blocks
    assert many.cost(length) == 50 * one.cost(length) >= 50 * blocks
    assert replace(one, is_pbkdf2=True).cost(length) <= one.cost(length)


def pbkdf2(rounds: bytes = der.integer(9), more: bytes = b"") -> bytes:
    return der.sequence(oid("2a864886f70d01050c"), der.sequence(der.octets(b"salt"), rounds, more))


def pbes2(derivation: bytes, cipher: str = "60864801650304012a", vector: int = 16) -> bytes:
    named = der.sequence(oid(cipher), der.octets(bytes(vector)))
    return der.sequence(oid("2a864886f70d01050d"), der.sequence(derivation, named))


HMAC_SHA256 = der.sequence(oid("2a864886f70d0209"), b"\5\0")


@pytest.mark.parametrize(
    ("encoded", "reason"),
    [
        (pbes2(pbkdf2()), ""),
        (pbes2(pbkdf2(more=der.integer(32))), ""),
        (pbes2(pbkdf2(more=der.integer(32) + HMAC_SHA256)), ""),
        (pbes2(pbkdf2(more=der.sequence(oid("2a864886f70d0203")))), "unknown HMAC"),
        (pbes2(pbkdf2(more=der.sequence(oid("2a864886f70d01")))), "unknown HMAC"),
        (pbes2(pbkdf2(rounds=der.integer(0))), "no rounds"),
        (pbes2(pbkdf2(rounds=der.integer(1 << 31))), "more than 31 bits"),
        (pbes2(pbkdf2(rounds=b"\2\1\x80")), "negative"),
        (pbes2(pbkdf2(), vector=8), "another length"),
        (pbes2(pbkdf2(), cipher="2a864886f70d0302"), "unknown cipher"),
        (pbes2(der.sequence(oid("2b06010401da47040b"), der.sequence())), "unknown derivation"),
        (algorithm(1), ""),
        (algorithm(0), "no rounds"),
        (der.sequence(oid("2a864886f70d010c0107"), der.sequence()), "unknown cipher"),
        (der.sequence(oid("2a864886f70d010503"), der.sequence()), "unknown password-based"),
        (der.sequence(der.encode(der.OID, b""), der.sequence()), "unknown password-based"),
        (der.sequence(oid("2a864886f70d010c0103")), "cut off"),
    ],
)
def test_algorithms(encoded: bytes, reason: str) -> None:
    if not reason:
        assert read_encryption(der.Der(encoded)).cost > 0
        return
    with pytest.raises(KeyFormatError, match=reason):
        read_encryption(der.Der(encoded))


def mac_data(info: bytes, *more: bytes) -> bytes:
    return der.sequence(der.sequence(info, der.octets(bytes(20))), *more)


SHA1 = der.sequence(oid("2b0e03021a"), b"\5\0")


def pbmac1(*parts: bytes) -> bytes:
    return der.sequence(oid("2a864886f70d01050e"), der.sequence(*parts))


@pytest.mark.parametrize(
    ("encoded", "expected"),
    [
        (mac_data(SHA1, der.octets(b"s")), 1),
        (mac_data(SHA1, der.octets(b"s"), der.integer(1024)), 1024),
        (mac_data(pbmac1(pbkdf2(more=der.integer(32)), HMAC_SHA256), der.octets(b"")), 9),
        (mac_data(pbmac1(pbkdf2(), HMAC_SHA256), der.octets(b"")), "without the length"),
        (mac_data(pbmac1(pbkdf2(more=der.integer(65)), HMAC_SHA256), der.octets(b"")), "a great one"),
        (mac_data(SHA1, der.octets(b"s"), der.integer(0)), "no rounds"),
        (mac_data(SHA1), "cut off"),
        (mac_data(der.sequence(oid("2a864886f70d0205"))), "unknown hash"),
    ],
)
def test_codes(encoded: bytes, expected: int | str) -> None:
    if isinstance(expected, int):
        code = read_code(der.Der(encoded))
        assert isinstance(code, Code)
        assert code.derivation.rounds == expected
        assert not code.accepts("", b"")
        return
    with pytest.raises(KeyFormatError, match=expected):
        read_code(der.Der(encoded))


@pytest.mark.parametrize("hidden", [b"", bytes(7), bytes(8)])
def test_what_is_no_ciphertext_is_refused(hidden: bytes) -> None:
    with pytest.raises(KeyFormatError, match=r"whole number of blocks|another password"):
        read_encryption(der.Der(algorithm(1))).decrypt("", hidden)
