"""The answers of RFC 6750, section 3, and RFC 9449, section 7.1, to requests that are not let in.

>>> from immure.tokens.errors import ExpiredError
>>> answers = Answers(realm="mail")
>>> answers.no_token().headers[0]
('WWW-Authenticate', 'Bearer realm="mail"')
>>> answers.to(ExpiredError("")).headers[0][1]
'Bearer realm="mail", error="invalid_token", error_description="the token is refused (token-expired)"'

Nothing that a client sends gets into an answer.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from immure.errors import KeySourceError, UsageError
from immure.integrations.credentials import BEARER, DPOP
from immure.integrations.errors import Refusal
from immure.integrations.metadata import checked_url
from immure.integrations.scopes import ScopeError
from immure.tokens.errors import ProofError, TokenError

#: What may stand in a quoted text (RFC 9110, section 5.6.4), without all that is not ASCII.
_QUOTABLE: Final = re.compile(r"[ -~]*")
_NAMES: Final = {BEARER: "Bearer", DPOP: "DPoP"}


@dataclass(frozen=True)
class Answers:
    """The answers of one resource.

    Attributes:
        realm: for the client's user (RFC 9110, section 11.5).
        resource_metadata: address of the metadata of the resource (RFC 9728, section 5.1).
        proofs: algorithms of DPoP proofs that are taken; none means that there is no DPoP.
        retry_after: seconds after which to come again when keys cannot be had.

    Raises:
        UsageError: the realm has characters that no header may have, or the address is none.
    """

    realm: str | None = None
    resource_metadata: str | None = None
    proofs: Sequence[str] = ()
    retry_after: int = 10

    def __post_init__(self) -> None:
        quoted(self.realm or "")
        if self.resource_metadata is not None:
            checked_url(self.resource_metadata)
        if self.retry_after < 0:
            raise UsageError("retry_after is not negative")

    def to(self, error: TokenError | KeySourceError, scheme: str = BEARER) -> Refusal:
        """The answer to a token that came with this scheme and met this error."""
        if isinstance(error, KeySourceError):
            return self.no_keys(error.code)
        if isinstance(error, ScopeError):
            return self.scope_missing(error.scopes, scheme)
        if isinstance(error, ProofError):
            return self._refused("invalid_dpop_proof", "the DPoP proof is refused", error.code, DPOP)
        return self._refused("invalid_token", "the token is refused", error.code, scheme)

    def no_token(self, scopes: Sequence[str] = ()) -> Refusal:
        """There is no token: a challenge without an error, so that the client learns how to get in."""
        header = self._challenge(BEARER, None, "", scopes)
        return Refusal(401, "token-absent", "a token is needed", scopes=scopes, headers=[header])

    def malformed(self, rule: str, description: str) -> Refusal:
        """The request has no meaning: ``invalid_request``."""
        header = self._challenge(BEARER, "invalid_request", description)
        return Refusal(400, rule, description, error="invalid_request", headers=[header])

    def scope_missing(self, scopes: Sequence[str], scheme: str = BEARER) -> Refusal:
        """The token is good, and not for this: ``insufficient_scope``, with the scopes that are needed."""
        error, description = "insufficient_scope", "the token lacks a scope"
        header = self._challenge(scheme, error, description, scopes)
        return Refusal(403, ScopeError.code, description, error=error, scopes=scopes, headers=[header])

    def no_keys(self, rule: str = KeySourceError.code) -> Refusal:
        """Nobody can tell now whether the token is good. No challenge: another token would not help."""
        return self._later(rule, "the keys of the issuer cannot be had now")

    def no_record(self, rule: str) -> Refusal:
        """Nothing is accepted now, as it could not be written down."""
        return self._later(rule, "what is accepted cannot be recorded now")

    def _later(self, rule: str, description: str) -> Refusal:
        return Refusal(503, rule, description, headers=[("Retry-After", str(self.retry_after))])

    def _refused(self, error: str, words: str, rule: str, scheme: str) -> Refusal:
        description = f"{words} ({rule})"
        header = self._challenge(scheme, error, description)
        return Refusal(401, rule, description, error=error, headers=[header])

    def _challenge(
        self, scheme: str, error: str | None, description: str, scopes: Sequence[str] = ()
    ) -> tuple[str, str]:
        """One field for all schemes that are taken; the one that the client used has the error."""
        told = {"error": error, "error_description": description if error else None}
        told |= {"scope": " ".join(scopes) or None, "resource_metadata": self.resource_metadata}
        schemes = {BEARER: [("realm", self.realm)]}
        if self.proofs:
            schemes[DPOP] = [("algs", " ".join(self.proofs))]
        schemes[scheme] = [*schemes[scheme], *told.items()]
        challenges = [_written(_NAMES[name], parameters) for name, parameters in schemes.items()]
        return "WWW-Authenticate", ", ".join(challenges)


def _written(scheme: str, parameters: Sequence[tuple[str, str | None]]) -> str:
    values = ", ".join(f"{name}={quoted(value)}" for name, value in parameters if value)
    return f"{scheme} {values}".rstrip()


def quoted(text: str) -> str:
    """A text as a header may have it (RFC 9110, section 5.6.4).

    >>> quoted('a "b"')
    '"a \\\\"b\\\\""'

    Raises:
        UsageError: it has control characters, or others that are not ASCII.
    """
    if not _QUOTABLE.fullmatch(text):
        raise UsageError(f"a header cannot have this text: {text[:100]!a}")
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
