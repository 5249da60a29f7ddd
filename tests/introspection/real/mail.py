"""Dovecot as the page configures it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from introspection.real.page import shown
from servers import dovecot
from servers.smtp import Relay
from servers.tls import Pair


@contextmanager
def dovecot_asking(
    port: int, secret: str, certificate: Pair, relay: Relay, places: dict[str, str] | None = None
) -> Iterator[dovecot.Dovecot]:
    """Dovecot that asks at ``port``, with a secret that may be wrong; ``places`` as in :func:`shown`."""
    where = {"SECRET@127.0.0.1:8930": f"{secret}@127.0.0.1:{port}"}
    settings = shown("dovecot.conf", where | (places or {}))
    with dovecot.running(settings, certificate, relay=relay.port) as running:
        yield running
