"""The proxies of the page, each in front of an application that says what reached it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from introspection.real.clients import Answer, request
from introspection.real.page import shown
from servers import caddy, envoy, nginx
from servers.program import Program, free_port
from servers.upstream import Upstream

RUNNING = {"nginx": nginx.running, "envoy": envoy.running, "caddy": caddy.running}
_BLOCKS = {"nginx": "nginx.conf", "envoy": "envoy.yaml", "caddy": "Caddyfile"}


@dataclass(frozen=True)
class Proxy:
    """Which it is, where it listens, and what is behind it."""

    name: str
    port: int
    application: Upstream
    program: Program

    def ask(self, token: str | None = None, **more: Any) -> Answer:
        """Send it a request; arguments are those of :func:`clients.request`."""
        return request(self.port, token, **more)


@contextmanager
def proxying(
    name: str,
    immure: int,
    application: Upstream,
    places: dict[str, str] | None = None,
    *,
    port: int | None = None,
) -> Iterator[Proxy]:
    """The proxy of that name; it asks at the port ``immure``. ``places`` are words of the page to replace."""
    port = port or free_port()
    ports = {"8930": str(immure), "8081": str(application.port), "8080": str(port)}
    if name == "caddy":  # its page has it listen to the world
        del ports["8080"]
        ports[":8080 {"] = f":{port} {{\n\tbind 127.0.0.1"
    with RUNNING[name](shown(_BLOCKS[name], {**ports, **(places or {})}), port) as program:
        yield Proxy(name, port, application, program)
