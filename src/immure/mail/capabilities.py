"""What a mail server offers before anybody has logged in: mechanisms, and whether it takes tokens in the
open.

Standard clients are used (:mod:`imaplib`, :mod:`smtplib`); no token is sent here.
"""

from __future__ import annotations

import imaplib
import smtplib
import ssl
from dataclasses import dataclass
from typing import Final, Literal

Protocol = Literal["imap", "smtp"]
#: Mechanisms (SASL) that take scoped tokens, and nothing else.
TOKENS: Final = frozenset({"OAUTHBEARER", "XOAUTH2"})


@dataclass(frozen=True, slots=True)
class Entrance:
    """One port of a mail server.

    Attributes:
        protocol: spoken there.
        host, port: where.
        implicit: TLS from the beginning; else by STARTTLS.
        ca_file: certificates to trust instead of the system's.
        seconds: to wait for an answer.
    """

    protocol: Protocol
    host: str
    port: int
    implicit: bool
    ca_file: str | None = None
    seconds: float = 10.0

    @property
    def name(self) -> str:
        """As reports call it, such as ``imaps`` or ``submission``."""
        words = {"imap": ("imap", "imaps"), "smtp": ("submission", "submissions")}
        return words[self.protocol][self.implicit]


@dataclass(frozen=True, slots=True)
class Offer:
    """What is offered at an entrance.

    Attributes:
        mechanisms: of SASL, when TLS is there.
        in_the_open: before TLS: mechanisms that are offered, or that are taken anyway.
        failure: why it could not be seen, in words of ours; empty if it was.
    """

    mechanisms: frozenset[str] = frozenset()
    in_the_open: frozenset[str] = frozenset()
    failure: str = ""


def offered(entrance: Entrance) -> Offer:
    """Look at an entrance; never raises for what a server does."""
    look = _imap if entrance.protocol == "imap" else _smtp
    try:
        context = ssl.create_default_context(cafile=entrance.ca_file)
        return look(entrance, context)
    except ssl.SSLError:
        return Offer(failure="TLS is not spoken, or the certificate is not trusted")
    except (OSError, EOFError):
        return Offer(failure="it does not answer")
    except (imaplib.IMAP4.error, smtplib.SMTPException, ValueError):
        return Offer(failure="it does not speak the protocol as it should")


def _imap(entrance: Entrance, context: ssl.SSLContext) -> Offer:
    host, port, seconds = entrance.host, entrance.port, entrance.seconds
    if entrance.implicit:
        session: imaplib.IMAP4 = imaplib.IMAP4_SSL(host, port, ssl_context=context, timeout=seconds)
        before: frozenset[str] = frozenset()
    else:
        session = imaplib.IMAP4(host, port, timeout=seconds)
        before = _imap_mechanisms(session)
        session.starttls(context)
    try:
        return Offer(_imap_mechanisms(session), before)
    finally:
        session.shutdown()


def _imap_mechanisms(session: imaplib.IMAP4) -> frozenset[str]:
    """``AUTH=…``, and ``LOGIN`` where the command of that name is not switched off (RFC 9051, section
    6.2.3).
    """
    words = [one.upper() for one in session.capabilities]
    found = {one.removeprefix("AUTH=") for one in words if one.startswith("AUTH=")}
    return frozenset(found if "LOGINDISABLED" in words else found | {"LOGIN"})


def _smtp(entrance: Entrance, context: ssl.SSLContext) -> Offer:
    host, port, seconds = entrance.host, entrance.port, entrance.seconds
    session: smtplib.SMTP
    if entrance.implicit:
        session = smtplib.SMTP_SSL(host, port, context=context, timeout=seconds)
        before: frozenset[str] = frozenset()
    else:
        session = smtplib.SMTP(host, port, timeout=seconds)
        session.ehlo("immure-mail-check.invalid")
        before = _smtp_mechanisms(session)
        session.starttls(context=context)
    try:
        session.ehlo("immure-mail-check.invalid")
        return Offer(_smtp_mechanisms(session), before)
    finally:
        session.close()


def _smtp_mechanisms(session: smtplib.SMTP) -> frozenset[str]:
    return frozenset(session.esmtp_features.get("auth", "").upper().split())
