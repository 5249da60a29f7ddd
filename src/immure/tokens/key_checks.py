"""Checks of the key: whether it may sign for what the token says.

This is the rule that was missing in the incident: a genuine signature by a genuine key of the same key set,
and an issuer for which that key must not sign (RFC 8725, section 3.8).
"""

from __future__ import annotations

import re
from typing import Final

from immure.registry.scope import KeyScope
from immure.tokens.check import AllOf, Check, Facts
from immure.tokens.errors import (
    KeyClassError,
    KeyCloudError,
    KeyIssuerError,
    KeyTenantError,
    KeyWindowError,
    TenantError,
    UnscopedKeyError,
)
from immure.tokens.jwk_scope import ANY_CLASS, AssumedScope

_GUID: Final = re.compile("[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class KeyMaySignForIssuer(Check):
    """The key may sign for this issuer."""

    def verify(self, facts: Facts) -> None:
        """Raises UnscopedKeyError or KeyIssuerError."""
        scope = facts.key.scoped.scope
        if scope is None:
            raise UnscopedKeyError(f"nothing says what {facts.key.name} may sign for")
        if isinstance(scope, AssumedScope) and facts.policy.is_pooled(facts.rule.source):
            raise UnscopedKeyError(
                f"several issuers have these keys, and {facts.key.name} says not whose it is"
            )
        issuer = facts.claims["iss"]
        if scope.issuer == issuer:
            return
        if facts.rule.exact_keys or not scope.allows_issuer(issuer):
            words = f"may sign for {scope.issuer!a}, not for {issuer[:200]!a}"
            raise KeyIssuerError(f"{facts.key.name} {words}")


class TenantIsBound(Check):
    """``tid`` is the tenant that the issuer names, and one that key and policy take."""

    def verify(self, facts: Facts) -> None:
        """Raises TenantError or KeyTenantError."""
        rule, scope, named = facts.rule, facts.key.scoped.scope, facts.tenant
        if named is None and scope is not None and scope.is_templated:
            named = scope.tenant_of(facts.claims["iss"])
        if named is None and not rule.tenants and not rule.separate_tenants and not (scope and scope.tenants):
            return
        tenant = facts.claims.get("tid")
        if tenant is None:
            raise TenantError("the token names no tenant (tid)")
        if not _GUID.fullmatch(tenant):
            raise TenantError("tid is not the id of a tenant")
        if named is not None and tenant != named:
            raise TenantError("tid is another tenant than the issuer's")
        if tenant in rule.separate_tenants or (rule.tenants and tenant not in rule.tenants):
            raise TenantError("the policy does not take this tenant here")
        if scope is not None and scope.tenants and tenant not in scope.tenants:
            raise KeyTenantError(f"{facts.key.name} may not sign for this tenant")


class KeyIsOfCloud(Check):
    """The key belongs to a cloud instance that the policy takes."""

    def verify(self, facts: Facts) -> None:
        """Raises KeyCloudError."""
        wanted = facts.rule.clouds
        if wanted and not wanted & clouds_of(
            facts.key.scoped.scope, facts.key.scoped.key.origin.cloud_instance_name
        ):
            raise KeyCloudError(f"{facts.key.name} is not of the cloud instance {min(wanted)!a}")


def clouds_of(scope: KeyScope | None, stated: str | None) -> frozenset[str]:
    """The cloud instances of a key."""
    if scope is not None and scope.clouds:
        return scope.clouds
    return frozenset() if stated is None else frozenset({stated})


class KeyMaySignForClass(Check):
    """The key may sign for audiences of the class that its issuer has."""

    def verify(self, facts: Facts) -> None:
        """Raises KeyClassError."""
        scope = facts.key.scoped.scope
        if scope is None:
            return
        classes = scope.audience_classes
        if facts.rule.audience_class not in classes and ANY_CLASS not in classes:
            raise KeyClassError(f"{facts.key.name} may not sign for {facts.rule.audience_class!a} audiences")


class KeyWasValid(Check):
    """The key was valid when the token was issued."""

    def verify(self, facts: Facts) -> None:
        """Raises KeyWindowError."""
        key, skew = facts.key, facts.skew
        issued = facts.claims.get("iat")
        if issued is not None and not key.begins - skew <= issued <= key.ends:
            raise KeyWindowError(f"{key.name} was not valid when the token was issued")


class WithinKeyScope(AllOf):
    """The key may sign for this issuer, tenant, cloud and audience class, now and then."""

    def __init__(self) -> None:
        super().__init__(
            KeyMaySignForIssuer(), TenantIsBound(), KeyIsOfCloud(), KeyMaySignForClass(), KeyWasValid()
        )
