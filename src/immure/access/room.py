"""The room as its rows have it: questions that every act asks, and how an act says no."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import Any, NoReturn

from immure.access.errors import AccessError, DeniedError
from immure.access.policy import Policy
from immure.access.policy_file import parse_policy
from immure.access.records import Approval, Certificate, Fact, Grant, HardwareKey, Person, Request, Session
from immure.access.rows import Rows
from immure.access.webauthn.metadata import BROKEN
from immure.auditlog import JSON

#: The request that stands for the founding, which all founders approve.
FOUNDING = "founding"


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happens: one entry of the log, ``access.ACT``.

    Attributes:
        document: what it is; if ``actor`` is there, they have signed it with ``key``.
        at: when.
        evidence: the registration in the entry, if there is one.
        extra: what the door itself adds to what was signed.
    """

    act: str
    document: Mapping[str, Any]
    at: datetime
    actor: Person | None = None
    key: HardwareKey | None = None
    evidence: Mapping[str, Any] | None = None
    extra: Mapping[str, Any] | None = None

    def text(self, name: str) -> str:
        """A text of the document; raises AccessError if there is none of that name."""
        value = self.document.get(name)
        if not isinstance(value, str):
            raise AccessError(f"{self.act}: the document has no text {name!r}")
        return value

    def who(self) -> tuple[Person, HardwareKey]:
        """Who has signed it; raises AccessError if nobody has."""
        if self.actor is None or self.key is None:
            raise AccessError(f"{self.act}: nobody has signed it")
        return self.actor, self.key


def deny(rule: str, reason: str) -> NoReturn:
    """Say no; raises DeniedError."""
    raise DeniedError(reason, rule=rule)


