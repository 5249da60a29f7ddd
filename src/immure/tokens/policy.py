"""What a relying party accepts: whose tokens, signed with which keys, for which of its audiences.

    rule = IssuerRule(source, "enterprise", algorithms=frozenset({"ES256"}))
    policy = Policy({"https://login.example/": rule}, {"https://api.example": frozenset({"enterprise"})})

An issuer is bound to *its* source of keys. Issuers that share a source are held apart by what its keys say of
themselves; a key of which nothing says for whom it may sign is refused. No rule is there for "any issuer" or
"any audience".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from types import MappingProxyType
from typing import Any, Final, Literal, Protocol, get_args

from immure.errors import PolicyError
from immure.registry.scope import TENANT, KeyScope
from immure.tokens.algorithms import ALGORITHMS
from immure.tokens.parse import MOST_BYTES, plain_type
from immure.tokens.source import KeySource

Confirmation = Literal["if-bound", "required", "ignored"]
AudienceClaim = Literal["aud", "client_id"]
_MOST_SKEW: Final = timedelta(minutes=10)


class Asked(Protocol):
    """A check, as far as a policy knows of it: see :class:`immure.tokens.check.Check`."""

    def verify(self, facts: Any, /) -> None:
        """Raises TokenError if the token is refused."""

    @property
    def parts(self) -> tuple[Any, ...]:
        """What an explanation shows one by one."""


class Denies(Protocol):
    """Keys and times that are refused whatever a key set says, as far as a policy knows of it: see
    :class:`immure.tokens.deny_list_guard.DenyListGuard`."""

    def check_key(self, issuer: str, key: Any, moment: float, /) -> None:
        """Raises TokenError if the key is refused, KeySourceError if nobody knows."""

    def check_claims(self, claims: Mapping[str, Any], /) -> None:
        """Raises TokenError if a token whose signature holds is of a time that does not count."""


@dataclass(frozen=True)
class IssuerRule:
    """What is accepted of one issuer.

    Attributes:
        source: where its keys come from.
        audience_class: the kind of audiences that its tokens are for, such as ``consumer``, ``enterprise``,
            ``workload``.
        algorithms: none means all that fit the key and that its source allows.
        tenants: ids of tenants; none means any. Only for issuers that have tenants.
        separate_tenants: tenants of which no token is accepted by this rule, as they have keys of their own,
            and an exact rule if any: for Entra, that of consumers.
        exact_keys: take only keys that state this issuer itself, and none whose template fits it.
        clouds: names of cloud instances, one of which the key must state; none means that nobody asks.
    """

    source: KeySource
    audience_class: str
    algorithms: frozenset[str] = frozenset()
    tenants: frozenset[str] = frozenset()
    separate_tenants: frozenset[str] = frozenset()
    clouds: frozenset[str] = frozenset()
    exact_keys: bool = False

    def __post_init__(self) -> None:
        for name in ("algorithms", "tenants", "separate_tenants", "clouds"):
            object.__setattr__(self, name, _texts(getattr(self, name), name))
        unknown = self.algorithms - ALGORITHMS
        if unknown:
            raise PolicyError(f"unknown or forbidden algorithm: {min(unknown)!a}")
        if not isinstance(self.source, KeySource):
            raise PolicyError("an issuer needs a source of keys")
        if not isinstance(self.audience_class, str) or self.audience_class in ("", "*"):
            raise PolicyError("an issuer needs an audience class")


@dataclass(frozen=True)
class Policy:
    """What a relying party accepts.

    Attributes:
        issuers: rules by ``iss``; ``{tenantid}`` in it stands for the id of a tenant, which ``tid`` repeats.
        audiences: for each ``aud`` that is ours, the classes that it takes.
        audience_claim: which claim names the audience: ``aud``, or ``client_id`` for issuers of access tokens
            that have none (AWS Cognito); then a token that has ``aud`` all the same is refused.
        token_type: ``typ`` that every token must have, such as ``at+jwt``; None means that nobody asks,
            except that types which other protocols have for their own tokens are refused.
        max_age: how long before now a token may have been issued, and how long it may live in all.
        skew: by how much clocks may differ.
        require: claims that must be there.
        values: claims that must have one of some values.
        whole_seconds: refuse times with a fraction, which RFC 7519 allows.
        confirmation: whether a token's holder must prove to have the key that ``cnf`` binds it to: when it is
            bound (the default), always, or never.
        most_bytes: of the longest token.
        check: what is asked of a token whose signature holds (:mod:`immure.tokens.check`); None means
            :data:`immure.tokens.checks.STANDARD`.
        deny_list: keys that are refused whatever the issuer's source says of them; None asks no list.
    """

    issuers: Mapping[str, IssuerRule]
    audiences: Mapping[str, frozenset[str]]
    audience_claim: AudienceClaim = "aud"
    token_type: str | None = None
    max_age: timedelta | None = None
    skew: timedelta = timedelta(seconds=60)
    require: frozenset[str] = frozenset({"exp"})
    values: Mapping[str, frozenset[Any]] = field(default_factory=dict)
    whole_seconds: bool = False
    confirmation: Confirmation = "if-bound"
    most_bytes: int = MOST_BYTES
    check: Asked | None = None
    deny_list: Denies | None = None

    def __post_init__(self) -> None:
        if not self.issuers:
            raise PolicyError("a policy without issuers")
        if not timedelta(0) <= self.skew <= _MOST_SKEW:
            raise PolicyError("skew is between 0 and 10 minutes")
        if self.max_age is not None and self.max_age <= timedelta(0):
            raise PolicyError("max_age is not positive")
        if self.confirmation not in get_args(Confirmation):
            raise PolicyError(f"confirmation is one of {', '.join(get_args(Confirmation))}")
        if self.audience_claim not in get_args(AudienceClaim):
            raise PolicyError(f"audience_claim is one of {', '.join(get_args(AudienceClaim))}")
        if not 0 < self.most_bytes <= MOST_BYTES:
            raise PolicyError(f"most_bytes is between 1 and {MOST_BYTES}")
        for issuer in self.issuers:
            check_issuer(issuer)
        audiences = {name: _texts(classes, "audience classes") for name, classes in self.audiences.items()}
        values = {name: frozenset(allowed) for name, allowed in self.values.items()}
        self._set("issuers", MappingProxyType(dict(self.issuers)))
        self._set("audiences", MappingProxyType(audiences))
        self._set("values", MappingProxyType(values))
        self._set("require", _texts(self.require, "require"))
        self._set("token_type", None if self.token_type is None else plain_type(self.token_type))

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)

    @cached_property
    def _exact(self) -> dict[str, IssuerRule]:
        return {issuer: rule for issuer, rule in self.issuers.items() if TENANT not in issuer}

    @cached_property
    def _templates(self) -> list[tuple[KeyScope, IssuerRule]]:
        return [(KeyScope(issuer), rule) for issuer, rule in self.issuers.items() if TENANT in issuer]

    def rule_for(self, issuer: str) -> tuple[IssuerRule, str | None] | None:
        """The rule of an issuer, and the tenant that its name holds; an exact rule before a template."""
        exact = self._exact.get(issuer)
        if exact is not None:
            return exact, None
        for template, rule in self._templates:
            tenant = template.tenant_of(issuer)
            if tenant is not None:
                return rule, tenant
        return None

    def is_pooled(self, source: KeySource) -> bool:
        """Whether several issuers have the keys of a source, be it by sources of their own to one address.

        Asked for each token, as some sources learn only later where their keys are.
        """
        if len(self.issuers) == 1:
            return False
        address = source.address
        return self._settled[address] + sum(one.address == address for one in self._learning) > 1

    @cached_property
    def _settled(self) -> Counter[str]:
        """How many issuers have the keys at each address that is known from the beginning."""
        sources = (rule.source for rule in self.issuers.values())
        return Counter(one.address for one in sources if not one.learns_address)

    @cached_property
    def _learning(self) -> tuple[KeySource, ...]:
        return tuple(rule.source for rule in self.issuers.values() if rule.source.learns_address)


def check_issuer(issuer: str) -> None:
    """Raises PolicyError if this is no issuer, or a template that would fit too much."""
    if not isinstance(issuer, str) or not issuer or issuer.count(TENANT) > 1:
        raise PolicyError("an issuer is a text, with {tenantid} in it once at most")
    if set("{}*") & set(issuer.replace(TENANT, "")):
        raise PolicyError(f"an issuer with a placeholder that is not {TENANT}: {issuer[:200]!a}")


def _texts(value: Any, name: str) -> frozenset[str]:
    if isinstance(value, str) or not all(isinstance(one, str) and one for one in value):
        raise PolicyError(f"{name} is not a set of texts")
    return frozenset(value)
