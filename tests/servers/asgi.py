"""An ASGI application on a port, in a thread of the test, by the HTTP server of ``immure serve``."""

from __future__ import annotations

import base64
import hashlib
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from immure.introspection.protocol import BoundedProtocol
from servers.tls import Pair


@contextmanager
def serving(app: Any, pair: Pair | None = None, port: int = 0) -> Iterator[int]:
    """Serve, with TLS if there is a certificate; the port, which is any free one unless it is given."""
    tls: dict[str, Any] = {}
    if pair is not None:
        tls = {"ssl_certfile": str(pair.certificate), "ssl_keyfile": str(pair.key)}
    config = uvicorn.Config(
        app, http=BoundedProtocol, log_level="critical", lifespan="on", ws="none", proxy_headers=False,
        server_header=False, timeout_graceful_shutdown=2, **tls,
    )  # fmt: skip
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", port)) as listening:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        yield int(listening.getsockname()[1])
        server.should_exit = True
        thread.join(10)


def spki(pair: Pair) -> str:
    """SHA-256 of the public key of a certificate, in base64."""
    public = x509.load_der_x509_certificate(pair.der).public_key()
    data = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(hashlib.sha256(data).digest()).decode()
