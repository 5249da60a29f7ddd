"""PyJWT's ``decode()`` with key scope: change ``import jwt`` to ``from immure.compat import jwt``.

    keys = {"keys": [...]}  # the issuer's JWK Set, or one public key
    claims = jwt.decode(token, keys, ["RS256"], audience="https://mail.example", issuer="https://login.example")

What differs, and why:

- ``issuer`` is needed, unless the keys say for whom they may sign: no key is taken for whatever issuer a
  token names. Of several issuers each key must say whose it is. The token's ``kid`` chooses from a set.
- Symmetric keys are refused, and so is ``verify_signature=False``: an unverified token is not decoded.
- What is malformed is refused and not taken for absent.

Exceptions have PyJWT's names, and a ``code`` that says by which rule. A policy is made for each call; whoever
validates thousands of tokens a second keeps a :class:`~immure.tokens.validator.Validator`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any, Final

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from immure.compat.jwt_errors import (
    DecodeError,
    ExpiredSignatureError,
    ImmatureSignatureError,
    InvalidAlgorithmError,
    InvalidAudienceError,
    InvalidIssuerError,
    InvalidSignatureError,
    InvalidTokenError,
    MissingRequiredClaimError,
    PyJWTError,
    translated,
)
from immure.errors import PolicyError
from immure.keymaterial.sources_files import parse_keys
from immure.registry.scope import KeyScope, ScopedKey
from immure.tokens import checks
from immure.tokens.check import AllOf, Check, Facts
from immure.tokens.confirmation import HolderIsBound
from immure.tokens.errors import AudienceError, TokenError
from immure.tokens.jwk_scope import ANY_CLASS
from immure.tokens.key_checks import WithinKeyScope
from immure.tokens.keyset import KeySet
from immure.tokens.policy import IssuerRule, Policy
from immure.tokens.source import KeySource
from immure.tokens.sources.static import StaticSource
from immure.tokens.validator import Validator

__all__ = [
    "DecodeError",
    "ExpiredSignatureError",
    "ImmatureSignatureError",
    "InvalidAlgorithmError",
    "InvalidAudienceError",
    "InvalidIssuerError",
    "InvalidSignatureError",
    "InvalidTokenError",
    "MissingRequiredClaimError",
    "PyJWTError",
    "decode",
]

_CLASS: Final = "any"
_TIMES: Final[dict[str, Check]] = {
    "verify_exp": checks.NotExpired(),
    "verify_nbf": checks.NotTooEarly(),
    "verify_iat": checks.IssuedInThePast(),
}
_OPTIONS: Final = {*_TIMES, "verify_signature", "verify_aud", "require"}


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


def decode(
    jwt: str | bytes,
    key: Any,
    algorithms: Iterable[str] | None = None,
    options: Mapping[str, Any] | None = None,
    *,
    audience: str | Iterable[str] | None = None,
    issuer: str | Iterable[str] | None = None,
    leeway: float | timedelta = 0,
) -> dict[str, Any]:
    """The claims of a token that is accepted.

    Args:
        jwt: the token.
        key: a :class:`KeySource`, a decoded JWK or JWK Set, PEM or DER, a public key of ``cryptography``,
            or what has one as its member ``key``.
        algorithms: those that are taken; needed.
        options: ``require``, ``verify_exp``, ``verify_nbf``, ``verify_iat``, ``verify_aud``, as in PyJWT.
        audience, issuer: one or more, of which the token must name one.
        leeway: by how many seconds clocks may differ.

    Raises:
        InvalidTokenError: it is refused.
        PolicyError: what was asked for cannot be done safely.
        KeySourceError: the keys cannot be had, or are none.
    """
    chosen = dict(options or {})
    if not chosen.get("verify_signature", True) or chosen.keys() - _OPTIONS or not algorithms:
        raise PolicyError(
            "algorithms are needed; a token is not decoded unverified; other options are not known"
        )
    source, issuers = _source(key, _names(issuer))
    rule = IssuerRule(source, _CLASS, algorithms=frozenset(algorithms))
    skew = leeway if isinstance(leeway, timedelta) else timedelta(seconds=leeway)
    policy = Policy(
        dict.fromkeys(issuers, rule),
        dict.fromkeys(_names(audience), frozenset({_CLASS})),
        skew=skew,
        require=frozenset(chosen.get("require", ())),
        check=_checks(chosen, audience is not None),
    )
    try:
        return dict(Validator(policy).validate(jwt))
    except TokenError as error:
        raise translated(error) from error


def _checks(chosen: Mapping[str, Any], audience: bool) -> Check:
    parts: list[Check] = [WithinKeyScope(), checks.HasType(), checks.HasClaims(), HolderIsBound()]
    parts += [check for name, check in _TIMES.items() if chosen.get(name, True)]
    if chosen.get("verify_aud", True):
        parts.append(checks.HasAudience() if audience else _NoAudience())
    return AllOf(*parts)


def _names(given: str | Iterable[str] | None) -> tuple[str, ...]:
    return () if given is None else (given,) if isinstance(given, str) else tuple(given)


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
    scope = None if issuer is None else KeyScope(issuer, audience_classes=frozenset({ANY_CLASS}))
    return ScopedKey(found[0], None, scope)
