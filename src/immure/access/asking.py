"""The verbs by which people begin something: each gives a ceremony, to be completed with a hardware key."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from immure.access import ceremonies
from immure.access.acts.founding import founding_fault, founding_list
from immure.access.acts.requests import approval_document
from immure.access.ceremonies import Ceremony
from immure.access.document import make
from immure.access.ids import new_id
from immure.access.protection import protected_subject
from immure.access.records import Person, Request
from immure.access.room import FOUNDING, deny
from immure.access.step import rehearse
from immure.access.store import Store
from immure.access.texts import encode, spelled
from immure.access.tpm.challenges import Challenges
from immure.access.workstation import read_workstation
from immure.auditlog import JSON


class Asking:
    """See :class:`immure.access.Door`. Every verb here raises DeniedError if what is begun would be refused,
    and changes nothing but that a ceremony waits for a response."""

    _store: Store

    def begin(self, act: str, account: str, particulars: Mapping[str, JSON]) -> Ceremony:
        """Begin any act that is signed; the verbs below say what each needs."""
        with self._store.trying() as at:
            document = make(act, account, self._store.room.id, particulars, at=at)
            keys = rehearse(self._store.room, document, at)
        with self._store.changing() as at:
            return ceremonies.begin(self._store.room, document, keys, at)

    # --- how a room begins ---

    def name_founder(
        self, account: str, person: str, *, roles: Sequence[str] = (), screening: Mapping[str, JSON]
    ) -> None:
        """Name one of the founders, before the room is open. Nobody signs this; all founders sign it all."""
        handle = encode(secrets.token_bytes(32))
        document: dict[str, JSON] = {
            "act": "founder", "account": account, "person": person, "handle": handle, "roles": list(roles),
            "screening": screening,
        }  # fmt: skip
        self._store.write("founder", {"document": document})

    def begin_registration(self, account: str, request: str = FOUNDING) -> Ceremony:
        """Register a hardware key: a founder's, or one for a request (``enrol`` or ``key``) that waits for
        keys."""
        room = self._store.room
        with self._store.changing() as at:
            handle = self._handle(account, request)
            document = make("register", account, room.id, {"request": request}, at=at)
            return ceremonies.begin_registration(room, document, handle, at)

    def begin_founding(self, account: str) -> Ceremony:
        """Sign the list of founders, their keys, and the policy; with the last founder the room is open."""
        with self._store.reading():
            fault = None if self._store.room.open else founding_fault(self._store.room)
            if fault is not None:
                deny("founding", fault)
            listed = founding_list(self._store.room)
        return self.begin("found", account, listed)

    # --- requests ---

    def begin_request(self, account: str, kind: str, subject: Mapping[str, JSON]) -> Ceremony:
        """Ask for something that others must approve; ``docs/reference/access-records.md`` has the kinds and
        what each must say. The id of the request is in the ceremony's document."""
        return self.begin("request", account, {"request": new_id(), "kind": kind, "subject": subject})

    def request_grant(
        self,
        account: str,
        *,
        resource: str,
        actions: Sequence[str],
        purpose: str,
        ticket: str = "",
        hours: int,
    ) -> Ceremony:
        """Ask to be let do ``actions`` with ``resource`` (``KIND:NAME``) for so many hours."""
        subject: dict[str, JSON] = {
            "resource": resource,
            "actions": list(actions),
            "purpose": purpose,
            "ticket": ticket,
            "hours": hours,
        }
        return self.begin_request(account, "grant", subject)

    def request_enrolment(
        self, account: str, *, new: str, person: str, roles: Sequence[str] = (), screening: Mapping[str, JSON]
    ) -> Ceremony:
        """Ask that a new person be enrolled; then their keys are registered (:meth:`begin_registration`), and
        then others approve."""
        handle = encode(secrets.token_bytes(32))
        subject: dict[str, JSON] = {
            "account": new, "person": person, "handle": handle, "roles": list(roles), "screening": screening,
        }  # fmt: skip
        return self.begin_request(account, "enrol", subject)

    def request_workstation(
        self, account: str, *, holder: str, certificate: bytes, evidence: Mapping[str, JSON] | None = None
    ) -> Ceremony:
        """Ask that sessions of ``holder`` may be bound to a workstation with this client certificate (PEM or
        DER). ``evidence``, made by :meth:`finish_tpm`, proves that its key is in a TPM."""
        with self._store.reading() as at:
            policy = self._store.room.policy
            digest, ends = read_workstation(certificate, policy.workstation_roots, at)
            protected = protected_subject(self._challenges(), certificate, evidence, policy.tpm, at)
        subject = {"account": holder, "workstation": digest, "ends": spelled(ends), **protected}
        return self.begin_request(account, "workstation", subject)

    def begin_tpm(self, holder: str, offer: Mapping[str, JSON]) -> dict[str, Any]:
        """A challenge to the TPM of a workstation that is to be ``holder``'s (:mod:`immure.access.tpm`)."""
        with self._store.reading() as at:
            room = self._store.room
            room.person(holder)
            return self._challenges().begin(offer, room.policy.tpm, room=room.id, account=holder, at=at)

    def finish_tpm(self, answer: Mapping[str, JSON]) -> dict[str, Any]:
        """The evidence that the answer to a challenge makes; good for a day, in this room."""
        with self._store.reading() as at:
            return self._challenges().finish(answer, self._store.room.policy.tpm, at)

    def _challenges(self) -> Challenges:
        return Challenges(self._store.directory)

    def request_policy(self, account: str, text: str) -> Ceremony:
        """Ask that another policy be in force."""
        import hashlib

        digest = hashlib.sha256(text.encode()).hexdigest()
        return self.begin_request(account, "policy", {"text": text, "sha256": digest})

    def begin_approval(self, account: str, request: str) -> Ceremony:
        """Approve a request: the challenge is the hash of the whole request, which :attr:`Ceremony.words`
        says in words."""
        with self._store.reading():
            document = approval_document(self._store.room, self._request(request))
        return self.begin("approve", account, document)

    def begin_denial(self, account: str, request: str) -> Ceremony:
        """Deny a request, or take one's own back."""
        return self.begin("deny", account, {"request": request})

    # --- grants ---

    def begin_revocation(self, account: str, grant: str, reason: str) -> Ceremony:
        """Revoke a grant, with its sessions and certificates."""
        return self.begin("revoke", account, {"grant": grant, "reason": reason})

    def begin_closing(self, account: str, grant: str) -> Ceremony:
        """Give a grant back."""
        return self.begin("close", account, {"grant": grant})

    def begin_break_glass(
        self, account: str, *, resource: str, actions: Sequence[str], reason: str, hours: int = 1
    ) -> Ceremony:
        """Let oneself in: alarmed, short, and to be reviewed. The id of the grant is in the document."""
        body: dict[str, JSON] = {
            "grant": new_id(),
            "resource": resource,
            "actions": list(actions),
            "reason": reason,
            "hours": hours,
        }
        return self.begin("break-glass", account, body)

    def begin_review(self, account: str, grant: str, *, verdict: str, reason: str) -> Ceremony:
        """Review what was done behind broken glass: ``justified`` or ``not-justified``."""
        return self.begin("review", account, {"grant": grant, "verdict": verdict, "reason": reason})

    def begin_session(self, account: str, grant: str, *, workstation: str) -> Ceremony:
        """Go in on a grant, from a workstation (SHA-256 of its certificate, hex). :meth:`Door.complete` gives
        the session and its secret."""
        body = {"grant": grant, "session": new_id(), "workstation": workstation}
        return self.begin("enter", account, body)

    def begin_sign_in(self, account: str, *, workstation: str = "") -> Ceremony:
        """Sign in to look at the room's page; it grants nothing. :meth:`Door.complete` gives the secret."""
        return self.begin("sign-in", account, {"session": new_id(), "workstation": workstation})

    # --- people and keys ---

    def begin_suspension(self, account: str, subject: str, reason: str) -> Ceremony:
        """Suspend a person at once."""
        return self.begin("suspend", account, {"subject": subject, "reason": reason})

    def begin_leaving(self, account: str, subject: str, reason: str) -> Ceremony:
        """Let a person go, for good."""
        return self.begin("leave", account, {"subject": subject, "reason": reason})

    def begin_lost_key(self, account: str, credential: str, since: datetime) -> Ceremony:
        """Report a hardware key as lost since a time: what it has done since then is undone."""
        return self.begin("lost-key", account, {"credential": credential, "since": spelled(since)})

    def _request(self, identity: str) -> Request:
        return self._store.room.request(identity)

    def _handle(self, account: str, request: str) -> str:
        """The user handle of whom a key is registered for: a founder, or whom the request is about."""
        room = self._store.room
        if request == FOUNDING:
            return room.person(account).handle
        subject = room.request(request).subject
        if subject.get("account") != account:
            deny("account", f"the request {request[:64]} is about another account than {account[:64]}")
        person = self._store.rows.get(Person, account)
        return str(subject.get("handle")) if person is None else person.handle


def describe(ceremony: Ceremony) -> dict[str, Any]:
    """A ceremony as JSON, for pages and files: words, options, and until when."""
    return {
        "act": ceremony.act,
        "words": list(ceremony.words),
        "expires": spelled(ceremony.expires),
        "options": dict(ceremony.options),
    }
