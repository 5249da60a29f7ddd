"""The blast radius of a key: what it could sign, who would have taken it, whom it reached, what nobody knows.

>>> nobody = TenantImpact("contoso", 0, (), (), (Interval(0, 60, "no log was kept"),), None, None)
>>> nobody.standing
'unknown'
>>> radius = BlastRadius("k1", "https://login.example", tenants=(nobody,))
>>> BlastRadius.from_json(radius.to_json()) == radius
True

A count is what was *seen*. Where an interval is unknown it is a lower bound (:attr:`TenantImpact.at_least`),
and a tenant of which no log was kept is unknown, not unaffected. Times are seconds since 1970.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Literal

from immure.auditlog.canonical import canonical
from immure.errors import LogError
from immure.response.errors import RadiusError
from immure.response.plain import from_plain, to_plain

Accepts = Literal["yes", "no", "unknown"]
Standing = Literal["affected", "unknown", "not seen"]
#: Tenants whose use over time is kept.
MOST_DRAWN: Final = 100
SCHEMA_ID: Final = "https://immure.example/schemas/blast-radius-1.json"


@dataclass(frozen=True, slots=True)
class Interval:
    """A time of which something is not known.

    Attributes:
        begin, end: seconds since 1970; the end is not in it.
        reason: why it is not known.
    """

    begin: int
    end: int
    reason: str


@dataclass(frozen=True, slots=True)
class Mailbox:
    """What was done in a mailbox.

    Attributes:
        address: of its owner.
        messages: ids of messages that were read one by one (Bind).
        folders: folders that were synchronised (Sync): all that was in them counts as read.
        accesses: records of access.
    """

    address: str
    messages: tuple[str, ...]
    folders: tuple[str, ...]
    accesses: int


@dataclass(frozen=True, slots=True)
class TenantImpact:
    """What a key did to a tenant, as far as the logs know.

    Attributes:
        tenant: its id; empty for what names no tenant.
        tokens: distinct tokens that were accepted and not issued; where there is no ledger to tell, all
            that were signed with the key.
        subjects: those whom the tokens named.
        mailboxes: those that were read.
        unknown: intervals in which more may have happened.
        first, last: of what was seen; None if nothing was.
    """

    tenant: str
    tokens: int
    subjects: tuple[str, ...]
    mailboxes: tuple[Mailbox, ...]
    unknown: tuple[Interval, ...]
    first: int | None
    last: int | None

    @property
    def at_least(self) -> bool:
        """Whether what was counted is a lower bound."""
        return bool(self.unknown)

    @property
    def standing(self) -> Standing:
        """``affected``: something was seen. ``not seen``: the logs are whole, and nothing was."""
        if self.tokens or self.mailboxes:
            return "affected"
        return "unknown" if self.unknown else "not seen"


@dataclass(frozen=True, slots=True)
class Scope:
    """What the key was allowed to sign for, as the registry has it; empty sets as in ``KeyScope``."""

    issuer: str
    audience_classes: tuple[str, ...] = ()
    tenants: tuple[str, ...] = ()
    clouds: tuple[str, ...] = ()
    algorithms: tuple[str, ...] = ()
    not_before: int | None = None
    not_after: int | None = None


@dataclass(frozen=True, slots=True)
class StateSpan:
    """A state that the key was in, from ``begin`` to ``end`` (None: still)."""

    state: str
    begin: int
    end: int | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class RelyingParty:
    """Somebody who takes tokens.

    Attributes:
        name: of the relying party.
        audience: the ``aud`` of tokens for it.
        would_accept: whether it would have accepted a token that the key signed and the issuer did not issue.
        why: from what that is known.
        accepted: distinct tokens that its log shows as accepted with the key and not issued.
        unknown: intervals of which its log does not tell.
    """

    name: str
    audience: str
    would_accept: Accepts
    why: str
    accepted: int = 0
    unknown: tuple[Interval, ...] = ()


@dataclass(frozen=True, slots=True)
class Cell:
    """Distinct tokens of a tenant whose first use lies in the step that begins at ``begin``."""

    tenant: str
    begin: int
    tokens: int


@dataclass(frozen=True, slots=True)
class Source:
    """A log that was looked at: ``rows`` of it in the window, from ``first`` to ``last``."""

    name: str
    kind: str
    rows: int
    first: int | None
    last: int | None


@dataclass(frozen=True)
class BlastRadius:
    """What one key reached.

    Attributes:
        kid, issuer: of the key.
        thumbprint: of the key (RFC 7638); empty if no registry knows it.
        begin, end: the time that was looked at.
        judged: ``ledger``: tokens were held against the ledger of what was issued. ``all``: there was none,
            so that every token under this kid counts, those among them that were issued as well.
        scope: what it could sign for; None if no registry says.
        states: in which it was, over time.
        relying_parties: who takes tokens of this issuer.
        tenants: whom it reached, and of whom that is not known.
        unknown: intervals that are unknown for everybody.
        sources: what was looked at.
        tokens: distinct tokens that count, in all tenants; a lower bound if anything is unknown.
        step: seconds of a step of time.
        cells: what was used when, of the :data:`MOST_DRAWN` tenants with the most tokens.
    """

    kid: str
    issuer: str
    thumbprint: str = ""
    begin: int = 0
    end: int = 0
    judged: Literal["ledger", "all"] = "all"
    scope: Scope | None = None
    states: tuple[StateSpan, ...] = ()
    relying_parties: tuple[RelyingParty, ...] = ()
    tenants: tuple[TenantImpact, ...] = ()
    unknown: tuple[Interval, ...] = ()
    sources: tuple[Source, ...] = ()
    tokens: int = 0
    step: int = 0
    cells: tuple[Cell, ...] = ()

    @property
    def at_least(self) -> bool:
        """Whether any of the counts is a lower bound."""
        return bool(
            self.unknown
            or any(one.unknown for one in self.tenants)
            or any(one.unknown for one in self.relying_parties)
        )

    @cached_property
    def version(self) -> str:
        """SHA-256 of its canonical JSON without this member, in hex: what letters and approvals refer to."""
        return hashlib.sha256(canonical(self._members())).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """As an object, which blast-radius-1.schema.json describes."""
        return {**self._members(), "version": self.version}

    def _members(self) -> dict[str, Any]:
        return {"schema": SCHEMA_ID, **to_plain(self)}

    @classmethod
    def from_json(cls, value: object) -> BlastRadius:
        """The radius that :meth:`to_json` has made this of.

        Raises:
            RadiusError: it is none, or its version is not that of what it says.
        """
        if not isinstance(value, Mapping) or value.get("schema") != SCHEMA_ID:
            raise RadiusError(f"not an object of the schema {SCHEMA_ID}")
        given = {name: part for name, part in value.items() if name not in ("schema", "version")}
        radius: BlastRadius = from_plain(cls, given, "the radius")
        try:
            version = radius.version
        except LogError as error:
            raise RadiusError(error.reason) from error
        if value.get("version") != version:
            raise RadiusError("its version is not the digest of what it says: it was changed")
        return radius
