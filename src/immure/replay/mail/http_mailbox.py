"""A mailbox over HTTP, for machines without Dovecot: behind the same doorkeeper, with the same messages.

``GET /ADDRESS`` with a bearer token (RFC 6750) is answered with the messages of that mailbox. Each token is
asked about (RFC 7662), and must be of the mailbox's owner.
"""

from __future__ import annotations

import http.client
import json
import threading
import urllib.parse
import urllib.request
from base64 import b64encode
from collections.abc import Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar, Final

from immure.digest import signed_digest
from immure.replay.errors import ReplayError
from immure.replay.mail.system import Access, MailRefusedError, MailSystem, messages_of
from immure.replay.program import LOOPBACK
from immure.replay.relying import CLIENT, Doorkeeper
from immure.replay.scenario import Organization

_SECONDS: Final = 20.0
_MOST_ANSWER: Final = 1 << 20


class HttpMail(MailSystem):
    """See the module."""

    words: ClassVar[str] = "a mailbox over HTTP, in place of Dovecot"
    is_real: ClassVar[bool] = False

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
        self.mailboxes = {
            one.mailbox: [(str(m["Message-ID"]), m.as_string()) for m in messages_of(one)]
            for one in self.organizations
        }
        self._lock = threading.Lock()
        self._server: ThreadingHTTPServer | None = None

    @property
    def log(self) -> Path:
        """The mail-access log: a line of JSON for each message that was opened."""
        return self.room / "access.jsonl"

    def start(self) -> None:
        """See :meth:`MailSystem.start`."""
        handler = type("Handler", (_Handler,), {"mail": self})
        try:
            self._server = ThreadingHTTPServer((LOOPBACK, 0), handler)
        except OSError as error:
            raise ReplayError(f"the mailbox cannot listen: {error.strerror}") from error
        threading.Thread(target=self._server.serve_forever, name="immure replay mailbox", daemon=True).start()

    def stop(self) -> None:
        """See :meth:`MailSystem.stop`."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def read(self, mailbox: str, token: str, remote: str) -> list[str]:
        """See :meth:`MailSystem.read`."""
        if self._server is None:
            raise ReplayError("the mailbox was not started")
        connection = http.client.HTTPConnection(
            LOOPBACK, self._server.server_address[1], timeout=_SECONDS, source_address=(remote, 0)
        )
        try:
            connection.request(
                "GET", f"/{urllib.parse.quote(mailbox)}", headers={"Authorization": f"Bearer {token}"}
            )
            answer = connection.getresponse()
            body = answer.read(_MOST_ANSWER)
        except (OSError, http.client.HTTPException) as error:
            raise ReplayError(f"the mailbox does not answer: {error}") from error
        finally:
            connection.close()
        if answer.status == HTTPStatus.UNAUTHORIZED:
            raise MailRefusedError("the mailbox refuses the token")
        if answer.status != HTTPStatus.OK:
            raise ReplayError(f"the mailbox answers with {answer.status}")
        return [str(one) for one in json.loads(body)]

    def accesses(self) -> list[Access]:
        """See :meth:`MailSystem.accesses`."""
        if not self.keeps_log or not self.log.exists():
            return []
        return [Access(**json.loads(line)) for line in self.log.read_text(encoding="utf-8").splitlines()]

    # --- what the server does ---

    def owner_of(self, token: str) -> str | None:
        """Whose token it is, by the doorkeeper; None if it is not good.

        Raises:
            OSError: the doorkeeper does not answer.
        """
        body = urllib.parse.urlencode({"token": token}).encode()
        request = urllib.request.Request(self.doorkeeper.url, body)  # noqa: S310 - our own http
        word = b64encode(f"{CLIENT}:{self.doorkeeper.secret}".encode()).decode()
        request.add_header("Authorization", f"Basic {word}")
        with urllib.request.urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310 - our own http
            said: dict[str, Any] = json.load(answer)
        return str(said.get("username")) if said.get("active") is True else None

    def record(self, mailbox: str, remote: str, token: str) -> None:
        """Log that all messages of a mailbox were opened."""
        if not self.keeps_log:
            return
        digest = signed_digest(token.rpartition(".")[0].encode()).hex()
        rows = [
            {"mailbox": mailbox, "message": name, "remote": remote, "digest": digest}
            for name, _ in self.mailboxes[mailbox]
        ]
        with self._lock, self.log.open("a", encoding="utf-8") as stream:
            stream.writelines(json.dumps(row) + "\n" for row in rows)


class _Handler(BaseHTTPRequestHandler):
    mail: HttpMail

    def do_GET(self) -> None:
        """Answer one request."""
        mailbox = urllib.parse.unquote(self.path.removeprefix("/"))
        scheme, _, token = self.headers.get("Authorization", "").partition(" ")
        try:
            owner = self.mail.owner_of(token) if scheme == "Bearer" and token else None
        except (OSError, ValueError):
            self._answer(HTTPStatus.SERVICE_UNAVAILABLE, [])
            return
        if owner is None or owner != mailbox or mailbox not in self.mail.mailboxes:
            self._answer(HTTPStatus.UNAUTHORIZED, [])
            return
        self.mail.record(mailbox, self.client_address[0], token)  # before anything is given out
        self._answer(HTTPStatus.OK, [text for _, text in self.mail.mailboxes[mailbox]])

    def _answer(self, status: HTTPStatus, messages: list[str]) -> None:
        body = json.dumps(messages).encode()
        self.send_response(status)
        if status == HTTPStatus.UNAUTHORIZED:
            self.send_header("WWW-Authenticate", 'Bearer realm="mail"')
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""
