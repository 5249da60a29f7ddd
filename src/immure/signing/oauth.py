"""Answers to clients that cannot have what they ask for (RFC 6749, section 5.2)."""

from __future__ import annotations

from immure.errors import ImmureError
from immure.introspection.errors import MethodError, RequestError


class FormMethodError(MethodError):
    """The endpoint is for browsers, which read or send a form."""

    headers = ((b"allow", b"GET, POST"),)


class OAuthError(RequestError):
    """A request that is refused, with a code of RFC 6749 or one of its extensions."""

    code = "oauth"


class InvalidRequestError(OAuthError):
    """A parameter is missing, there twice, or malformed."""


class InvalidGrantError(OAuthError):
    """The code, token or assertion that was shown does not hold, or is another client's."""

    error = "invalid_grant"


class UnauthorizedClientError(OAuthError):
    """The client may not ask in this way."""

    error = "unauthorized_client"


class UnsupportedGrantError(OAuthError):
    """There is no such grant."""

    error = "unsupported_grant_type"


class InvalidScopeError(OAuthError):
    """The client may not have this scope, or the audience has none such."""

    error = "invalid_scope"


class InvalidTargetError(OAuthError):
    """The client may not have tokens for this audience (RFC 8707, section 2; RFC 8693, section 2.2.2)."""

    error = "invalid_target"


class InvalidProofError(OAuthError):
    """The DPoP proof does not hold (RFC 9449, section 5)."""

    error = "invalid_dpop_proof"


class OutOfScopeError(OAuthError):
    """The token would say what the key may not sign for. The key was not touched."""

    code = "oauth-key-scope"
    error = "invalid_target"


class UnavailableError(OAuthError):
    """No token can be given now: no key, no key holder, or the ledger cannot be written."""

    code = "oauth-unavailable"
    status = 503
    error = "temporarily_unavailable"
    headers = ((b"retry-after", b"2"),)


def unavailable(error: ImmureError) -> UnavailableError:
    """The answer when something of our own fails; what it was is for the journal, not for the client."""
    made = UnavailableError("no token can be given now: try again")
    made.__cause__ = error
    return made
