"""What gates and adapters ask a door, and what they tell it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime

from immure.access.errors import DeniedError, NoGrantError
from immure.access.live import grant_fault, live_grant, live_session, rights_end, signed_in
from immure.access.names import parse_resource
from immure.access.records import Certificate, Grant, Person, Session
from immure.access.room import Room
from immure.access.store import Store
from immure.auditlog import JSON, Entry


class Gates:
    """See :class:`immure.access.Door`."""

    _store: Store

    def live_grant(self, resource: str, action: str, *, account: str | None = None) -> Grant:
        """The grant by which somebody (this account, or any) may do this now.

        The time is that of the door's clock, which does not go back; the caller cannot give another.

        Raises:
            NoGrantError: there is none; ``rule`` says what is amiss.
            UsageError: there is no such kind of resource.
        """
        wanted = parse_resource(resource)
        with self._reading_now() as (room, at):
            return live_grant(room, wanted, action, at, account)

    def session(self, secret: bytes, *, workstation: str) -> tuple[Session, Grant]:
        """The session that a secret stands for, and its grant: for every request of a page.

        Args:
            secret: from :attr:`Done.secret`.
            workstation: SHA-256 (hex) of the certificate that the client has shown on this connection.

        Raises:
            NoGrantError: it has ended, is bound to another workstation, or its grant is not live any more.
        """
        with self._reading_now() as (room, at):
            return live_session(room, hashlib.sha256(secret).hexdigest(), workstation, at)

    def signed_in(self, secret: bytes, *, workstation: str = "") -> Person:
        """Who has signed in to look at the room's page (:meth:`Door.begin_sign_in`), or is in on a grant.

        Raises:
            NoGrantError: the session has ended, is bound to another workstation, or the person may not act.
        """
        with self._reading_now() as (room, at):
            return signed_in(room, hashlib.sha256(secret).hexdigest(), workstation, at)

    def use(self, grant: str, action: str, detail: Mapping[str, JSON] | None = None) -> Entry:
        """Note in the log what a grant is used for; an adapter calls it *before* it lets anything happen.

        Raises:
            NoGrantError: the grant is not live.
        """
        document: dict[str, JSON] = {"act": "used", "grant": grant, "action": action, "detail": detail or {}}
        return self._system("used", document)

    def record_certificate(self, grant: str, action: str, *, kind: str, serial: str, ends: str) -> Entry:
        """Note that a certificate is issued on a grant; an adapter calls it *before* it gives the certificate
        away. It is revoked with the grant (:meth:`revoked_certificates`).

        Args:
            grant, action: on which grant, for which of its actions.
            kind, serial: ``ssh`` and its serial number, for instance.
            ends: until when it is valid (RFC 3339), not beyond :meth:`rights_end`.
        """
        document: dict[str, JSON] = {
            "act": "certificate",
            "grant": grant,
            "action": action,
            "kind": kind,
            "serial": serial,
            "ends": ends,
        }
        return self._system("certificate", document)

    def rights_end(self, grant: Grant) -> datetime:
        """Until when a certificate on a grant can be at most: the end of the grant, or of the screening."""
        with self._store.looking():
            return rights_end(self._store.room, grant)

    def revoked_certificates(self, kind: str) -> list[Certificate]:
        """Certificates of a kind that have not run out and are worth nothing: they were revoked, or their
        grant is not live now for whatever reason (screening, keys, policy). For a KRL or CRL."""
        with self._store.reading() as at:
            room, found, live = self._store.room, list[Certificate](), dict[str, bool]()
            for one in self._store.rows.find(Certificate):
                if one.kind != kind or at >= one.ends:
                    continue
                if one.grant not in live:
                    live[one.grant] = grant_fault(room, room.grant(one.grant), at) is None
                if one.state == "revoked" or not live[one.grant]:
                    found.append(one)
            return found

    def end_session(self, session: str, reason: str = "signed out") -> Entry:
        """End a session; whoever has its secret may ask for that."""
        return self._system("end-session", {"act": "end-session", "session": session, "reason": reason})

    def _system(self, act: str, document: Mapping[str, JSON]) -> Entry:
        try:
            return self._store.write(act, {"document": document})[0]
        except DeniedError as error:
            raise NoGrantError(error.reason, rule=error.rule) from error

    @contextmanager
    def _reading_now(self) -> Iterator[tuple[Room, datetime]]:
        self._store.note_time()
        with self._store.reading() as at:
            yield self._store.room, at
