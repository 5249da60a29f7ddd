"""Validators for :func:`immure.compat.jwt.decode`: made once for the same arguments, and kept, a few of them.

A key is the same if its text is, or, where it is an object that cannot change, if it is that object. What
could change under the same name, as a dictionary of keys, goes by what it holds at the time of the call; if
that cannot be told, nothing is kept. A source of keys is asked with each token anyway.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from immure.errors import PolicyError
from immure.keymaterial.sources_files import parse_keys
from immure.registry.scope import ScopedKey
from immure.tokens import checks
from immure.tokens.check import AllOf, Check, Facts
from immure.tokens.confirmation import HolderIsBound
from immure.tokens.errors import AudienceError
from immure.tokens.jwk_scope import ANY_CLASS, AssumedScope
from immure.tokens.key_checks import WithinKeyScope
from immure.tokens.keyset import KeySet
from immure.tokens.policy import IssuerRule, Policy
from immure.tokens.source import KeySource
from immure.tokens.sources.static import StaticSource
from immure.tokens.validator import Validator

#: Validators that are kept.
MOST_KEPT: Final = 128
#: Checks of times, by the options that turn them off.
TIMES: Final[dict[str, Check]] = {
    "verify_exp": checks.NotExpired(),
    "verify_nbf": checks.NotTooEarly(),
    "verify_iat": checks.IssuedInThePast(),
}
_CLASS: Final = "any"
_PUBLIC: Final = (
    rsa.RSAPublicKey,
    ec.EllipticCurvePublicKey,
    ed25519.Ed25519PublicKey,
    ed448.Ed448PublicKey,
)


@dataclass(frozen=True)
class Asked:
    """All of a call but token and key.

    Attributes:
        algorithms: those that are taken.
        issuers: of which the token must name one; none means those that the keys name.
        audiences: of which the token must name one; None means that it must name none.
        require: claims that must be there.
        checks: names of the checks that are made: those of :data:`TIMES`, and ``verify_aud``.
        seconds: by which clocks may differ.
    """

    algorithms: frozenset[str]
    issuers: tuple[str, ...]
    audiences: tuple[str, ...] | None
    require: frozenset[str]
    checks: frozenset[str]
    seconds: float


class _Key:
    """A key and what tells it from others; it stays alive as long as its validator is kept."""

    __slots__ = ("given", "name")

    def __init__(self, given: Callable[[], Any], name: object) -> None:
        self.given = given
        self.name = name

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and self.name == other.name

    def __hash__(self) -> int:
        return hash(self.name)


class _NoAudience(Check):
    """The token names no audience, as none was asked for."""

    def verify(self, facts: Facts) -> None:
        if "aud" in facts.claims:
            raise AudienceError("the token names an audience, and none was asked for")


class _OneKey(KeySource):
    """One key, whatever a token calls it."""

    def __init__(self, key: ScopedKey) -> None:
        self.key = key

    def find(self, kid: str | None) -> ScopedKey:
        return self.key


def validator_for(key: Any, asked: Asked) -> Validator:
    """The validator of a call, made now or kept from an earlier one.

    Raises:
        PolicyError, KeySourceError: as :func:`immure.compat.jwt.decode`.
    """
    told = _told(key)
    return _made(key, asked) if told is None else _kept(told, asked)


@lru_cache(MOST_KEPT)
def _kept(key: _Key, asked: Asked) -> Validator:
    return _made(key.given(), asked)


def _told(key: Any) -> _Key | None:
    """A key with what tells it from all others; None if nothing does."""
    if isinstance(key, KeySource):
        return _Key(lambda: key, id(key))
    if isinstance(key, Mapping):
        try:
            text = json.dumps(key)
        except (TypeError, ValueError, RecursionError):
            return None
        return _Key(lambda: json.loads(text), hashlib.sha256(text.encode()).digest())
    inner = getattr(key, "key", key)
    if type(inner) in (str, bytes):
        return _Key(lambda: inner, ("text", inner))
    return _Key(lambda: inner, id(inner)) if isinstance(inner, _PUBLIC) else None


def _made(key: Any, asked: Asked) -> Validator:
    source, issuers = _source(key, asked.issuers)
    rule = IssuerRule(source, _CLASS, algorithms=asked.algorithms)
    policy = Policy(
        dict.fromkeys(issuers, rule),
        dict.fromkeys(asked.audiences or (), frozenset({_CLASS})),
        skew=timedelta(seconds=asked.seconds),
        require=asked.require,
        check=_checks(asked),
    )
    return Validator(policy)


def _checks(asked: Asked) -> Check:
    parts: list[Check] = [WithinKeyScope(), checks.HasType(), checks.HasClaims(), HolderIsBound()]
    parts += [check for name, check in TIMES.items() if name in asked.checks]
    if "verify_aud" in asked.checks:
        parts.append(_NoAudience() if asked.audiences is None else checks.HasAudience())
    return AllOf(*parts)


def _source(key: Any, issuers: tuple[str, ...]) -> tuple[KeySource, tuple[str, ...]]:
    """Where the key is, and for which issuers: those that were named, or those that its keys say."""
    only = issuers[0] if len(issuers) == 1 else None
    if isinstance(key, KeySource):
        source = key
    elif isinstance(key, Mapping):
        keys = KeySet.from_jwks(dict(key), "key", issuer=only)
        issuers = issuers or tuple({one.scope.issuer: 0 for one in keys.keys if one.scope is not None})
        source = StaticSource(keys) if "keys" in key or len(keys) != 1 else _OneKey(keys.keys[0])
    else:
        source = _OneKey(_one_key(key, only))
    if not issuers:
        raise PolicyError("name the issuer: nothing else says for whom the key may sign")
    return source, issuers


def _one_key(key: Any, issuer: str | None) -> ScopedKey:
    key = getattr(key, "key", key)
    if isinstance(key, str):
        key = key.encode("utf-8", "surrogatepass")
    elif hasattr(key, "public_bytes"):
        key = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if not isinstance(key, bytes):
        raise PolicyError("not a public key, and not a source of keys")
    found = tuple(parse_keys(key, "key"))
    if len(found) != 1:
        raise PolicyError("not one public key")
    scope = None if issuer is None else AssumedScope(issuer, audience_classes=frozenset({ANY_CLASS}))
    return ScopedKey(found[0], None, scope)