class Room:
    """People, keys, requests and grants, in the rows of a database."""

    def __init__(self, rows: Rows) -> None:
        self.rows = rows

    def fact(self, name: str) -> Mapping[str, JSON] | None:
        """What is known under that name."""
        found = self.rows.get(Fact, name)
        return None if found is None else found.body

    @property
    def id(self) -> str:
        """The room's own id, random: it is in every document, so that none is of use in another room."""
        return str((self.fact("room") or {}).get("id", ""))

    @property
    def open(self) -> bool:
        """Whether it was founded."""
        found = self.rows.get(Fact, "room")
        return found is not None and found.state == "open"

    @property
    def policy(self) -> Policy:
        """The policy in force; raises AccessError if the room was never finished."""
        found = self.fact("policy")
        if found is None:
            raise AccessError("the room was begun and never made: remove its directory, and make it again")
        return read_policy(str(found.get("text")))

    def need_open(self) -> None:
        """Say no as long as the founders have not all signed."""
        if not self.open:
            deny("founding", "the room is not open: its founders have not all signed")

    def person(self, account: str) -> Person:
        """The person of an account; says no if there is none."""
        found = self.rows.get(Person, account)
        if found is None:
            deny("account", f"there is no account {account[:64]!r}")
        return found

    def request(self, identity: str) -> Request:
        """A request; says no if there is none."""
        found = self.rows.get(Request, identity)
        if found is None:
            deny("request", f"there is no request {identity[:64]!r}")
        return found

    def grant(self, identity: str) -> Grant:
        """A grant; says no if there is none."""
        found = self.rows.get(Grant, identity)
        if found is None:
            deny("grant", f"there is no grant {identity[:64]!r}")
        return found

    def keys(self, account: str, state: str = "active") -> list[HardwareKey]:
        """Hardware keys of an account."""
        return list(self.rows.find(HardwareKey, about=account, state=state))

    def usable(self, account: str) -> list[HardwareKey]:
        """Those that are active and of a model that is taken and not known to be broken."""
        return [key for key in self.keys(account) if self.key_fault(key) is None]

    def approvals(self, request: str) -> list[Approval]:
        """Approvals of a request that count."""
        return list(self.rows.find(Approval, about=request, state="given"))

    def standing(self, request: Request, at: datetime) -> list[Approval]:
        """Those of them that were given by people who may still approve it, with keys that may still be
        used."""
        found = []
        for approval in self.approvals(request.id):
            person = self.rows.get(Person, approval.account)
            key = self.rows.get(HardwareKey, approval.credential)
            if person is None or key is None or self.key_fault(key) is not None:
                continue
            if self.person_fault(person, at) is None and self.approver_fault(person, request) is None:
                found.append(approval)
        return found

    def approver_fault(self, person: Person, request: Request) -> tuple[str, str] | None:
        """Why somebody has not what it takes to approve a request: the rule, and words; None if they have."""
        if not self.policy.reaches(person.level, request.level):
            return "level", f"{person.id} is screened to {person.level}, and this needs {request.level}"
        if request.roles and not set(request.roles) & set(person.roles):
            return "role", f"this is approved by {', '.join(request.roles)}"
        return None

    def key_fault(self, key: HardwareKey) -> str | None:
        """Why a key may not be used, whatever it signs; None if it may."""
        if key.state != "active":
            return f"the key {key.fingerprint[:16]} is {key.state}"
        return self.model_fault(key.aaguid, key.root)

    def model_fault(self, aaguid: str, root: str) -> str | None:
        """Why a model is not taken: by the policy, or by what the metadata say of it."""
        from immure.access.webauthn.chain import fingerprint
        from immure.access.webauthn.models import aaguid_text

        policy = self.policy
        model = next((one for one in policy.models if aaguid_text(one.aaguid) == aaguid), None)
        if model is None or root not in {fingerprint(one) for one in model.roots}:
            return f"the model {aaguid} is not taken here"
        metadata = self.fact("metadata")
        known: Any = (metadata or {}).get("models", {})
        status = known.get(aaguid)
        if status is None:
            return f"the model {aaguid} is not in the metadata" if policy.metadata.required else None
        broken = sorted(set(status["statuses"]) & BROKEN)
        if broken:
            return f"the model {model.name} is reported {', '.join(broken)}"
        if root not in status["roots"]:
            return f"the root of {model.name} is none of those in the metadata"
        return None

    def person_fault(self, person: Person, at: datetime) -> tuple[str, str] | None:
        """Why a person may not act now: the rule, and words; None if they may."""
        if person.state != "active":
            return "person", f"{person.id} is {person.state}"
        if not person.screened <= at < person.expires:
            return "screening", f"the screening of {person.id} has run out"
        least = self.policy.people.least_keys
        if len(self.usable(person.id)) < least:
            return "keys", f"{person.id} has fewer than {least} hardware keys that may be used"
        return None

    # --- ends ---

    def end_grant(self, grant: Grant, state: str, reason: str) -> None:
        """Revoke or close a grant, and with it all sessions and certificates that come of it."""
        self.rows.put(replace(grant, state=state, reason=reason))
        for session in list(self.sessions(grant=grant.id)):
            self.end_session(session, f"grant {state}: {reason}"[:500])
        for certificate in self.rows.find(Certificate, about=grant.id, state="issued"):
            self.rows.put(replace(certificate, state="revoked"))

    def end_session(self, session: Session, reason: str) -> None:
        """End a session."""
        self.rows.put(replace(session, state="ended", reason=reason))

    def sessions(self, *, grant: str | None = None, account: str | None = None) -> Iterator[Session]:
        """Open sessions."""
        for session in self.rows.find(Session, state="open"):
            if grant in (None, session.grant) and account in (None, session.account):
                yield session

    def end_person(self, account: str, reason: str, at: datetime) -> None:
        """Revoke all grants of an account that have not ended, deny what it asks for, end its sessions. What
        it has approved, and others have not yet, must be approved again, also if the person comes back."""
        for session in list(self.sessions(account=account)):
            self.end_session(session, reason)
        for grant in self.rows.find(Grant, about=account, state="granted"):
            if at < grant.ends:
                self.end_grant(grant, "revoked", reason)
        for request in self.rows.find(Request, about=account):
            if request.state in ("open", "keys"):
                self.rows.put(replace(request, state="denied"))
        for request in self.rows.find(Request, state="open"):
            for approval in self.approvals(request.id):
                if approval.account == account:
                    self.rows.put(replace(approval, state="void"))


@lru_cache(maxsize=8)
def read_policy(text: str) -> Policy:
    """The policy in a text that the room has taken."""
    return parse_policy(text.encode())
