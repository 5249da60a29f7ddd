"""Tokens are what their cases say: the signature is genuine where it must be, and one thing is wrong."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from immure.probe.catalogue import CATALOGUE
from immure.probe.errors import MissingError
from immure.probe.kit import Kit, ProbeKey
from immure.probe.mint import ABSENT, Mint
from immure.probe.sign import ALGORITHMS, fits, sign
from immure.probe.wrap import BOMB, bomb, direct, encrypted

NOW = 1_800_000_000
BY_ID = {case.id: case for case in CATALOGUE}
PRIVATE: dict[str, Any] = {
    "RS": rsa.generate_private_key(65537, 2048),
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "ES384": ec.generate_private_key(ec.SECP384R1()),
    "ES512": ec.generate_private_key(ec.SECP521R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
}
PRIVATE["PS"] = PRIVATE["RS"]


@pytest.fixture(scope="module")
def mint(kit: Kit) -> Mint:
    return Mint(replace(kit, bound=True, single_use=True), NOW)


def published(directory: Path) -> dict[str, jwt.PyJWK]:
    keys = json.loads((directory / "jwks.json").read_text())["keys"]
    names = {alg.lower(): alg for alg in ALGORITHMS}
    return {key["kid"]: jwt.PyJWK(key, names[key["kid"].rpartition("-")[2]]) for key in keys}


def is_genuine(token: str, directory: Path) -> bool:
    """Whether the key that the token names has signed it, looking at nothing else."""
    head, payload, signature = token.split(".")
    key = published(directory)[json.loads(base64.urlsafe_b64decode(head + "=="))["kid"]]
    raw = base64.urlsafe_b64decode(signature + "==")
    assert key.Algorithm is not None
    return bool(key.Algorithm.verify(f"{head}.{payload}".encode(), key.key, raw))


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_signatures_hold_for_another_library(alg: str) -> None:
    private = PRIVATE.get(alg) or PRIVATE[alg[:2]]
    assert fits(private, alg)
    head = base64.urlsafe_b64encode(json.dumps({"alg": alg}).encode()).rstrip(b"=")
    signed = head + b".e30"
    token = signed + b"." + base64.urlsafe_b64encode(sign(private, alg, signed)).rstrip(b"=")
    assert jwt.decode(token, private.public_key(), algorithms=[alg]) == {}


def test_keys_fit_their_algorithm_only() -> None:
    assert not fits(PRIVATE["ES256"], "ES384")
    assert not fits(PRIVATE["EdDSA"], "RS256")
    assert not fits(PRIVATE["RS"], "EdDSA")


GENUINE = [
    case.id
    for case in CATALOGUE
    if case.group in ("issuer", "audience", "claim", "typ", "bound")
    or case.id in ("size.17k", "header.crit-unknown", "header.b64-false", "header.enc")
    or (case.group == "json" and case.id != "json.alg-twice")
    or (case.group == "scope" and case.id not in (
        "scope.attacker", "scope.incident-without-kid", "scope.incident-other-kid", "scope.kid-of-another"))
]  # fmt: skip


@pytest.mark.parametrize("name", GENUINE)
def test_a_genuine_signature_is_all_that_is_right(mint: Mint, kit_directory: Path, name: str) -> None:
    try:
        tokens = BY_ID[name].tokens(mint)
    except MissingError:
        assert name in ("typ.plain", "typ.absent")
        return
    assert is_genuine(tokens[-1], kit_directory)


def claims_of(token: str) -> Any:
    return json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))


def test_the_incident_is_a_good_token_but_for_its_key(mint: Mint) -> None:
    good, stolen = mint.good(), BY_ID["scope.incident"].tokens(mint)[0]
    assert claims_of(good) | {"jti": ""} == claims_of(stolen) | {"jti": ""}
    assert jwt.get_unverified_header(good)["alg"] == jwt.get_unverified_header(stolen)["alg"]
    assert jwt.get_unverified_header(stolen)["kid"] == "consumer-rs256"


@pytest.mark.parametrize("case", CATALOGUE, ids=lambda case: case.id)
def test_claims_are_those_of_a_good_token_but_for_what_is_asked(mint: Mint, case: Any) -> None:
    """Otherwise a token would be refused for another reason than its case is about."""
    if case.group not in ("alg", "hmac", "injected", "kid", "header", "signature", "form"):
        return
    token = case.tokens(mint)[-1]
    if token.count(".") != 2 or not token.startswith("ey") or case.id in ("form.nested", "form.detached"):
        return
    good, said = claims_of(mint.good()), claims_of(token)
    assert {**said, "jti": "", "sub": ""} == {**good, "jti": "", "sub": ""}


def test_what_signs_for_the_attacker_is_not_published(mint: Mint, kit_directory: Path) -> None:
    for name in ("injected.jwk", "kid.absent", "scope.attacker"):
        token = BY_ID[name].tokens(mint)[0]
        head, payload, signature = token.split(".")
        raw = base64.urlsafe_b64decode(signature + "==")
        for key in published(kit_directory).values():
            assert not key.Algorithm.verify(f"{head}.{payload}".encode(), key.key, raw)


def test_a_key_by_an_algorithm_that_is_not_taken_is_no_answer(kit: Kit) -> None:
    """It would be refused for the algorithm, which says nothing of its scope."""
    few = {kid: key for kid, key in kit.keys.items() if kid.startswith("enterprise") or kid.endswith("rs256")}
    mint = Mint(replace(kit, keys=few), NOW, frozenset({"enterprise-es256"}))
    with pytest.raises(MissingError, match="no key of the scope consumer for ES256"):
        BY_ID["scope.incident"].tokens(mint)
    assert BY_ID["scope.incident"].tokens(Mint(replace(kit, keys=few), NOW))


def test_members_can_be_left_out_or_null(mint: Mint) -> None:
    assert "exp" not in mint.claims(exp=ABSENT)
    assert mint.claims(exp=None)["exp"] is None
    assert repr(ABSENT) == "ABSENT"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"keys": {}}, "no key of the target"),
        ({"scopes": {}}, "no other scope"),
    ],
)
def test_kits_that_lack_something(kit: Kit, change: dict[str, Any], words: str) -> None:
    with pytest.raises(MissingError, match=words):
        BY_ID["scope.incident"].tokens(Mint(replace(kit, **change), NOW))


def test_what_is_plain(kit: Kit) -> None:
    key = kit.keys["consumer-rs256"]
    assert key.is_plain(NOW)
    for change in (
        {"published": False},
        {"use": "enc"},
        {"not_after": NOW},
        {"not_before": NOW + 1},
        {"cloud": "x"},
        {"private": rsa.generate_private_key(65537, 1024)},
    ):
        assert not replace(key, **change).is_plain(NOW)
    assert replace(key, not_after=NOW + 1, not_before=NOW).is_plain(NOW)


def test_encryptions_can_be_opened_by_their_owner(kit: Kit) -> None:
    from joserfc import jwe
    from joserfc.jwk import OctKey, RSAKey

    key: ProbeKey = kit.keys["encryption-rs256"]
    owner = RSAKey.import_key(key.private)
    plain = jwe.decrypt_compact(
        encrypted(b"e30.e30.", key.private.public_key()), owner, algorithms=["RSA-OAEP-256", "A256GCM"]
    )
    assert plain.plaintext == b"e30.e30."
    zero = jwe.decrypt_compact(
        direct(b"{}", bytes(32)), OctKey.import_key(bytes(32)), algorithms=["dir", "A256GCM"]
    )
    assert zero.plaintext == b"{}"
    assert len(bomb(key.private.public_key())) < 2500 < BOMB


def test_a_key_that_is_not_plain_does_not_sign_for_another_scope(kit: Kit) -> None:
    """It would be refused for its time, which says nothing of its scope."""
    late = {
        kid: replace(key, not_after=NOW) if kid.startswith("consumer") else key
        for kid, key in kit.keys.items()
    }
    with pytest.raises(MissingError):
        BY_ID["scope.incident"].tokens(Mint(replace(kit, keys=late), NOW))


@pytest.mark.parametrize("name", ["claim.expired", "claim.expired-year", "claim.expired-ten-minutes"])
def test_what_has_expired_was_good_before(mint: Mint, name: str) -> None:
    said = claims_of(BY_ID[name].tokens(mint)[0])
    assert said["iat"] == said["nbf"] < said["exp"] < NOW - 600
