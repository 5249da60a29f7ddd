"""Who may be let in, by whom, with what in hand: the policy of a room.

Nothing is allowed that the policy does not allow, and some things no policy can allow: fewer than two
approvers, fewer than two hardware keys, keys without attestation, synced passkeys, assertions without user
verification. :func:`immure.access.policy_file.parse_policy` reads one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from immure.access.names import Resource
from immure.access.pattern import Pattern
from immure.access.webauthn.models import Model

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

    from immure.access.records import Person

VERSION: Final = 1
#: No policy can ask for fewer.
LEAST_APPROVERS: Final = 2
LEAST_KEYS: Final = 2
LEAST_FOUNDERS: Final = 3
MOST_HOURS: Final = 24
#: Of keys of workstations in a TPM.
TPM_MODES: Final = ("required", "preferred", "off")


@dataclass(frozen=True, slots=True)
class Party:
    """The relying party of WebAuthn: its id (a domain), and the origins of its pages."""

    id: str
    name: str
    origins: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PeopleRules:
    """Levels of screening, the lowest first; keys for each person; how long an approval may take; who may
    approve enrolments and changes of the policy (roles; none: anybody)."""

    levels: tuple[str, ...]
    least_keys: int
    approvers: int
    approver_roles: tuple[str, ...]
    open_for: timedelta

    def lets_approve(self, person: Person) -> bool:
        """Whether somebody has the level and a role to approve who comes in."""
        fitting = not self.approver_roles or bool(set(self.approver_roles) & set(person.roles))
        return fitting and person.level == self.levels[-1]


@dataclass(frozen=True, slots=True)
class MetadataRules:
    """Whether a model must be in an imported blob of the FIDO Metadata Service, the name of who signs it, and
    the roots that it must lead to (none: whoever imports it says which)."""

    required: bool
    signer: str
    roots: tuple[Certificate, ...]


@dataclass(frozen=True, slots=True)
class TpmRules:
    """Whether the key of a workstation must be proven to be in a TPM (``required``, ``preferred`` or ``off``:
    not even looked at), and the roots of the vendors whose TPMs are taken."""

    mode: str
    roots: tuple[Certificate, ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """What may be granted. ``level`` is what requester and approvers must at least be screened to."""

    resources: tuple[Pattern, ...]
    actions: tuple[str, ...]
    level: str
    roles: tuple[str, ...]
    approvers: int
    approver_roles: tuple[str, ...]
    hours: int
    ticket: Pattern | None

    def covers(self, resource: Resource, actions: Sequence[str]) -> bool:
        """Whether the rule is about these."""
        named = any(pattern.matches(str(resource)) for pattern in self.resources)
        return named and set(actions) <= set(self.actions)


@dataclass(frozen=True, slots=True)
class GlassRules:
    """Break-glass: for what, by whom (screened to ``level``), for how many hours, who is alarmed, how many
    people must review it."""

    resources: tuple[Pattern, ...]
    level: str
    hours: int
    alarms: tuple[str, ...]
    reviewers: int


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy; ``sha256`` is that of its bytes, in hex."""

    path: str
    sha256: str
    namespace: str
    party: Party
    people: PeopleRules
    models: tuple[Model, ...]
    metadata: MetadataRules
    workstation_roots: tuple[Certificate, ...]
    tpm: TpmRules
    session: timedelta
    rules: tuple[Rule, ...]
    glass: GlassRules

    def rule_for(self, resource: Resource, actions: Sequence[str]) -> Rule | None:
        """The first rule about these; None: nobody may."""
        return next((rule for rule in self.rules if rule.covers(resource, actions)), None)

    def reaches(self, level: str, least: str) -> bool:
        """Whether a level of screening is at least ``least``."""
        levels = self.people.levels
        known = level in levels and least in levels  # a request may be older than the policy
        return known and levels.index(level) >= levels.index(least)
