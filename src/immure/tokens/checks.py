"""Checks of type, audience, times and other claims, and the set of checks that policies have by default."""

from __future__ import annotations

from typing import Final

from immure.tokens.check import AllOf, Check, Facts
from immure.tokens.confirmation import HolderIsBound
from immure.tokens.errors import (
    AudienceClassError,
    AudienceError,
    ClaimTypeError,
    ClaimValueError,
    ExpiredError,
    IssuedAtError,
    LifetimeError,
    MissingClaimError,
    NotYetError,
    TokenTypeError,
)
from immure.tokens.key_checks import WithinKeyScope

#: Types of tokens that are for something else than to be let in with (RFC 8725, section 3.12).
OTHER_TYPES: Final = frozenset(
    {
        "dpop+jwt",
        "logout+jwt",
        "secevent+jwt",
        "token-introspection+jwt",
        "oauth-authz-req+jwt",
        "client-authentication+jwt",
        "entity-statement+jwt",
        "kb+jwt",
    }
)


class HasType(Check):
    """``typ`` is what the policy asks for, and no other protocol's."""

    def verify(self, facts: Facts) -> None:
        """Raises TokenTypeError."""
        typ, wanted = facts.header.typ, facts.policy.token_type
        if wanted is None and typ in OTHER_TYPES:
            raise TokenTypeError(f"a token of type {typ!a} is not for this")
        if wanted is not None and typ != wanted:
            raise TokenTypeError(f"typ is {typ and typ[:40]!a}, not {wanted!a}")


class HasAudience(Check):
    """The token is for an audience of ours, which takes tokens of the issuer's class."""

    def verify(self, facts: Facts) -> None:
        """Raises AudienceError or AudienceClassError. Of several that are ours, all must take the class."""
        claim = facts.policy.audience_claim
        known, wanted, named = facts.policy.audiences, facts.audience, facts.claims.get(claim, ())
        if claim != "aud" and "aud" in facts.claims:
            raise AudienceError(f"the token names an audience, where the policy goes by {claim}")
        if type(named) is str:
            named = (named,)
        found = False
        for one in named:
            if one in known and (wanted is None or one == wanted):
                found = True
                if facts.rule.audience_class not in known[one]:
                    words = f"takes no tokens of class {facts.rule.audience_class!a}"
                    raise AudienceClassError(f"the audience {one[:100]!a} {words}")
        if not found:
            raise AudienceError("the token is for somebody else" if named else "the token names no audience")


class NotExpired(Check):
    """``exp`` has not passed."""

    def verify(self, facts: Facts) -> None:
        """Raises ExpiredError."""
        expires = facts.claims.get("exp")
        if expires is not None and facts.now >= expires + facts.skew:
            raise ExpiredError(f"expired {facts.now - expires:.0f} s ago")


class NotTooEarly(Check):
    """``nbf`` has passed."""

    def verify(self, facts: Facts) -> None:
        """Raises NotYetError."""
        begins = facts.claims.get("nbf")
        if begins is not None and facts.now < begins - facts.skew:
            raise NotYetError(f"valid only in {begins - facts.now:.0f} s")


class IssuedInThePast(Check):
    """``iat`` is not in the future, and not behind ``exp``."""

    def verify(self, facts: Facts) -> None:
        """Raises IssuedAtError."""
        issued = facts.claims.get("iat")
        if issued is None:
            return
        if facts.now < issued - facts.skew:
            raise IssuedAtError(f"issued in {issued - facts.now:.0f} s from now")
        if issued > facts.claims.get("exp", issued):
            raise IssuedAtError("issued after it expires")


class NotTooOld(Check):
    """The token lives no longer than the policy takes, and was issued no longer ago."""

    def verify(self, facts: Facts) -> None:
        """Raises MissingClaimError or LifetimeError."""
        most = facts.policy.max_age
        if most is None:
            return
        issued, expires = facts.claims.get("iat"), facts.claims.get("exp")
        if issued is None:
            raise MissingClaimError("iat is not there, so nobody can tell how old the token is")
        seconds = most.total_seconds()
        if facts.now - issued > seconds + facts.skew:
            raise LifetimeError(f"issued {facts.now - issued:.0f} s ago; {seconds:.0f} are taken")
        if expires is not None and expires - issued > seconds:
            raise LifetimeError(f"lives for {expires - issued:.0f} s; {seconds:.0f} are taken")


class HasClaims(Check):
    """All claims are there that the policy asks for."""

    def verify(self, facts: Facts) -> None:
        """Raises MissingClaimError, or ClaimTypeError for a fraction of a second where none is taken."""
        claims = facts.claims
        if not claims.keys() >= facts.policy.require:
            raise MissingClaimError(f"{min(facts.policy.require - claims.keys())} is not there")
        if facts.policy.whole_seconds:
            for name in ("exp", "nbf", "iat", "auth_time"):
                if isinstance(claims.get(name), float):
                    raise ClaimTypeError(f"{name} is not a whole number")


class HasValues(Check):
    """Claims have the values that the policy asks for."""

    def verify(self, facts: Facts) -> None:
        """Raises MissingClaimError or ClaimValueError."""
        values = facts.policy.values
        if not values:
            return
        for name, allowed in values.items():
            if name not in facts.claims:
                raise MissingClaimError(f"{name} is not there")
            value = facts.claims[name]
            if not isinstance(value, str | int) or not any(
                value == one and type(value) is type(one) for one in allowed
            ):
                raise ClaimValueError(f"{name} has another value than the policy takes")


#: What is asked of every token, unless a policy says otherwise.
STANDARD: Final = AllOf(
    WithinKeyScope(),
    HasType(),
    HasAudience(),
    NotExpired(),
    NotTooEarly(),
    IssuedInThePast(),
    NotTooOld(),
    HasClaims(),
    HasValues(),
    HolderIsBound(),
)
