"""What is kept between calls: the same for the same arguments, and never a key that is not there any more."""

from __future__ import annotations

import copy
import gc
import weakref
from types import MappingProxyType

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from compat.test_jwt import ISSUER, JWK, PUBLIC, decode, token
from immure.compat import jwt
from immure.compat import jwt_validators as kept
from immure.compat.jwt_validators import Asked, validator_for
from immure.errors import ImmureError
from immure.registry.state import KeyState
from immure.tokens.keyset import KeySet
from immure.tokens.sources.static import StaticSource
from tokens.minting import jwk, key_set, private

PEM = PUBLIC.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def asked(**changes):
    given = {
        "algorithms": frozenset({"ES256"}), "issuers": (ISSUER,), "audiences": None, "require": frozenset(),
        "checks": frozenset({"verify_exp"}), "seconds": 0,
    }  # fmt: skip
    return Asked(**given | changes)


@pytest.fixture(autouse=True)
def _empty():
    kept._kept.cache_clear()


@pytest.mark.parametrize(
    "key",
    [PUBLIC, PEM, PEM.decode(), JWK, {"keys": [JWK]}, StaticSource(key_set(JWK, issuer=ISSUER)),
     type("PyJWK", (), {"key": PUBLIC})()],
)  # fmt: skip
def test_the_same_arguments_are_the_same_validator(key):
    one = validator_for(key, asked())
    assert validator_for(key, asked()) is one
    assert validator_for(copy.copy(key) if isinstance(key, dict) else key, asked()) is one
    for changes in (
        {"algorithms": frozenset({"ES384"})}, {"issuers": ("https://other.example",)}, {"audiences": ()},
        {"require": frozenset({"exp"})}, {"checks": frozenset()}, {"seconds": 1},
    ):  # fmt: skip
        assert validator_for(key, asked(**changes)) is not one


@pytest.mark.parametrize(
    "other",
    [private("ES256:2").public_key(), jwk("ES256:2", issuer=None), {"keys": [JWK, jwk("RS", issuer=None)]},
     StaticSource(key_set(JWK, issuer=ISSUER))],
)  # fmt: skip
def test_another_key_is_another_validator(other):
    made = {id(validator_for(one, asked())) for one in (PUBLIC, JWK, {"keys": [JWK]})}
    assert len(made) == 3
    assert id(validator_for(other, asked())) not in made


def test_a_dictionary_that_changes_is_another_key():
    keys = {"keys": [dict(JWK)]}
    assert decode(token(), keys)
    keys["keys"][0]["use"] = "enc"
    with pytest.raises(jwt.InvalidTokenError) as caught:
        decode(token(), keys)
    assert caught.value.code == "key-use"
    del keys["keys"][0]["use"]
    assert decode(token(), keys)
    keys["keys"].clear()
    with pytest.raises(jwt.InvalidTokenError):
        decode(token(), keys)


def test_a_holder_whose_key_changes_is_another_key():
    holder = type("PyJWK", (), {})()
    holder.key = PUBLIC
    assert decode(token(), holder)
    holder.key = private("ES256:2").public_key()
    with pytest.raises(jwt.InvalidSignatureError):
        decode(token(), holder)


def test_a_source_is_asked_each_time():
    source = StaticSource(key_set(JWK, issuer=ISSUER))
    assert decode(token(), source)
    source.keys = KeySet.from_jwks({"keys": [{**JWK, "revoked": {}}]}, "x", issuer=ISSUER)
    assert source.keys.find("ES256").state is KeyState.COMPROMISED
    with pytest.raises(jwt.InvalidTokenError) as caught:
        decode(token(), source)
    assert caught.value.code == "key-state"


@pytest.mark.parametrize("odd", [MappingProxyType(JWK), {**JWK, "x5t": {1}}, {**JWK, "x5t": b"a"}])
def test_what_cannot_be_told_apart_is_not_kept(odd):
    assert validator_for(odd, asked()) is not validator_for(odd, asked())
    assert kept._kept.cache_info().currsize == 0


def test_a_name_is_not_used_again_while_its_key_is_kept():
    """Objects go by their id, which another may get once they are gone: so they must not go."""
    for number in range(20):
        assert decode(token(), private("ES256").public_key())
        with pytest.raises(jwt.InvalidSignatureError):
            decode(token(), private(f"ES256:{number % 3 + 2}").public_key())
    gc.collect()
    for kind in (PUBLIC, StaticSource(key_set(JWK, issuer=ISSUER))):
        alive = weakref.ref(validator_for(kind, asked()))
        assert alive() is validator_for(kind, asked())


def test_no_more_are_kept_than_are_said_to_be():
    for number in range(kept.MOST_KEPT + 9):
        validator_for(PUBLIC, asked(seconds=number / 1000))
    assert kept._kept.cache_info().currsize == kept.MOST_KEPT


def test_what_fails_is_not_kept():
    for _ in range(2):
        with pytest.raises(ImmureError):
            decode(token(), b"secret")
    assert kept._kept.cache_info().currsize == 0
