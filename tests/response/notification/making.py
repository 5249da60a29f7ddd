"""Incidents with a blast radius in them, and mail servers that take letters."""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

from immure.custody.signer import Signer
from immure.response.finding import Finding
from immure.response.incident import Incident
from immure.response.notification.preparing import Prepared, prepare_letters
from immure.response.notification.rendering import Templates
from immure.response.notification.settings import Contact, Pace, Sender, Settings, Smtp
from immure.response.radius import BlastRadius, Interval, Mailbox, TenantImpact
from servers.program import free_port

ISSUER = "https://login.example"
FOUND = Finding("key-in-dump", kid="k1", issuer=ISSUER, summary="found in app.core")
BEGIN, END = 1_700_000_000, 1_700_090_000
GAP = Interval(BEGIN, BEGIN + 3600, "no log was kept")
ADA = Mailbox("ada@contoso.example", ("m1", "m2"), ("Inbox",), 3)
CONTOSO = TenantImpact("contoso", 2, ("ada@contoso.example",), (ADA,), (), BEGIN + 100, BEGIN + 200)
FABRIKAM = TenantImpact("fabrikam", 0, (), (), (GAP,), None, None)
QUIET = TenantImpact("quiet", 0, (), (), (), None, None)
#: Ours, compiled once.
TEMPLATES = Templates()
CONTACTS = {
    "contoso": Contact("Contoso GmbH", "de", ("it@contoso.example", "ceo@contoso.example")),
    "fabrikam": Contact(mail=("security@fabrikam.example",)),
}


class Clock:
    """Tells a moment that a test sets."""

    def __init__(self, at: int = END + 100) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return datetime.fromtimestamp(self.at, UTC)


def radius(*tenants: TenantImpact, **members: Any) -> BlastRadius:
    tokens = sum(one.tokens for one in tenants)
    given = {"begin": BEGIN, "end": END, "judged": "ledger", "tokens": tokens, **members}
    return BlastRadius("k1", ISSUER, tenants=tenants, **given)


def opened(folder: Path, key: Signer, clock: Callable[[], datetime], *tenants: TenantImpact) -> Incident:
    """An incident with two approvers and, if there are tenants, a blast radius."""
    made = Incident.open_new(folder, finding=FOUND, actor="ann", key=key, clock=clock)
    for person in ("bo", "cleo", "dan"):
        made.grant_role("approver", person, actor="ann")
    if tenants:
        add_radius(made, radius(*tenants))
    return made


def add_radius(incident: Incident, found: BlastRadius, *, corrects: int | None = None) -> int:
    path = incident.work / f"radius-{found.version}.json"
    path.write_text(json.dumps(found.to_json()))
    body = {"radius": found.version, "says": "blast radius"}
    return incident.add("fact", body, actor="ann", corrects=corrects).sequence


def settings(port: int = 25, contacts: dict[str, Contact] | None = None, **members: Any) -> Settings:
    return Settings(
        Sender("Example Login", "security@login.example", "https://login.example/incident"),
        CONTACTS if contacts is None else contacts,
        members.pop("smtp", Smtp("127.0.0.1", port, "none", seconds=5)),
        pace=members.pop("pace", Pace(attempts=2, first_wait=0.0)),
        **members,
    )


def prepared(incident: Incident, given: Settings | None = None, *, approve: bool = True) -> Prepared:
    made = prepare_letters(incident, given or settings(), TEMPLATES, actor="ann")
    if approve:
        for person in ("bo", "cleo"):
            if person not in incident.approvals(made.letters.digest):
                incident.approve(made.letters.digest, actor=person)
    return made


@dataclass
class Mailroom:
    """A real SMTP server (aiosmtpd) that keeps what it takes.

    Attributes:
        raw: each message that was taken, as it came, with its recipient.
        refuse: recipients that it answers with the given line, once for each line in the list.
        silent: how many more letters it takes without saying so: it drops the connection instead.
    """

    raw: list[tuple[str, bytes]] = field(default_factory=list)
    refuse: dict[str, list[str]] = field(default_factory=dict)
    after_data: dict[str, list[str]] = field(default_factory=dict)
    silent: int = 0
    port: int = 0

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        lines = self.refuse.get(address)
        if lines:
            return lines.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        (address,) = envelope.rcpt_tos
        lines = self.after_data.get(address)
        if lines:
            return lines.pop(0)
        assert isinstance(envelope.content, bytes)
        self.raw.append((address, envelope.content))
        if self.silent:
            self.silent -= 1
            assert server.transport is not None
            server.transport.abort()
        return "250 2.0.0 taken"

    def messages(self) -> list[tuple[str, EmailMessage]]:
        """What was taken, parsed."""
        return [(to, _parsed(data)) for to, data in self.raw]

    def delivered(self) -> dict[tuple[str, str], int]:
        """How often each message came for each recipient: a server that knows ids drops all but one."""
        found: dict[tuple[str, str], int] = {}
        for to, message in self.messages():
            name = (to, str(message["Message-ID"]))
            found[name] = found.get(name, 0) + 1
        return found


def _parsed(data: bytes) -> EmailMessage:
    made = message_from_bytes(data, policy=policy.default)
    assert isinstance(made, EmailMessage)
    return made


@contextmanager
def mailroom(*, context: ssl.SSLContext | None = None, password: bytes | None = None) -> Iterator[Mailroom]:
    """The server, on a free port of this machine, as long as the block lasts."""
    made = Mailroom(port=free_port())
    more: dict[str, Any] = {}
    if context is not None:
        more |= {"tls_context": context, "require_starttls": True}
    if password is not None:

        def check(server: SMTP, session: Session, envelope: Envelope, way: str, given: Any) -> AuthResult:
            right = given.password == password
            return AuthResult(success=right, handled=right)

        more |= {"authenticator": check, "auth_required": True}
    controller = Controller(made, hostname="127.0.0.1", port=made.port, **more)
    controller.start()
    try:
        yield made
    finally:
        controller.stop()
