"""Witnesses as they are started: processes with a port, a key and a directory of their own."""

from __future__ import annotations

import signal
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from immure.auditlog import NoteKey
from immure.auditlog.cosignature import CosignatureKey, parse_witness
from immure.custody.generate import generate
from immure.ledger.witnesses import Place
from servers.program import LOOPBACK, Program, free_port

COMMAND = [sys.executable, "-m", "immure", "serve", "witness"]


class Running:
    """A witness that can be stopped and started again.

    Attributes:
        place: its key and URL.
        state: what it has seen.
    """

    def __init__(self, directory: Path, logs: Sequence[NoteKey], name: str, options: Sequence[str]) -> None:
        self.port, self.state, self.log = free_port(), directory / "seen", directory / "journal"
        directory.mkdir(parents=True, exist_ok=True)
        generate(str(directory / "witness.key"))
        self._argv = [*COMMAND, "--name", name, "--key", f"file:{directory / 'witness.key'}", "--state"]
        self._argv += [str(self.state), "--listen", f"{LOOPBACK}:{self.port}"]
        self._argv += [word for key in logs for word in ("--log", key.to_vkey())]
        self._argv += options
        self._program: Program | None = None
        self.start("--init")
        self.place = Place(self._key(), f"http://{LOOPBACK}:{self.port}")

    def _key(self) -> CosignatureKey:
        lines = [line for line in self.log.read_text().splitlines() if "public key of the witness: " in line]
        return parse_witness(lines[0].rpartition(": ")[2])

    @property
    def line(self) -> str:
        """As commands take it."""
        return f"{self.place.key.to_vkey()} {self.place.url}"

    def start(self, *options: str) -> None:
        self._program = Program([*self._argv, *options], log=self.log)
        self._program.wait_for(self.port)

    def stop(self) -> int:
        """End it politely; its exit code."""
        assert self._program is not None
        self._program.process.send_signal(signal.SIGTERM)
        code = self._program.process.wait(20)
        self._program.stop()
        self._program = None
        return code

    def kill(self) -> None:
        assert self._program is not None
        self._program.process.kill()
        self._program.stop()
        self._program = None

    def close(self) -> None:
        if self._program is not None:
            self._program.stop()


@contextmanager
def witness(
    directory: Path, *logs: NoteKey, name: str = "witness.example", options: Sequence[str] = ()
) -> Iterator[Running]:
    """One that runs until the block ends."""
    made = Running(directory, logs, name, options)
    try:
        yield made
    finally:
        made.close()


@contextmanager
def answering(*answers: bytes, wait: float = 0) -> Iterator[str]:
    """The URL of something that answers each request with the next of these bytes, whatever is asked."""
    import threading

    def serve(listening: socket.socket) -> None:
        for answer in answers:
            connection, _ = listening.accept()
            with connection, suppress(OSError):
                connection.settimeout(5)
                head = b""
                while b"\r\n\r\n" not in head:
                    head += connection.recv(65536)
                time.sleep(wait)
                connection.sendall(answer)
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(65536):
                    pass

    with socket.create_server((LOOPBACK, 0)) as listening:
        thread = threading.Thread(target=serve, args=(listening,), daemon=True)
        thread.start()
        yield f"http://{LOOPBACK}:{listening.getsockname()[1]}"
