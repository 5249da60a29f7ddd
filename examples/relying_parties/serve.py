"""What the three mailboxes have in common: a Flask app that lets a bearer token in, or answers 401."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask import Flask, Response, request
from werkzeug.serving import WSGIRequestHandler, make_server


@dataclass(frozen=True)
class Kit:
    """What a relying party is told of a kit that ``immure probe init`` has made."""

    issuer: str
    audience: str
    jwks: Path
    policy: Path


def read_kit(directory: Path) -> Kit:
    """Only public things are read."""
    table = tomllib.loads((directory / "kit.toml").read_text())
    target = table["scopes"][table["target"]]
    return Kit(target["issuer"], target["audience"], directory / "jwks.json", directory / "policy.toml")


def mailbox(check: Callable[[str], Any], refusal: type[Exception]) -> Flask:
    """An app with one page, ``/inbox``."""
    app = Flask(__name__)

    @app.get("/inbox")
    def inbox() -> Response:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            try:
                claims = check(token)
            except refusal:
                pass
            else:
                return Response(f"the inbox of {claims['sub']}\n", mimetype="text/plain")
        return Response("no\n", 401, {"WWW-Authenticate": "Bearer"}, mimetype="text/plain")

    return app


class _Silent(WSGIRequestHandler):
    def log(self, type: str, message: str, *arguments: Any) -> None:
        """Keep quiet: tokens stand in requests."""


def main(checker: Callable[[Kit], Any], refusal: type[Exception]) -> None:
    """Serve on a local port until ended."""
    kit = read_kit(Path(sys.argv[1]))
    port = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    app = mailbox(checker(kit), refusal)
    app.logger.disabled = True
    server = make_server("127.0.0.1", port, app, threaded=True, request_handler=_Silent)
    print(f"http://127.0.0.1:{server.server_port}/inbox", flush=True)
    server.serve_forever()
