"""What all our servers have in common, as options of uvicorn."""

from __future__ import annotations

from typing import Any

from immure.introspection.journal import logging_config
from immure.introspection.protocol import BoundedProtocol


def usual_options() -> dict[str, Any]:
    """Bounded requests, no headers of proxies believed, no name of a server told, our own journal."""
    return {
        "http": BoundedProtocol,
        "ws": "none",
        "lifespan": "on",
        "proxy_headers": False,
        "server_header": False,
        "access_log": False,
        "log_config": logging_config(),
        "timeout_graceful_shutdown": 20,
    }
