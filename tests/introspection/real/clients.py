"""Clients of relying parties: mail programs that log in with a token, and one that sends HTTP requests."""

from __future__ import annotations

import base64
import http.client
import imaplib
import json
import smtplib
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

#: What a login comes to, beside the error status of RFC 7628 that the server names.
IN, NO, DROPPED = "in", "no", "dropped"
#: XOAUTH2 says the same with the numbers of HTTP.
_NUMBERS = {"400": "invalid_request", "401": "invalid_token", "500": "internal_failure"}
_HERE = "127.0.0.1"
MECHANISMS = ("OAUTHBEARER", "XOAUTH2")


def sasl(mechanism: str, user: str, token: str) -> bytes:
    """The client's first message: RFC 7628, section 3.1, or Google's older form of it."""
    name = f"n,a={user}," if mechanism == "OAUTHBEARER" else f"user={user}"
    return f"{name}\x01auth=Bearer {token}\x01\x01".encode()


@dataclass(frozen=True)
class Mail:
    """A mail program's settings: it is one of ``mechanism`` and trusts the authority of ``context``."""

    mechanism: str
    context: ssl.SSLContext

    def imap(self, port: int, token: str, user: str = "mailbox-7", *, tls: bool = False) -> str:
        """Log in, select the mailbox, log out: IN, NO, DROPPED, or the error status that the server gave."""
        if tls:
            return self._login(
                imaplib.IMAP4_SSL(_HERE, port, ssl_context=self.context, timeout=20), user, token
            )
        session = imaplib.IMAP4(_HERE, port, timeout=20)
        session.starttls(self.context)
        return self._login(session, user, token)

    def _login(self, session: imaplib.IMAP4, user: str, token: str) -> str:
        challenges: list[bytes] = []

        def answer(challenge: bytes) -> bytes:
            challenges.append(challenge)
            return sasl(self.mechanism, user, token) if len(challenges) == 1 else b"\x01"

        try:
            session.authenticate(self.mechanism, answer)
            assert session.select("INBOX") == ("OK", [b"0"])
        except imaplib.IMAP4.abort:
            session.shutdown()
            return DROPPED
        except imaplib.IMAP4.error as error:
            session.shutdown()
            if str(error) != "[AUTHENTICATIONFAILED] Authentication failed.":  # Dovecot has no other
                raise
            return _status(challenges[-1]) if len(challenges) > 1 else NO
        session.logout()
        return IN

    def submit(self, port: int, token: str, message: bytes, user: str = "mailbox-7") -> str:
        """Log in and hand over a message: as :meth:`imap`."""
        with smtplib.SMTP(_HERE, port, timeout=20) as session:
            session.starttls(context=self.context)
            session.ehlo()
            first = base64.b64encode(sasl(self.mechanism, user, token)).decode()
            code, text = session.docmd("AUTH", f"{self.mechanism} {first}")
            if code == 235:
                assert session.sendmail("ada@mail.example", ["bob@mail.example"], message) == {}
                return IN
            status = NO
            if code == 334:
                status = _status(base64.b64decode(text))
                code, text = session.docmd(base64.b64encode(b"\x01").decode())
            assert (code, text) == (535, b"5.7.8 Authentication failed.")
            return status


def _status(challenge: bytes) -> str:
    status = str(json.loads(challenge)["status"])
    return _NUMBERS.get(status, status)


@dataclass(frozen=True)
class Answer:
    """What a client of a proxy got; ``seen`` is what the application says that it was sent, if it was."""

    status: int
    headers: dict[str, str]
    seen: dict[str, Any] | None

    def reached(self, name: str) -> list[str]:
        """The values of a header that the application got; it may take ``_`` for ``-``, as in WSGI."""
        assert self.seen is not None
        return [value for key, value in self.seen["headers"] if key.replace("_", "-") == name]


def request(
    port: int,
    token: str | None = None,
    headers: Sequence[tuple[str, str]] = (),
    method: str = "GET",
    path: str = "/inbox/7?unread=1",
    body: bytes = b"",
    tls: ssl.SSLContext | None = None,
) -> Answer:
    """Send a request to the proxy at ``port``; None for no token at all."""
    connection = (
        http.client.HTTPConnection(_HERE, port, timeout=20)
        if tls is None
        else http.client.HTTPSConnection(_HERE, port, timeout=20, context=tls)
    )
    connection.putrequest(method, path, skip_host=True)
    bearer = [] if token is None else [("Authorization", f"Bearer {token}")]
    for name, value in [("Host", "mail.example"), *bearer, *headers, ("Content-Length", str(len(body)))]:
        connection.putheader(name, value)
    connection.endheaders(body)
    try:
        response = connection.getresponse()
        said = response.read()
    finally:
        connection.close()
    got = {name.lower(): value for name, value in response.getheaders()}
    seen = json.loads(said) if response.status == 200 and said else None
    return Answer(response.status, got, seen)
