"""A server that is asked to stop does not wait for those who look on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from immure.console.sessions import COOKIE
from servers.program import free_port

from .world import HOST

TESTS = Path(__file__).parents[1]


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.drill)])
def test_it_stops_while_streams_are_open(tmp_path: Path, number: signal.Signals) -> None:
    port = free_port()
    command = [sys.executable, "-m", "console.stopping", str(tmp_path / "world"), str(port)]
    (tmp_path / "world").mkdir()
    where = {**os.environ, "PYTHONPATH": str(TESTS)}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=where) as process:
        try:
            assert process.stdout is not None
            cookie = process.stdout.readline().strip()
            assert cookie, process.communicate()
            headers = {"host": HOST, "cookie": f"{COOKIE}={cookie}"}
            url = f"http://127.0.0.1:{port}/t/acme/events"
            transport = httpx.HTTPTransport(retries=20)
            with (
                httpx.Client(transport=transport, trust_env=False, timeout=30) as client,
                client.stream("GET", url, headers=headers) as answer,
            ):
                assert answer.status_code == 200
                lines = answer.iter_lines()
                assert next(lines) == "retry: 3000"
                began = time.monotonic()
                process.send_signal(number)
                list(lines)  # to its end
            out, error = process.communicate(timeout=30)
        finally:
            process.kill()
    assert time.monotonic() - began < 8, "it waits for twenty seconds for what does not end"
    assert process.returncode == 0, error
    assert out.strip() == "stopped"
    assert "Traceback" not in error
