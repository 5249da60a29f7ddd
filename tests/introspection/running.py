"""Our server on a port of its own, in this process, as uvicorn runs it; and clients for it."""

from __future__ import annotations

import base64
import hashlib
import http.client
import io
import json
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import uvicorn

from immure.introspection.app import IntrospectionApp, application
from immure.introspection.journal import Journal
from immure.introspection.protocol import BoundedProtocol
from immure.introspection.settings import Client, Forward, Settings
from immure.tokens.acceptance.decision import Decision
from immure.tokens.acceptance.reader import read_decisions
from tokens.minting import CHAT, MAIL, NOW, policy

SECRET, CHAT_SECRET = "mail-secret-of-the-tests", "chat-secret-of-the-tests"
FORM = "application/x-www-form-urlencoded"
Header = tuple[str, str]


def digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def settings(log: Path | None, **changes: Any) -> Settings:
    """A mail server and a chat server that ask, and a proxy in front of the mail's web page."""
    given: dict[str, Any] = {
        "clients": {
            "mail": Client(frozenset({MAIL}), (digest(SECRET),)),
            "chat": Client(frozenset({CHAT}), (digest("old"), digest(CHAT_SECRET))),
        },
        "forward": {"web": Forward("nginx", MAIL)},
        "log_directory": log,
        "policy": policy(),
    }
    return Settings(**(given | changes))


@dataclass(frozen=True)
class Answer:
    """What came back; names of headers in lower case."""

    status: int
    headers: list[Header]
    body: bytes

    def header(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name]

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Running:
    """A server that is up."""

    app: IntrospectionApp
    port: int
    journal: io.StringIO
    log: Path | None
    server: uvicorn.Server = field(repr=False)

    def ask(
        self, method: str, path: str, headers: Sequence[Header] = (), body: bytes | None = None
    ) -> Answer:
        """One request; its headers are sent as they are, in this order."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        connection.putrequest(method, path, skip_accept_encoding=True)
        for name, value in headers:
            connection.putheader(name, value)
        if body is not None:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        came = connection.getresponse()
        answer = Answer(came.status, [(k.lower(), v) for k, v in came.getheaders()], came.read())
        connection.close()
        return answer

    def introspect(self, token: str, client: str = "mail", secret: str = SECRET, **more: str) -> Answer:
        """Ask about a token with HTTP Basic."""
        body = urlencode({"token": token, **more}).encode()
        return self.ask("POST", "/introspect", [basic(client, secret), ("Content-Type", FORM)], body)

    def forward(self, token: str | None, path: str = "/auth/web/inbox", *more: Header) -> Answer:
        """Ask as a proxy does."""
        own = [] if token is None else [("Authorization", f"Bearer {token}")]
        return self.ask("GET", path, [*own, *more])

    def rows(self) -> list[Decision]:
        """All decisions so far."""
        return [] if self.log is None else list(read_decisions(self.log))

    def events(self) -> list[dict[str, Any]]:
        """All lines of the journal so far."""
        return [json.loads(line) for line in self.journal.getvalue().splitlines()]

    def until(self, event: str) -> None:
        """Until the journal has that event."""
        while not [one for one in self.events() if one["event"] == event]:
            threading.Event().wait(0.01)


def basic(name: str, secret: str) -> Header:
    return "Authorization", "Basic " + base64.b64encode(f"{name}:{secret}".encode()).decode()


@contextmanager
def running(given: Settings, *, time: Any = lambda: NOW) -> Iterator[Running]:
    """The server with these settings, at the time that the tokens of ``minting`` are made for."""
    journal = io.StringIO()
    app = application(given, journal=Journal(journal), time=time)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        config = uvicorn.Config(
            app, loop="uvloop", http=BoundedProtocol, ws="none", lifespan="on", access_log=False,
            log_config=None, proxy_headers=False, server_header=False, timeout_graceful_shutdown=5,
        )  # fmt: skip
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
        thread.start()
        try:
            while not server.started:
                thread.join(0.01)
                assert thread.is_alive(), "the server did not come up"
            yield Running(app, listening.getsockname()[1], journal, given.log_directory, server)
        finally:
            server.should_exit = True
            thread.join(20)
