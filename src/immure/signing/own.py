"""Validates access tokens that this service signed itself, each with the keys of its own issuer."""

from __future__ import annotations

from collections.abc import Iterable

from immure import clock
from immure.registry.store import Store
from immure.signing.settings import Settings
from immure.tokens.policy import IssuerRule, Policy
from immure.tokens.sources import RegistrySource
from immure.tokens.validator import Validator


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
