"""The server that is measured, or one that answers a constant; both in one process on the same uvicorn.

python introspection_server.py PORT constant|forward-constant
python introspection_server.py PORT SETTINGS.toml
"""

from __future__ import annotations

import sys
from typing import Any

import uvicorn

from immure.introspection.app import application
from immure.introspection.protocol import BoundedProtocol
from immure.introspection.settings_file import read_settings

_ANSWER = b'{"active":true,"iss":"https://login.example/","sub":"user-00000000","client_id":"mail"}'


async def constant(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Answers the same to everybody; the body of the request is not even asked for."""
    if scope["type"] != "http":
        return
    fields = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(_ANSWER))]
    await send({"type": "http.response.start", "status": 200, "headers": fields})
    await send({"type": "http.response.body", "body": _ANSWER})


def main(port: str, what: str) -> None:
    is_constant = what == "constant"
    app = constant if is_constant else application(read_settings(what))
    uvicorn.run(
        app,
        port=int(port),
        loop="uvloop",
        http="httptools" if is_constant else BoundedProtocol,
        ws="none",
        lifespan="off" if is_constant else "on",
        proxy_headers=False,
        server_header=False,
        access_log=False,
        log_level="critical",
        timeout_keep_alive=75,
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
