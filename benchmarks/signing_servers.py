"""Servers for signing_speed.py, each for as long as it is measured: npm's oidc-provider; of ours two front
ends with one key holder, and PostgreSQL."""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import measure
from processes import child_of

sys.path.insert(0, str(measure.HERE.parent / "tests"))
from servers.postgres import Postgres

IMMURE = [sys.executable, "-m", "immure"]
PEER = measure.HERE.parent / ".make" / "oidc-provider"
VERSION = "oidc-provider@9"


@contextmanager
def peer(directory: Path, port: int, algorithm: str) -> Iterator[list[int]]:
    """oidc-provider, with a process for each core; see :func:`has_peer`."""
    program = measure.HERE / "programs" / "oidc_provider.mjs"
    argv = ["node", str(program), str(port), algorithm, str(len(os.sched_getaffinity(0))), str(PEER)]
    with running(argv, answers(port, "/.well-known/openid-configuration")) as process:
        yield [process]


def has_peer() -> bool:
    """Install it, if it is not there; False without npm."""
    if shutil.which("npm") is None:
        print("skipped: oidc-provider (npm is not installed)", file=sys.stderr)
        return False
    if not (PEER / "node_modules").exists():
        PEER.mkdir(parents=True, exist_ok=True)
        (PEER / "package.json").write_text('{"private": true}')
        subprocess.run(
            ["npm", "install", "--silent", VERSION], stdout=subprocess.DEVNULL, cwd=PEER, check=True
        )
    return True


@contextmanager
def two_front_ends(
    directory: Path, port: int, settings: Callable[..., str], database: Postgres
) -> Iterator[list[int]]:
    """Two workers that share a key holder; registry, state and ledger in PostgreSQL, which syncs.

    Args:
        settings: makes them, given what is another than with one front end.
        database: the server.
    """
    url = database.url(database=database.database())
    places = {"registry": url, "state": url, "ledger": url}
    path = set_up(directory, settings(**places))
    socket_, holder = directory / "holder.sock", directory / "holder" / "keys.sealed"
    argv = [*IMMURE, "keyholder", "serve", str(holder), "--socket", str(socket_)]
    argv += ["--allow", getpass.getuser(), "--pin-file", str(directory / "pin")]
    with running(argv, socket_.is_socket) as holding:
        path.write_text(settings(custody=f"keyholder+unix:{socket_}", workers=2, **places))
        argv = [*IMMURE, "serve", "signing", "-c", str(path)]
        with running(argv, answers(port, "/readyz")) as serving:
            yield [serving, holding, child_of(os.getpid(), "postgres")]


def set_up(directory: Path, settings: str) -> Path:
    """Settings, a key of the ledger's log, a first key of the issuer; the path of the settings."""
    path = directory / "signing.toml"
    path.write_text(settings)
    (directory / "pin").write_text("a pin for the benchmark\n")
    (directory / "pin").chmod(0o600)
    subprocess.run([*IMMURE, "attest", "keygen", str(directory / "log.key"), "-q"], check=True)
    subprocess.run([*IMMURE, "signing", "init", "-c", str(path), "-q"], check=True)
    return path


@contextmanager
def running(argv: Sequence[str], is_up: Callable[[], bool]) -> Iterator[int]:
    """A program, until it is not needed any more; its process."""
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(argv, stdout=said, stderr=said, start_new_session=True)
        try:
            _wait(process, is_up)
            yield process.pid
        except BaseException:
            said.seek(0)
            print(said.read().decode(errors="replace")[-2000:], file=sys.stderr)
            raise
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _wait(process: subprocess.Popen[bytes], is_up: Callable[[], bool]) -> None:
    for _ in range(300):
        if process.poll() is not None:
            raise RuntimeError("the program has ended")
        if is_up():
            return
        time.sleep(0.1)
    raise RuntimeError("the program did not come up")


def answers(port: int, path: str) -> Callable[[], bool]:
    """Says whether a server answers."""

    def answers() -> bool:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5).close()
        except (urllib.error.URLError, OSError):
            return False
        return True

    return answers


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as made:
        return int(made.getsockname()[1])
