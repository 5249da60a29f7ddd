"""A genuine key signs for what it must not sign for: the incident, and what is near it."""

from __future__ import annotations

from typing import Any, Final

from immure.probe.case import Case
from immure.probe.mint import ABSENT, Mint

_BINDING: Final = "RFC 8725, section 3.8"
_WINDOW: Final = "RFC 5280, section 4.1.2.5; NIST SP 800-57 part 1, section 5.3"


def _incident(m: Mint) -> str:
    return m.token(m.key_of(m.kit.other_scope(same_class=False)))


def _no_kid(m: Mint) -> str:
    return m.token(m.key_of(m.kit.other_scope(same_class=False)), header={"kid": ABSENT})


def _home_kid(m: Mint) -> str:
    other = m.key_of(m.kit.other_scope(same_class=False))
    return m.token(other, header={"kid": m.home().kid})


def _other_kid(m: Mint) -> str:
    other = m.key_of(m.kit.other_scope(same_class=False))
    return m.token(m.home(), header={"kid": other.kid, "alg": m.home().alg})


def _no_issuer(m: Mint) -> str:
    return m.token(m.key_of(m.kit.other_scope(same_class=False)), iss=ABSENT)


def _consumer(m: Mint, **claims: Any) -> str:
    scope = m.kit.other_scope(same_class=False)
    return m.token(m.key_of(scope), scope=scope, **claims)


def _both_audiences(m: Mint) -> str:
    scope = m.kit.other_scope(same_class=False)
    return _consumer(m, aud=[scope.audience, m.target.audience])


def _other_tenants_key(m: Mint) -> str:
    return m.token(m.key_of(m.kit.other_scope(same_class=True)))


def _other_tenant(m: Mint) -> str:
    scope = m.kit.other_scope(same_class=True)
    return m.token(m.key_of(scope), scope=scope, aud=m.target.audience)


def _home_for_other(m: Mint) -> str:
    scope = m.kit.other_scope(same_class=True)
    return m.token(m.home(), scope=scope, aud=m.target.audience)


def _tenant_of_other(m: Mint) -> str:
    _ = m.tenant
    return m.token(tid=m.kit.other_scope(same_class=True).tenant or "other")


def _without_tenant(m: Mint) -> str:
    _ = m.tenant
    return m.token(tid=ABSENT)


def _wildcard_tenant(m: Mint) -> str:
    _ = m.tenant
    return m.token(tid="*")


def _tenant_list(m: Mint) -> str:
    return m.token(tid=[m.tenant, m.kit.other_scope(same_class=True).tenant])


def _consumer_tenant(m: Mint) -> str:
    """A genuine consumers' token that says it is of the enterprise's tenant."""
    return _consumer(m, tid=m.tenant, aud=m.target.audience)


CASES: Final = (
    Case("scope.incident", "Another scope's key signs for the target's issuer", _BINDING, "critical",
         _incident),
    Case("scope.incident-without-kid", "The same, and the token does not say which key it was", _BINDING,
         "critical", _no_kid),
    Case("scope.incident-other-kid", "The same, and the token names the target's key", _BINDING, "critical",
         _home_kid),
    Case("scope.kid-of-another", "The target's key signs, and the token names another scope's key", _BINDING,
         "high", _other_kid),
    Case("scope.without-issuer", "Another scope's key signs for no issuer at all", _BINDING, "critical",
         _no_issuer),
    Case("scope.consumer", "A genuine token of another class at the target's audience",
         "RFC 8725, section 3.9", "critical", lambda m: _consumer(m, aud=m.target.audience)),
    Case("scope.consumer-both-audiences", "A genuine token of another class for both audiences",
         "RFC 8725, section 3.9", "critical", _both_audiences),
    Case("scope.consumer-own-audience", "A genuine token of another class for its own audience",
         "RFC 8725, section 3.9", "critical", _consumer),
    Case("scope.consumer-tenant", "A genuine token of another class with the target's tenant", _BINDING,
         "critical", _consumer_tenant),
    Case("scope.other-tenants-key", "Another tenant's key signs for the target's issuer", _BINDING,
         "critical", _other_tenants_key),
    Case("scope.other-tenant", "A genuine token of another tenant", _BINDING, "critical", _other_tenant),
    Case("scope.home-for-other", "The target's key signs for another tenant's issuer", _BINDING, "high",
         _home_for_other),
    Case("scope.tenant-mismatch", "tid is another tenant than the issuer's", _BINDING, "high",
         _tenant_of_other),
    Case("scope.tenant-absent", "tid is not there", _BINDING, "medium", _without_tenant),
    Case("scope.tenant-wildcard", "tid is *", _BINDING, "high", _wildcard_tenant),
    Case("scope.tenant-list", "tid is a list with the right tenant in it", _BINDING, "medium", _tenant_list),
    Case("scope.unscoped-key", "A published key of which nothing says what it may sign for", _BINDING,
         "critical", lambda m: m.token(m.unscoped())),
    Case("scope.expired-key", "The target's key, which has expired", _WINDOW, "critical",
         lambda m: m.token(m.odd("expired"))),
    Case("scope.future-key", "The target's key, which is not valid yet", _WINDOW, "medium",
         lambda m: m.token(m.odd("future"))),
    Case("scope.other-cloud", "A key of another cloud instance signs for the target's issuer", _BINDING,
         "critical", lambda m: m.token(m.odd("cloud"))),
    Case("scope.encryption-key", "A key that is published for encryption only", "RFC 7517, section 4.2",
         "medium", lambda m: m.token(m.odd("encryption"))),
    Case("scope.weak-key", "A published RSA key of fewer than 2,048 bits", "RFC 7518, section 3.3", "medium",
         lambda m: m.token(m.odd("weak"))),
    Case("scope.attacker", "A key that was never published", "RFC 7515, section 5.2", "critical",
         lambda m: m.token(m.attacker())),
)  # fmt: skip
