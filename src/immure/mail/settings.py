"""What is said of a mail server: whose mailboxes it has, whom it asks about tokens, and where it listens.

:mod:`immure.mail.settings_file` reads them from a file; a program may also make them itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal
from urllib.parse import urlsplit

from immure.keymaterial.sources_http import is_loopback_url
from immure.mail.errors import MailSettingsError

Naming = Literal["name", "address"]
#: Ports by the names of the listeners; 0 for a listener that is off.
LISTENERS: Final = ("imap", "imaps", "submission", "submissions")
#: What may stand in Dovecot's configuration, and in a file of its own, without quotes of any kind.
_PLAIN: Final = re.compile(r"[A-Za-z0-9_.,:/@+~=-]+")
_DOMAIN: Final = re.compile(r"(?=.{1,253}\Z)[a-z0-9](?:[a-z0-9-]{0,62})(?:\.[a-z0-9](?:[a-z0-9-]{0,62}))*")
_ACCOUNT: Final = re.compile(r"[a-z_][a-z0-9_-]{0,31}|[0-9]{1,10}")
_TENANT: Final = re.compile(r"[A-Za-z0-9._-]{1,128}")
_ISSUER: Final = re.compile(r"[!-~]{1,1024}")


@dataclass(frozen=True, slots=True)
class Domain:
    """A domain of mailboxes, and whose tokens open them.

    Attributes:
        issuer: ``iss`` of the tokens, to the letter.
        tenant: their tenant (``tid``, or the one in the issuer's name); None if no tenant counts, which then
            must be so for all domains.
    """

    issuer: str
    tenant: str | None = None


@dataclass(frozen=True, slots=True)
class Asking:
    """The introspection server (RFC 7662) that is asked.

    Attributes:
        url: of its endpoint; https, or http on this machine.
        client: the name by which Dovecot is known there.
        secret: what it proves that with.
        ca_file: certificates that it is trusted by; None for http.
        seconds: that Dovecot waits for an answer.
    """

    url: str
    client: str
    secret: str = field(repr=False)
    ca_file: Path | None = None
    seconds: int = 5


@dataclass(frozen=True, slots=True)
class Accounts:
    """Accounts of the operating system: whose files are whose.

    Attributes:
        owner, group: of the mailboxes; a name or a number, not root.
        service: an account that all of Dovecot runs as, for a server that does not start as root; None for
            Dovecot's own accounts.
        service_group: its group.
    """

    owner: str = "vmail"
    group: str = "vmail"
    service: str | None = None
    service_group: str | None = None


@dataclass(frozen=True, slots=True)
class Relay:
    """The SMTP server that takes what is submitted.

    Attributes:
        host, port: of it.
        tls: whether the connection to it is secured: ``no``, ``starttls`` or ``smtps``.
    """

    host: str = "127.0.0.1"
    port: int = 25
    tls: Literal["no", "starttls", "smtps"] = "no"


@dataclass(frozen=True, slots=True)
class PostfixSocket:
    """Where Postfix asks Dovecot about logins: a Unix socket, and whose it is."""

    path: Path
    user: str = "postfix"
    group: str = "postfix"


@dataclass(frozen=True, slots=True)
class MailSettings:
    """All of it.

    Attributes:
        domains: by name; several may be of one tenant.
        asking: the introspection server.
        certificate, key: PEM files, for TLS.
        storage: directory of the mailboxes: ``storage/DOMAIN/ADDRESS``.
        naming: what the member ``username`` of the server's answer is: the mailbox's name, to which the
            tenant's domain is added, or the whole address.
        listen: addresses, with blanks between them.
        ports: by listener (:data:`LISTENERS`).
        relay: where submitted mail goes.
        accounts: of the operating system.
        postfix: the socket for Postfix, if there is one.
        run, state: directories of the running server; None for Dovecot's own.
        events: file of the events that ``immure mail log`` follows; None for none, and then nobody can say
            afterwards what was read.
        log: where Dovecot's own log goes: a path, or ``syslog``.
        failure_seconds: that a wrong login is answered later.
    """

    domains: Mapping[str, Domain]
    asking: Asking
    certificate: Path
    key: Path
    storage: Path
    naming: Naming = "name"
    listen: str = "*"
    ports: Mapping[str, int] = field(
        default_factory=lambda: {"imap": 143, "imaps": 993, "submission": 587, "submissions": 465}
    )
    relay: Relay = field(default_factory=Relay)
    accounts: Accounts = field(default_factory=Accounts)
    postfix: PostfixSocket | None = None
    run: Path | None = None
    state: Path | None = None
    events: Path | None = None
    log: str = "syslog"
    failure_seconds: int = 2

    @property
    def has_tenants(self) -> bool:
        """Whether the domains are told apart by the tenants of tokens, and not by issuers alone."""
        return all(one.tenant is not None for one in self.domains.values())

    def __post_init__(self) -> None:
        self._check_domains()
        self._check_asking()
        paths = (self.certificate, self.key, self.storage, self.run, self.state, self.events)
        socket = None if self.postfix is None else self.postfix.path
        for path in (*paths, self.asking.ca_file, socket):
            _check_path(path)
        self._check_accounts()
        if self.listen != "*" and not all(_PLAIN.fullmatch(one) for one in self.listen.split()):
            raise MailSettingsError("listen: addresses with blanks between them, or *")
        if not _PLAIN.fullmatch(self.relay.host):
            raise MailSettingsError("relay: the host is no name of a machine")
        if self.log != "syslog":
            _check_path(Path(self.log))

    def _check_domains(self) -> None:
        if not self.domains:
            raise MailSettingsError("no domains: nobody would have a mailbox")
        for name, domain in self.domains.items():
            where = f"domains.{name[:80]!a}"
            if not _DOMAIN.fullmatch(name):
                raise MailSettingsError(f"{where}: is no domain in lower case")
            if not _ISSUER.fullmatch(domain.issuer):
                raise MailSettingsError(f"{where}: issuer is not of printable ASCII")
            if domain.tenant is not None and not _TENANT.fullmatch(domain.tenant):
                raise MailSettingsError(f"{where}: tenant is not of letters, digits, points and hyphens")
        if len({one.tenant is None for one in self.domains.values()}) > 1:
            raise MailSettingsError("domains: either each names its tenant, or none does")
        owners = {(one.issuer, one.tenant) for one in self.domains.values()}
        if self.naming == "name" and len(owners) < len(self.domains):
            raise MailSettingsError(
                'a tenant with two domains needs username = "address": a name is not enough'
            )

    def _check_asking(self) -> None:
        url = self.asking.url
        try:
            parts = urlsplit(url)
            parts.port  # noqa: B018 (raises if it is no number)
        except ValueError:
            raise MailSettingsError("introspection: is no URL") from None
        if parts.scheme not in ("http", "https") or not parts.hostname or not _PLAIN.fullmatch(url):
            raise MailSettingsError("introspection: is no plain URL of http or https")
        if parts.username is not None or parts.password is not None:
            raise MailSettingsError("introspection: the secret goes into a file (secret_file), not the URL")
        if parts.scheme == "http" and not is_loopback_url(url):
            raise MailSettingsError("introspection: tokens would cross the network in the open; take https")
        if not re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", self.asking.client):
            raise MailSettingsError("client: is of letters, digits, points and hyphens")
        if not re.fullmatch(r"[A-Za-z0-9_~.-]{16,512}", self.asking.secret):
            raise MailSettingsError("the secret is not one of immure serve client-secret")

    def _check_accounts(self) -> None:
        accounts = self.accounts
        socket = () if self.postfix is None else (self.postfix.user, self.postfix.group)
        for name in (accounts.owner, accounts.group, accounts.service, accounts.service_group, *socket):
            if name is not None and not _ACCOUNT.fullmatch(name):
                raise MailSettingsError(f"{name[:40]!a} is no account of the system")
        if accounts.owner in ("root", "0"):
            raise MailSettingsError("storage: mailboxes do not belong to root")


def _check_path(path: Path | None) -> None:
    if path is not None and not (path.is_absolute() and _PLAIN.fullmatch(str(path))):
        raise MailSettingsError(f"{str(path)[:80]!a}: a path from the root, of plain characters, is needed")
