"""Servers of one process: where they listen, TLS, and how one is run. What has many workers is in
:mod:`immure.introspection.serve`."""

from __future__ import annotations

import ipaddress
import signal
import socket
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from immure.errors import UsageError

if TYPE_CHECKING:
    from immure.introspection.journal import Journal


def address_of(text: str) -> tuple[str, int]:
    """Host and port of ``--listen``; raises UsageError."""
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isascii() or not port.isdigit() or len(port) > 5 or int(port) > 65535:
        raise UsageError("--listen: HOST:PORT")
    return host, int(port)


def is_local(host: str) -> bool:
    """Whether only this machine can connect."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def tls_of(certificate: str | None, key: str | None) -> dict[str, str]:
    """What the HTTP server needs for TLS; raises UsageError if it cannot be used."""
    if certificate is None and key is None:
        return {}
    if certificate is None or key is None:
        raise UsageError("--certificate and --certificate-key go together")
    import ssl

    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(certificate, key)
    except (OSError, ValueError) as error:
        raise UsageError("certificate and key cannot be used", path=certificate) from error
    return {"ssl_certfile": certificate, "ssl_keyfile": key}


def serve_alone(
    make: Callable[[Journal], Any], host: str, port: int, tls: dict[str, str], *, most: int
) -> None:
    """Serve an ASGI application until asked to stop.

    Args:
        make: makes it, with the journal that it writes to.
        host, port, tls: as above.
        most: connections at a time.

    Raises:
        UsageError: the address cannot be had, or the extra is not installed.
    """
    try:
        import uvicorn

        from immure.introspection.journal import Journal
        from immure.introspection.serving import usual_options
    except ImportError as error:
        raise UsageError(f"the extra immure[serve] is not installed ({error.name})") from error
    config = uvicorn.Config(
        make(Journal(sys.stderr)),
        limit_concurrency=most,
        **usual_options(),
        **tls,  # type: ignore[arg-type]
    )
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listening = socket.create_server((host, port), family=family)
    except OSError as error:
        raise UsageError(f"cannot listen on {host}:{port}: {error.strerror or error}") from error
    # the server raises a signal again when it has stopped; to be asked to stop is no failure
    signal.signal(signal.SIGTERM, lambda *_: None)
    with listening:
        uvicorn.Server(config).run(sockets=[listening])
