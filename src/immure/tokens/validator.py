"""Accept a token, or say which rule it breaks.

    validator = Validator(policy)
    claims = validator.validate(token, audience="https://api.example")

The order of work is fixed: the form; who the token says it is of; the key of *that issuer's own source*; the
algorithm, which is the key's and not the token's; the signature; and only then what the policy asks for. What
a token says before its signature holds is used for nothing but finding the key.
"""

from __future__ import annotations

from datetime import datetime
from time import time as seconds_now
from typing import Any, Final

from immure import clock
from immure.errors import PolicyError
from immure.registry.scope import ScopedKey
from immure.tokens.check import Facts
from immure.tokens.checks import STANDARD
from immure.tokens.claims import Claims, check_types
from immure.tokens.errors import ClaimTypeError, IssuerError, MissingClaimError, SignatureError
from immure.tokens.parse import Header, parse_header, parse_payload, parse_signature, split_token
from immure.tokens.policy import Asked, IssuerRule, Policy
from immure.tokens.prepared import PreparedKey, PreparedKeys

#: Headers and issuers of accepted tokens that are remembered.
_MOST_KEPT: Final = 4096


#: A token whose form is right, and whose issuer the policy knows: header, claims, what was signed, signature;
#: the rule, and the tenant that the issuer names. Its signature was not looked at.
Unverified = tuple[Header, dict[str, Any], bytes, bytes, IssuerRule, str | None]


class Validator:
    """Validates tokens by one policy. One validator serves any number of threads.

    Args:
        policy: what is accepted.
        time: where the time is from.
    """

    def __init__(self, policy: Policy, *, time: clock.Clock = clock.now) -> None:
        self.policy = policy
        self._time = time
        self.check: Asked = STANDARD if policy.check is None else policy.check
        self._skew = policy.skew.total_seconds()
        self._denied = policy.deny_list
        self._keys = PreparedKeys()
        self._headers: dict[bytes, Header] = {}
        self._rules: dict[str, tuple[IssuerRule, str | None]] = {}

    def validate(
        self,
        token: str | bytes,
        *,
        audience: str | None = None,
        now: datetime | None = None,
        certificate: bytes | None = None,
        proof: str | None = None,
    ) -> Claims:
        """The claims of a token that is accepted.

        Args:
            token: in compact form.
            audience: which of the policy's audiences is meant; None means any of them.
            now: the time, if not the clock's.
            certificate: the client's, DER, from its TLS connection (RFC 8705).
            proof: thumbprint of the key that the client proved to have (:mod:`immure.tokens.dpop`).

        Raises:
            TokenError: it is refused; the class and its ``code`` say by which rule.
            KeySourceError: the issuer's keys cannot be had now.
            PolicyError: the policy has no such audience.
        """
        opened = self.open(token, audience)
        scoped = opened[4].source.find(opened[0].kid)
        return self._accept(opened, scoped, audience, now, certificate, proof)

    async def avalidate(
        self,
        token: str | bytes,
        *,
        audience: str | None = None,
        now: datetime | None = None,
        certificate: bytes | None = None,
        proof: str | None = None,
    ) -> Claims:
        """As :meth:`validate`, without blocking while keys are fetched."""
        opened = self.open(token, audience)
        scoped = await opened[4].source.afind(opened[0].kid)
        return self._accept(opened, scoped, audience, now, certificate, proof)

    def open(self, token: str | bytes, audience: str | None = None) -> Unverified:
        """Take a token apart and find the rule of its issuer; nothing in it is to be believed yet.

        Raises:
            TokenError, PolicyError: as :meth:`validate`.
        """
        if audience is not None and audience not in self.policy.audiences:
            raise PolicyError(f"the policy has no audience {audience!a}")
        signed, head, payload, signature = split_token(token, self.policy.most_bytes)
        header = self._headers.get(head) or parse_header(head)
        raw = parse_signature(signature)
        claims = parse_payload(payload)
        rule, tenant = self.rule_of(claims)
        return header, claims, signed, raw, rule, tenant

    def rule_of(self, claims: dict[str, Any]) -> tuple[IssuerRule, str | None]:
        """The policy's rule for who the token says it is of, and the tenant in the issuer's name.

        Raises:
            MissingClaimError, ClaimTypeError, IssuerError: there is none.
        """
        issuer = claims.get("iss")
        if type(issuer) is not str:
            if "iss" in claims:
                raise ClaimTypeError("iss is not a text")
            raise MissingClaimError("iss is not there")
        found = self._rules.get(issuer) or self.policy.rule_for(issuer)
        if found is None:
            raise IssuerError(f"the policy does not know the issuer {issuer[:200]!a}")
        return found

    def _accept(
        self,
        opened: Unverified,
        scoped: ScopedKey,
        audience: str | None,
        now: datetime | None,
        certificate: bytes | None,
        proof: str | None,
    ) -> Claims:
        header, claims, signed, signature, rule, tenant = opened
        key = self._keys.get(scoped)
        key.check_usable()
        moment, denied = self.moment(now), self._denied
        if denied is not None:
            denied.check_key(claims["iss"], key, moment)
        key.check_time(moment, "now")
        holds = key.check_algorithm(header.alg, rule.algorithms)
        if not holds(signature, signed):
            raise SignatureError("the signature does not hold")
        check_types(claims)
        if denied is not None:
            denied.check_claims(claims)
        policy = self.policy
        self.check.verify(
            Facts(claims, header, key, rule, policy, tenant, audience, moment, self._skew, certificate, proof)
        )
        self._remember(header, claims["iss"], rule, tenant)
        return Claims(claims, scoped, header, rule.audience_class, tenant or claims.get("tid"))

    def moment(self, now: datetime | None = None) -> float:
        """The time in seconds since 1970."""
        if now is None:
            if self._time is clock.now:
                return seconds_now()  # the same, sooner
            now = self._time()
        return now.timestamp()

    def prepared(self, scoped: ScopedKey) -> PreparedKey:
        """A key of a source, made ready."""
        return self._keys.get(scoped)

    def _remember(self, header: Header, issuer: str, rule: IssuerRule, tenant: str | None) -> None:
        """Called for accepted tokens only, so that a flood of others cannot drive them out."""
        if header.segment not in self._headers:
            if len(self._headers) >= _MOST_KEPT:
                self._headers = {}
            self._headers[header.segment] = header
        if issuer not in self._rules:
            if len(self._rules) >= _MOST_KEPT:
                self._rules = {}
            self._rules[issuer] = (rule, tenant)
