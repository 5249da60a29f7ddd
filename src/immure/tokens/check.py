"""Checks of a token whose signature holds, and how they compose.

A check raises, or returns; it never answers with a value that could be forgotten.

>>> AllOf().verify(None)
Traceback (most recent call last):
...
immure.tokens.errors.EmptyCheckError: a check without parts accepts nothing
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

from immure.tokens.errors import EmptyCheckError, TokenError
from immure.tokens.parse import Header
from immure.tokens.policy import IssuerRule, Policy
from immure.tokens.prepared import PreparedKey


@dataclass(slots=True)
class Facts:
    """All that a check may ask about.

    Attributes:
        claims: their types have been checked.
        header: of the token.
        key: whose signature it is.
        rule: of the issuer, by the policy.
        policy: of the relying party.
        tenant: that the issuer's name holds, if the policy has a template for it.
        audience: which of ours the caller asks for; None means any.
        now: seconds since 1970.
        skew: seconds by which clocks may differ.
        certificate: of the client, DER, from its TLS connection.
        proof: thumbprint of the key that the client proved to hold (RFC 9449).
    """

    claims: dict[str, Any]
    header: Header
    key: PreparedKey
    rule: IssuerRule
    policy: Policy
    tenant: str | None
    audience: str | None
    now: float
    skew: float
    certificate: bytes | None = None
    proof: str | None = None


class Check(ABC):
    """Something that a token must fulfil."""

    @abstractmethod
    def verify(self, facts: Facts) -> None:
        """Raises TokenError if the token does not."""

    @property
    def parts(self) -> tuple[Check, ...]:
        """What an explanation shows one by one."""
        return (self,)

    @property
    def words(self) -> str:
        """The rule in words, from the first line of the class's documentation."""
        return (type(self).__doc__ or type(self).__name__).split("\n", 1)[0].rstrip(".").replace("``", "")


class AllOf(Check):
    """All parts accept the token.

    Args:
        checks: in this order; none of them means that nothing is accepted.
    """

    def __init__(self, *checks: Check) -> None:
        self.checks = checks
        self._verifies = [part.verify for check in checks for part in check.parts]

    def verify(self, facts: Facts) -> None:
        """See :meth:`Check.verify`."""
        if not self._verifies:
            raise EmptyCheckError("a check without parts accepts nothing")
        for verify in self._verifies:
            verify(facts)

    @property
    def parts(self) -> tuple[Check, ...]:
        """Those of all checks."""
        return tuple(part for check in self.checks for part in check.parts) or (self,)


class AnyOf(Check):
    """One of the parts accepts the token.

    Args:
        checks: none of them means that nothing is accepted.
    """

    def __init__(self, *checks: Check) -> None:
        self.checks = checks

    def verify(self, facts: Facts) -> None:
        """See :meth:`Check.verify`; what the last part says is raised."""
        last: TokenError = EmptyCheckError("a check without parts accepts nothing")
        for check in self.checks:
            try:
                check.verify(facts)
            except TokenError as error:
                last = error
            else:
                return
        raise last


class Unsafe(Check):
    """Nothing is asked beyond the signature, the key's state and the issuer's own source.

    With it a key is accepted outside its scope, expired tokens are accepted, and those for somebody else.
    """

    def verify(self, facts: Facts) -> None:
        """Accepts everything."""
