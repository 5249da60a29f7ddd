"""PyJWT's ``decode()`` with key scope: change ``import jwt`` to ``from immure.compat import jwt``.

    keys = {"keys": [...]}  # the issuer's JWK Set, or one public key
    claims = jwt.decode(token, keys, ["RS256"], audience="https://mail.example", issuer="https://login.example")

What differs, and why:

- ``issuer`` is needed, unless the keys say for whom they may sign: no key is taken for whatever issuer a
  token names. Of several issuers each key must say whose it is. The token's ``kid`` chooses from a set.
- Symmetric keys are refused, and so is ``verify_signature=False``: an unverified token is not decoded.
- What is malformed is refused and not taken for absent.

Exceptions have PyJWT's names, and a ``code`` that says by which rule. What is made of the arguments is kept
for other calls with the same. A new program better has a :class:`~immure.tokens.validator.Validator`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any, Final

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
from immure.compat.jwt_validators import TIMES, Asked, validator_for
from immure.errors import PolicyError
from immure.tokens.errors import TokenError

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

_MOST_LEEWAY: Final = 600
_CHECKS: Final = (*TIMES, "verify_aud")
_OPTIONS: Final = {*_CHECKS, "verify_signature", "require"}


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
    asked = Asked(
        algorithms=frozenset(_names(algorithms)),
        issuers=() if issuer is None else _names(issuer),
        audiences=None if audience is None else _names(audience),
        require=frozenset(_names(chosen.get("require", ()))),
        checks=frozenset(name for name in _CHECKS if chosen.get(name, True)),
        seconds=_seconds(leeway),
    )
    try:
        return dict(validator_for(key, asked).validate(jwt))
    except TokenError as error:
        raise translated(error) from error


def _names(given: str | Iterable[str]) -> tuple[str, ...]:
    names = (given,) if isinstance(given, str) else tuple(given) if isinstance(given, Iterable) else (None,)
    if not all(isinstance(name, str) for name in names):
        raise PolicyError("algorithms, audience, issuer and claims are texts")
    return names


def _seconds(leeway: float | timedelta) -> float:
    if isinstance(leeway, timedelta):
        return leeway.total_seconds()
    if not isinstance(leeway, int | float) or not 0 <= leeway <= _MOST_LEEWAY:
        raise PolicyError(f"leeway is between 0 and {_MOST_LEEWAY} seconds")
    return leeway
