"""Caddy with a Caddyfile of its own; it keeps its state in a directory that goes away."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from servers.program import Program, directory, found

_OPTIONS = """\
{
	admin off
	auto_https off
}
"""


@contextmanager
def running(sites: str, port: int) -> Iterator[Program]:
    """Caddy with these sites, one of which listens on ``port``."""
    program = found("caddy", "Debian: caddy")
    with directory() as base:
        path = base / "Caddyfile"
        path.write_text(_OPTIONS + sites, encoding="utf-8")
        arguments = [program, "run", "--adapter", "caddyfile", "--config", str(path)]
        home = {"HOME": str(base), "XDG_DATA_HOME": str(base), "XDG_CONFIG_HOME": str(base)}
        with Program(arguments, log=base / "log", environment=home) as caddy:
            caddy.wait_for(port)
            yield caddy
