"""A receiver that is built on other libraries (joserfc, and Python's own HTTP server), and ours on a port."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import uvicorn
from joserfc import jwk, jws
from joserfc.errors import JoseError

from servers.program import free_port


@dataclass
class OtherReceiver:
    """Takes pushes as RFC 8935 has it, and keeps what it took by ``jti``.

    Attributes:
        bodies: every request, in order.
        taken: payloads of tokens that were taken, by jti.
        misbehave: a status to answer with instead, or ``hang``.
    """

    keys: dict[str, Any]
    issuer: str
    audience: str
    authorization: str = ""
    bodies: list[bytes] = field(default_factory=list)
    taken: dict[str, dict[str, Any]] = field(default_factory=dict)
    twice: list[str] = field(default_factory=list)
    misbehave: int | str = 0
    port: int = 0
    released: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/events"

    def answer(self, body: bytes, headers: Any) -> tuple[int, dict[str, str]]:
        self.bodies.append(body)
        if self.misbehave == "hang":
            self.released.wait(30)
        if isinstance(self.misbehave, int) and self.misbehave:
            return self.misbehave, {"err": "invalid_request", "description": "as it was told"}
        if headers.get("Content-Type") != "application/secevent+jwt":
            return 400, {"err": "invalid_request", "description": "type"}
        if self.authorization and headers.get("Authorization") != self.authorization:
            return 401, {"err": "authentication_failed", "description": "who are you?"}
        try:
            payload = self.opened(body.decode())
        except (JoseError, ValueError) as error:
            return 400, {"err": "invalid_key", "description": type(error).__name__}
        if payload["jti"] in self.taken:
            self.twice.append(payload["jti"])
        self.taken[payload["jti"]] = payload
        return 202, {}

    def opened(self, text: str) -> dict[str, Any]:
        """The payload of a token of the transmitter's."""
        keys = jwk.KeySet.import_key_set(self.keys)
        found = jws.deserialize_compact(text, keys, algorithms=["EdDSA", "ES256", "RS256"])
        assert found.headers()["typ"] == "secevent+jwt"
        payload: dict[str, Any] = json.loads(found.payload)
        if payload["iss"] != self.issuer or payload["aud"] != self.audience or "exp" in payload:
            raise ValueError("not for us")
        return payload


@contextmanager
def receiving(receiver: OtherReceiver) -> Iterator[OtherReceiver]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status, members = receiver.answer(body, self.headers)
            data = json.dumps(members).encode() if members else b""
            try:
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)
            except OSError:
                return  # whoever asked has gone

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", receiver.port), Handler)
    server.daemon_threads = True
    receiver.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.released.set()
        server.shutdown()
        server.server_close()
        thread.join(5)


@contextmanager
def serving(app: Any, port: int = 0) -> Iterator[int]:
    """An ASGI application of ours on a port, as uvicorn runs it."""
    port = port or free_port()
    config = uvicorn.Config(
        app, host="127.0.0.1", port=port, lifespan="off", log_config=None, access_log=False
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    end = time.monotonic() + 20
    while not server.started:
        assert thread.is_alive(), "the server did not come up"
        assert time.monotonic() < end
        time.sleep(0.01)
    try:
        yield port
    finally:
        server.should_exit = True
        thread.join(10)
