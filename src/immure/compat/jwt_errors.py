"""PyJWT's exceptions, by their names; ``code`` is that of our own refusal."""

from __future__ import annotations

from typing import Final

from immure.tokens import errors


class PyJWTError(Exception):
    """Base of all."""

    code: str = "token"


class InvalidTokenError(PyJWTError):
    """The token is refused."""


class DecodeError(InvalidTokenError):
    """It is malformed."""


class InvalidSignatureError(DecodeError):
    """The signature does not hold."""


class ExpiredSignatureError(InvalidTokenError):
    """``exp`` has passed."""


class ImmatureSignatureError(InvalidTokenError):
    """``nbf`` or ``iat`` is to come."""


class InvalidAudienceError(InvalidTokenError):
    """The token is for somebody else."""


class InvalidIssuerError(InvalidTokenError):
    """The issuer is another, or one for which the key may not sign."""


class InvalidAlgorithmError(InvalidTokenError):
    """The algorithm is not taken."""


class MissingRequiredClaimError(InvalidTokenError):
    """A claim is not there."""


_TRANSLATED: Final[tuple[tuple[type[errors.TokenError], type[InvalidTokenError]], ...]] = (
    (errors.SignatureError, InvalidSignatureError),
    (errors.ExpiredError, ExpiredSignatureError),
    (errors.NotYetError, ImmatureSignatureError),
    (errors.IssuedAtError, ImmatureSignatureError),
    (errors.AudienceError, InvalidAudienceError),
    (errors.AudienceClassError, InvalidAudienceError),
    (errors.IssuerError, InvalidIssuerError),
    (errors.KeyIssuerError, InvalidIssuerError),
    (errors.UnscopedKeyError, InvalidIssuerError),
    (errors.AlgorithmError, InvalidAlgorithmError),
    (errors.MissingClaimError, MissingRequiredClaimError),
    (errors.TokenSizeError, DecodeError),
    (errors.TokenFormError, DecodeError),
    (errors.HeaderError, DecodeError),
    (errors.ClaimTypeError, DecodeError),
)


def translated(error: errors.TokenError) -> InvalidTokenError:
    """The exception of PyJWT that says nearest the same."""
    kind = next((theirs for ours, theirs in _TRANSLATED if isinstance(error, ours)), InvalidTokenError)
    made = kind(str(error))
    made.code = error.code
    return made
