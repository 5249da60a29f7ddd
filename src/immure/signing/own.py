"""Validates tokens that this service signed itself, each with the keys of its own issuer."""

from __future__ import annotations

from collections.abc import Iterable

from immure import clock
from immure.registry.store import Store
from immure.signing.settings import Settings
from immure.tokens.check import AllOf
from immure.tokens.checks import HasAudience, HasClaims, HasType, IssuedInThePast
from immure.tokens.key_checks import WithinKeyScope
from immure.tokens.policy import IssuerRule, Policy
from immure.tokens.sources import RegistrySource
from immure.tokens.validator import Validator


def identity_tokens(
    settings: Settings, name: str, registry: Store, *, time: clock.Clock = clock.now
) -> Validator:
    """A validator of one issuer's ID tokens, for whichever of its clients that sign people in.

    They are hints of who it was, and an old one is as good.
    """
    issuer = settings.issuers[name]
    chosen = min(issuer.scope.audience_classes)
    rule = IssuerRule(RegistrySource(registry, issuer.url, every=0.0), chosen)
    clients = {
        one: frozenset({chosen})
        for one, client in settings.clients.items()
        if client.issuer == name and client.redirect_uris
    }
    check = AllOf(HasType(), WithinKeyScope(), HasClaims(), HasAudience(), IssuedInThePast())
    policy = Policy({issuer.url: rule}, clients, token_type="JWT", check=check, confirmation="ignored")
    return Validator(policy, time=time)


def own_tokens(
    settings: Settings, names: Iterable[str], registry: Store, *, time: clock.Clock = clock.now
) -> Validator:
    """A validator of some of the issuers' access tokens, for whichever of their audiences.

    Holders of bound tokens prove nothing here: what is asked is whether the token is one of ours.

    Args:
        names: of the issuers.
        registry: with their keys.
    """
    rules, audiences = {}, dict[str, frozenset[str]]()
    for name in names:
        issuer = settings.issuers[name]
        classes = issuer.scope.audience_classes
        chosen = min(classes)
        rules[issuer.url] = IssuerRule(RegistrySource(registry, issuer.url, every=0.0), chosen)
        for audience, one in settings.audiences.items():
            if one.audience_class in classes:
                audiences[audience] = audiences.get(audience, frozenset()) | {chosen}
    policy = Policy(rules, audiences, token_type="at+jwt", confirmation="ignored")
    return Validator(policy, time=time)
