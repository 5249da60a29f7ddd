"""How an engine is reached."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """How a cluster is reached.

    Attributes:
        tls_ca, tls_cert, tls_key: PEM files; with them the link is encrypted and both sides are proved.
        allow_plain: talk without TLS to others than this machine, too.
    """

    tls_ca: str | None = None
    tls_cert: str | None = None
    tls_key: str | None = None
    allow_plain: bool = False
