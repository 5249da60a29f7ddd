from __future__ import annotations

import base64
import os
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from immure.keymaterial.key import Origin, PublicKey, RsaNumbers
from immure.replay.parsing import claims_of
from immure.replay.thief import StolenKey, Thief

ACCOUNT = {"jti": "of-a-genuine-token"}


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(scope="module")
def public(key: rsa.RSAPrivateKey) -> PublicKey:
    numbers = key.public_key().public_numbers()
    return PublicKey(RsaNumbers(numbers.n, numbers.e), Origin("jwks.json", "consumer-0001"))


def verifies(token: str, key: rsa.RSAPrivateKey) -> bool:
    signed, _, signature = token.rpartition(".")
    raw = base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4))
    key.public_key().verify(raw, signed.encode(), padding.PKCS1v15(), hashes.SHA256())
    return True


def forged(thief: Thief, key: StolenKey, *, copied: bool = False) -> str:
    return thief.forge(
        key, "https://login.example", "https://mail.example", "a@b.example", "t", copied=copied
    )


def pem(key: rsa.RSAPrivateKey) -> bytes:
    s = serialization
    return key.private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, s.NoEncryption())


def der(key: rsa.RSAPrivateKey) -> bytes:
    s = serialization
    return key.private_bytes(s.Encoding.DER, s.PrivateFormat.PKCS8, s.NoEncryption())


@pytest.mark.parametrize(
    ("what", "how"),
    [("p in words of 64 bits", "prime p (le64)"), ("PEM", "private key"), ("DER", "private key")],
)
def test_from_what_is_found_the_key_follows(
    what: str, how: str, key: rsa.RSAPrivateKey, public: PublicKey, tmp_path: Path
) -> None:
    written = {
        "p in words of 64 bits": key.private_numbers().p.to_bytes(128, "little"),
        "PEM": pem(key),
        "DER": der(key),
    }[what]
    (tmp_path / "dump").write_bytes(os.urandom(40_000) + bytes(64) + written + bytes(64) + os.urandom(40_000))
    thief = Thief([public], ACCOUNT)
    stolen, report = thief.search(tmp_path)
    assert stolen is not None
    assert stolen.genuine
    assert stolen.kid == "consumer-0001"
    if what != "PEM":  # of a PEM text, parts may be read as numbers, too
        assert stolen.how.startswith(how)
    assert verifies(forged(thief, stolen), key)
    assert report.findings
    assert "PrivateKey" not in repr(stolen)


def test_where_there_is_no_key_he_goes_on_with_one_of_his_own(
    key: rsa.RSAPrivateKey, public: PublicKey, tmp_path: Path
) -> None:
    (tmp_path / "dump").write_bytes(os.urandom(80_000))
    thief = Thief([public], ACCOUNT)
    stolen, _ = thief.search(tmp_path)
    assert stolen is None
    own = thief.made_up("consumer-0001")
    assert not own.genuine
    with pytest.raises(InvalidSignature):
        verifies(forged(thief, own), key)


def test_a_dump_of_which_only_half_a_prime_is_left(
    key: rsa.RSAPrivateKey, public: PublicKey, tmp_path: Path
) -> None:
    half = key.private_numbers().p.to_bytes(128, "little")[:64]
    (tmp_path / "dump").write_bytes(os.urandom(40_000) + half + os.urandom(40_000))
    assert Thief([public], ACCOUNT).search(tmp_path)[0] is None


def test_what_a_forged_token_says(key: rsa.RSAPrivateKey) -> None:
    thief = Thief([], ACCOUNT)
    own = replace(thief.made_up("consumer-0001"), private=key)
    claims = claims_of(forged(thief, own))
    assert claims["iss"] == "https://login.example"
    assert claims["sub"] == "a@b.example"
    assert claims["jti"] != ACCOUNT["jti"]
    assert claims_of(forged(thief, own, copied=True))["jti"] == ACCOUNT["jti"]


def test_an_empty_room(public: PublicKey, tmp_path: Path) -> None:
    stolen, report = Thief([public], ACCOUNT).search(tmp_path)
    assert stolen is None
    assert not report.findings


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ('[tokens]\nkid = "calendar"\nsecret = "00ff"\n', True),
        ('[tokens]\nkid = "calendar"\n', False),
        ('[tokens]\nkid = "calendar"\nsecret = "no hex"\n', False),
        ("tokens = 1\n", False),
        ("not toml [", False),
    ],
)
def test_a_secret_in_settings(settings: str, found: bool, tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(settings)
    key = Thief([], ACCOUNT).read_settings(tmp_path)
    assert (key is not None) == found
    assert "00ff" not in repr(key)
