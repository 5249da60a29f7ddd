"""Tokens that are bound to a key of their holder (``cnf``, RFC 7800): by a TLS certificate (RFC 8705) or by
DPoP (RFC 9449).

A bound token that is let in without its key is a bearer token again: so it is refused unless the holder
proved that it has the key, or the policy says that nobody asks.
"""

from __future__ import annotations

import hashlib
from hmac import compare_digest

from immure.keymaterial.key import b64url
from immure.tokens.check import Check, Facts
from immure.tokens.errors import ClaimTypeError, ConfirmationError

_CERTIFICATE, _PROOF = "x5t#S256", "jkt"


class HolderIsBound(Check):
    """A token that is bound to a key of its holder came with a proof of that key."""

    def verify(self, facts: Facts) -> None:
        """Raises ClaimTypeError or ConfirmationError."""
        how, bound = facts.policy.confirmation, facts.claims.get("cnf")
        if how == "ignored":
            return
        if bound is None:
            if "cnf" in facts.claims:
                raise ClaimTypeError("cnf is not an object")
            if how == "required":
                raise ConfirmationError("the token is bound to no key of its holder (cnf)")
            return
        if not isinstance(bound, dict):
            raise ClaimTypeError("cnf is not an object")
        _verify(bound, facts)


def _verify(bound: dict[str, object], facts: Facts) -> None:
    """Each way in which the token is bound must be proved; a way that we do not know cannot be."""
    unknown = bound.keys() - {_CERTIFICATE, _PROOF}
    if unknown or not bound:
        raise ConfirmationError("the token is bound to its holder in a way that cannot be checked here")
    if _CERTIFICATE in bound:
        digest = None if facts.certificate is None else b64url(hashlib.sha256(facts.certificate).digest())
        _compare(bound[_CERTIFICATE], digest, "certificate")
    if _PROOF in bound:
        _compare(bound[_PROOF], facts.proof, "DPoP proof")


def _compare(wanted: object, got: str | None, what: str) -> None:
    if not isinstance(wanted, str) or not wanted.isascii():
        raise ClaimTypeError("a member of cnf is not a digest")
    if got is None:
        raise ConfirmationError(f"the token is bound to a {what}, and there is none")
    if not compare_digest(wanted, got):
        raise ConfirmationError(f"the token is bound to another {what}")
