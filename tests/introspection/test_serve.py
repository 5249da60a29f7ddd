"""``immure serve introspection`` as it is started: processes, signals, sockets."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner

from cli.inside import immure
from immure.cli.serve import SERVERS, serve
from immure.errors import UsageError
from immure.introspection.settings import Listen
from immure.introspection.sockets import listening_socket
from immure.tokens.acceptance.reader import read_decisions
from introspection.running import basic
from introspection.test_settings_file import CLIENT, GOOD, LOG, POLICY, TOP
from servers.program import free_port
from servers.tls import Authority
from tokens.minting import Mint, jwk

COMMAND = [sys.executable, "-m", "immure", "serve", "introspection"]
SECRET = "a-secret-of-the-tests"
MINE = CLIENT.replace("0" * 64, hashlib.sha256(SECRET.encode()).hexdigest())


@dataclass
class Started:
    """A server in its own processes."""

    process: subprocess.Popen[str]
    place: Path
    port: int
    lines: Path

    def ask(self, token: str) -> tuple[int, dict[str, object]]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        header, value = basic("mail", SECRET)
        form = {header: value, "Content-Type": "application/x-www-form-urlencoded"}
        connection.request("POST", "/introspect", f"token={token}", form)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())

    def get(self, path: str) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()

    def events(self) -> list[str]:
        return [json.loads(line)["event"] for line in self.lines.read_text().splitlines() if line[:1] == "{"]

    def until(self, event: str, count: int = 1) -> None:
        for _ in range(600):
            if self.events().count(event) >= count:
                return
            assert self.process.poll() is None or event == "stopped", self.lines.read_text()
            time.sleep(0.05)
        raise AssertionError(f"no {event}: {self.lines.read_text()}")


@contextmanager
def started(place: Path, text: str, *options: str, workers: int = 1) -> Iterator[Started]:
    port = free_port()
    (place / "policy.toml").write_text(POLICY)
    (place / "keys.json").write_text(json.dumps({"keys": [jwk("Ed25519", issuer="https://login.example")]}))
    (place / "introspection.toml").write_text(text.replace("PORT", str(port)))
    argv = [*COMMAND, "--config", str(place / "introspection.toml"), *options]
    with (place / "stderr").open("w") as errors:
        process = subprocess.Popen(argv, stderr=errors, text=True)
    up = Started(process, place, port, place / "stderr")
    try:
        up.until("ready", workers)
        yield up
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def token(**changes: object) -> str:
    now = int(time.time())
    said = {"iss": "https://login.example", "tid": None, "iat": now, "nbf": None, "exp": now + 600}
    return Mint().token(**(said | changes))


LISTEN = '[listen]\naddress = "127.0.0.1:PORT"\n'


def test_it_serves_reloads_and_stops(tmp_path: Path):
    with started(tmp_path, TOP + LISTEN + LOG + MINE) as up:
        assert up.ask(token())[1]["active"] is True
        assert re.findall(r"Max core file size +(\S+)", _limits(up.process.pid)) == ["0"]

        (tmp_path / "policy.toml").write_text(POLICY + "\n[nonsense]\n")
        up.process.send_signal(signal.SIGHUP)
        up.until("cannot-begin")
        time.sleep(0.3)
        assert up.ask(token())[1]["active"] is True  # the old settings are in force

        (tmp_path / "policy.toml").write_text(POLICY.replace("login.example", "other.example"))
        up.process.send_signal(signal.SIGHUP)
        up.until("stopped")
        assert up.ask(token()) == (200, {"active": False})
        up.process.send_signal(signal.SIGTERM)
        assert up.process.wait(30) == 0
    rows = [row.verdict for row in read_decisions(tmp_path / "accepted")]
    assert rows == ["accepted", "accepted", "refused"]
    assert not list((tmp_path / "accepted").glob("*.open"))


def _limits(pid: int) -> str:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    found = [int(child) for child in children if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]
    return "".join(Path(f"/proc/{child}/limits").read_text() for child in found)


def test_several_workers(tmp_path: Path):
    with started(tmp_path, TOP + LISTEN + LOG + MINE, "--workers", "2", workers=2) as up:
        for _ in range(40):
            assert up.ask(token())[1]["active"] is True
        status, text = up.get("/metrics")
        assert status == 200
        [total] = re.findall(rb'immure_decisions_total\{.*verdict="accepted".*\} ([0-9.]+)', text)
        assert float(total) == 40  # of both workers, whichever is asked
        assert len(list((tmp_path / "accepted").glob("*.open"))) == 2
    assert len(list(read_decisions(tmp_path / "accepted"))) == 40


def test_a_worker_does_not_outlive_its_supervisor(tmp_path: Path):
    with started(tmp_path, TOP + LISTEN + LOG + MINE) as up:
        up.ask(token())
        up.process.kill()
        up.until("stopped")
    assert len(list(read_decisions(tmp_path / "accepted"))) == 1


def test_a_unix_socket(tmp_path: Path):
    name = tmp_path / "i.sock"
    with socket.socket(socket.AF_UNIX) as old:
        old.bind(str(name))  # left by a run before
    with started(tmp_path, TOP + '[listen]\nunix = "i.sock"\n' + LOG + MINE):
        assert name.stat().st_mode & 0o777 == 0o660
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(name))
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            assert connection.recv(65536).startswith(b"HTTP/1.1 200")
    assert not name.exists()


def test_tls(tmp_path: Path):
    authority = Authority(tmp_path)
    pair = authority.issue("server")
    tls = f'certificate = "{pair.certificate}"\nkey = "{pair.key}"\n'
    outside = LISTEN.replace("127.0.0.1", "0.0.0.0")
    with started(tmp_path, TOP + outside + tls + LOG + MINE) as up:
        context = ssl.create_default_context(cafile=str(authority.certificate))
        connection = http.client.HTTPSConnection("localhost", up.port, timeout=20, context=context)
        connection.request("GET", "/healthz")
        assert connection.getresponse().status == 200
        with pytest.raises((ConnectionError, http.client.HTTPException)):
            up.get("/healthz")


def test_a_socket_that_somebody_uses_is_left(tmp_path: Path):
    (tmp_path / "file").write_text("precious")
    with pytest.raises(UsageError, match="cannot listen"):
        listening_socket(Listen(unix=tmp_path / "file"))
    assert (tmp_path / "file").read_text() == "precious"
    with listening_socket(Listen(unix=tmp_path / "a")), pytest.raises(UsageError, match="cannot listen"):
        listening_socket(Listen(unix=tmp_path / "a"))


def test_an_address_that_is_taken(tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        code, words = _run(tmp_path, GOOD, "--listen", f"127.0.0.1:{taken.getsockname()[1]}")
    assert code == 2
    assert "cannot listen on 127.0.0.1" in words


def _run(place: Path, text: str, *options: str) -> tuple[int, str]:
    (place / "policy.toml").write_text(POLICY)
    (place / "keys.json").write_text(json.dumps({"keys": [jwk("Ed25519", issuer="https://login.example")]}))
    (place / "introspection.toml").write_text(text)
    options = ("--config", str(place / "introspection.toml"), *options)
    if "--check" in options:  # it starts nothing: no need of a process
        code, out, err = immure(place, "serve", "introspection", *options)
        return code, out + err
    argv = [*COMMAND, *options]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("text", "options", "code", "words"),
    [
        (GOOD, ["--check"], 0, "clients    mail"),
        (GOOD, ["--check", "-q"], 0, ""),
        (GOOD + "[nonsense]", ["--check"], 2, "nonsense is not known"),
        (GOOD, ["--check", "--listen", "0.0.0.0:1"], 2, "in the open"),
        (GOOD, ["--check", "--listen", "0.0.0.0:1", "--behind-proxy"], 0, "0.0.0.0:1"),
        (GOOD, ["--check", "--unix", "/run/i.sock", "--workers", "3"], 0, "/run/i.sock, 3 workers"),
        (GOOD, ["--listen", "0.0.0.0:1"], 2, "in the open"),
        (GOOD.replace('"accepted"', '"no/such/place"'), ["--listen", "127.0.0.1:0"], 3, "cannot begin"),
    ],
)  # fmt: skip
def test_exit_codes(tmp_path: Path, text: str, options: list[str], code: int, words: str):
    found, said = _run(tmp_path, text, *options)
    assert found == code, said
    assert words in said
    if not words:
        assert said == ""


def test_the_group_knows_its_servers():
    shown = CliRunner().invoke(serve, ["--help"]).output
    assert all(name in shown for name in SERVERS)
    assert CliRunner().invoke(serve, ["nonsense"]).exit_code == 2
    assert "RFC 7662" in CliRunner().invoke(serve, ["introspection", "--help"]).output


def test_a_secret_and_its_digest():
    made = json.loads(CliRunner().invoke(serve, ["client-secret", "-f", "json"]).output)
    assert made["digest"] == "sha256:" + hashlib.sha256(made["secret"].encode()).hexdigest()
    assert len(made["secret"]) == 43
    words = CliRunner().invoke(serve, ["client-secret"]).output
    assert re.search(r"sha256:[0-9a-f]{64}", words)
    assert made["secret"] not in words


def test_nothing_of_it_is_loaded_with_the_package():
    code = (
        "import sys, immure, immure.api, immure.cli.main; print([m for m in sys.modules if 'uvicorn' in m])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert os.environ.get("IMMURE_INTROSPECTION_CONFIG") is None
