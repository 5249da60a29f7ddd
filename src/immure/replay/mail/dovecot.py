"""Dovecot, by :mod:`immure.mail`, and a client that speaks IMAP with it over TLS."""

from __future__ import annotations

import imaplib
import os
import socket
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Final

from immure.errors import ImmureError
from immure.replay.errors import ReplayError
from immure.replay.mail.certificate import make_certificate
from immure.replay.mail.system import Access, MailRefusedError, MailSystem, messages_of
from immure.replay.program import LOOPBACK
from immure.replay.relying import CLIENT, Doorkeeper
from immure.replay.scenario import Organization

_SECONDS: Final = 30.0


def why_not() -> str | None:
    """Why Dovecot cannot be started here; None if it can."""
    try:
        from immure.mail import doveconf

        doveconf.version()
    except ImportError:
        return "this version of Immure has no mail room"
    except ImmureError as error:
        return error.reason
    return None


class DovecotMail(MailSystem):
    """See the module."""

    words: ClassVar[str] = "Dovecot, over IMAP with TLS and OAUTHBEARER"
    is_real: ClassVar[bool] = True

    def __init__(
        self,
        room: Path,
        doorkeeper: Doorkeeper,
        organizations: Sequence[Organization],
        *,
        issuer: str,
        keeps_log: bool,
    ) -> None:
        super().__init__(room, doorkeeper, organizations, issuer=issuer, keeps_log=keeps_log)
        self._server: Any = None
        self._tls = ssl.create_default_context()

    def start(self) -> None:
        """See :meth:`MailSystem.start`."""
        from immure.mail.running import LocalMail
        from immure.mail.settings import Asking, Domain

        try:
            pair = make_certificate(self.room)
            self._tls = ssl.create_default_context(cafile=str(pair.certificate))
            domains = {one.domain: Domain(self.issuer, one.tenant) for one in self.organizations}
            asking = Asking(self.doorkeeper.url, CLIENT, self.doorkeeper.secret)
            more: dict[str, Any] = {} if self.keeps_log else {"events": None}
            self._server = LocalMail(
                domains, asking, certificate=pair.certificate, key=pair.key, naming="address", **more
            )
            self._deliver()
            self._server.start()
        except (ImmureError, OSError) as error:
            raise ReplayError(f"Dovecot cannot be started: {error}") from error

    def stop(self) -> None:
        """See :meth:`MailSystem.stop`."""
        if self._server is not None:
            self._server.stop()
            self._server = None

    def read(self, mailbox: str, token: str, remote: str) -> list[str]:
        """See :meth:`MailSystem.read`."""
        client = self._connected(remote)
        try:
            response = f"n,a={mailbox},\x01auth=Bearer {token}\x01\x01".encode()
            try:
                client.authenticate("OAUTHBEARER", _Answers(response))
            except imaplib.IMAP4.abort as error:
                raise ReplayError(f"Dovecot hung up: {error}") from error
            except imaplib.IMAP4.error as error:
                raise MailRefusedError("Dovecot refuses the token") from error
            return _messages(client)
        except OSError as error:
            raise ReplayError(f"Dovecot does not answer: {error}") from error
        finally:
            _leave(client)

    @property
    def events(self) -> Path | None:
        """See :class:`MailSystem`."""
        return self._server.events if self.keeps_log and self._server is not None else None

    def accesses(self) -> list[Access]:
        """See :meth:`MailSystem.accesses`."""
        if not self.keeps_log or self._server is None:
            return []
        return opened_messages(self._server.events)

    def _connected(self, remote: str) -> imaplib.IMAP4_SSL:
        try:
            return _Imap(self._server.ports["imaps"], remote, self._tls)
        except (OSError, imaplib.IMAP4.error) as error:
            raise ReplayError(f"Dovecot cannot be reached: {error}") from error

    def _deliver(self) -> None:
        """Put the messages into the mailboxes, as their owner."""
        settings = self._server.settings
        made: list[Path] = []
        for one in self.organizations:
            home = settings.storage / one.domain / one.mailbox
            for name in ("cur", "new", "tmp"):
                (home / "Maildir" / name).mkdir(parents=True)
            made += [settings.storage / one.domain, home, home / "Maildir"]
            made += [home / "Maildir" / name for name in ("cur", "new", "tmp")]
            for number, message in enumerate(messages_of(one)):
                path = home / "Maildir" / "cur" / f"{number + 1}.replay:2,S"
                path.write_bytes(message.as_bytes())
                made.append(path)
        if os.geteuid() == 0:
            for path in made:
                os.chown(path, int(settings.accounts.owner), int(settings.accounts.group))


class _Answers:
    """What a client says in OAUTHBEARER: the token, and then an empty line to hear the end (RFC 7628)."""

    def __init__(self, first: bytes) -> None:
        self._left = [first]

    def __call__(self, _challenge: bytes) -> bytes:
        return self._left.pop() if self._left else b"\x01"


class _Imap(imaplib.IMAP4_SSL):
    """A client at an address of its own."""

    def __init__(self, port: int, remote: str, tls: ssl.SSLContext) -> None:
        self._remote = remote
        super().__init__(LOOPBACK, port, ssl_context=tls, timeout=_SECONDS)

    def _create_socket(self, timeout: float | None) -> socket.socket:
        plain = socket.create_connection((self.host, self.port), timeout, source_address=(self._remote, 0))
        return self.ssl_context.wrap_socket(plain, server_hostname=self.host)  # type: ignore[no-any-return]


def _messages(client: imaplib.IMAP4_SSL) -> list[str]:
    status, _ = client.select("INBOX")
    found, numbers = client.search(None, "ALL")
    if status != "OK" or found != "OK":
        raise ReplayError("Dovecot does not open the mailbox")
    texts = []
    for number in numbers[0].split():
        fetched, data = client.fetch(number.decode("ascii"), "(BODY[])")
        if fetched != "OK":
            raise ReplayError("Dovecot does not give a message")
        texts += [part[1].decode("utf-8", "replace") for part in data if isinstance(part, tuple)]
    return texts


def _leave(client: imaplib.IMAP4_SSL) -> None:
    try:
        client.logout()
    except (OSError, imaplib.IMAP4.error):
        client.shutdown()


def opened_messages(events: Path) -> list[Access]:
    """Messages that were opened, out of Dovecot's events; raises ReplayError if they cannot be read."""
    from immure.mail.translate import Translator

    try:
        lines = events.read_bytes().splitlines(keepends=True) if events.exists() else []
    except OSError as error:
        raise ReplayError(
            f"the mail-access log cannot be read: {error.strerror}", path=str(events)
        ) from error
    if lines and not lines[-1].endswith(b"\n"):
        lines.pop()  # it is being written
    return [
        Access(
            one.mailbox or "",
            f"{one.folder};UID={one.uid}",
            one.ip or "",
            one.digest.hex() if one.digest else "",
        )
        for one in Translator().records(lines)
        if one.action == "bind"
    ]
