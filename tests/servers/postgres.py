"""PostgreSQL as it is installed, with a cluster of its own that goes away.

As root it runs as ``postgres`` or ``nobody``: it refuses to be root.
"""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from servers.program import LOOPBACK, Program, directory, free_port
from servers.tls import Pair

_SUPERUSER = "immure"
#: On the socket nobody is asked for a password; over TCP everybody is.
_ACCESS = "local all all trust\nlocal replication all trust\nhost all all 127.0.0.1/32 scram-sha-256\n"
_SETTINGS = {
    "fsync": "off",  # no test pulls the plug of the machine; killed processes lose nothing by it
    "listen_addresses": LOOPBACK,
    "shared_buffers": "32MB",
    "dynamic_shared_memory_type": "mmap",
    "autovacuum": "off",
    "lc_messages": "C",
}


class Postgres:
    """A server; ``url()`` is that of an empty database, which is used again after ``recycle()``.

    Attributes:
        port: on 127.0.0.1, and part of the socket's name.
        sockets: the directory of the socket.
        programs: the directory of its programs, such as pg_dump.
    """

    def __init__(self, base: Path, programs: Path, port: int, settings: dict[str, str]) -> None:
        self.sockets, self.port = base / "sockets", port
        self.programs, self._base = programs, base
        self._settings = {**_SETTINGS, "unix_socket_directories": str(self.sockets), **settings}
        self._numbers = itertools.count(1)
        self._lent: list[str] = []
        self._free: list[str] = []
        self._prefix = _as_somebody_else(base)
        self._owner = base.stat().st_uid, base.stat().st_gid
        self.sockets.mkdir(mode=0o777)
        self.sockets.chmod(0o777)
        self._program: Program | None = None
        self._initialize()

    def start(self) -> None:
        options = [f"--{name}={value}" for name, value in {**self._settings, "port": str(self.port)}.items()]
        arguments = [
            *self._prefix,
            str(self.programs / "postgres"),
            "-D",
            str(self._base / "data"),
            *options,
        ]
        self._program = Program(arguments, log=self._base / "log")
        self._program.wait_for(self.port)
        end = time.monotonic() + 30
        while True:  # it listens before it answers
            try:
                return self.execute("postgres", "SELECT 1")
            except psycopg.OperationalError:
                assert time.monotonic() < end, self._program.printed()
                time.sleep(0.02)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End it with its connections. SIGTERM would wait for these; SIGQUIT leaves everything as it is."""
        if self._program is not None:
            self._program.process.send_signal(how)
            self._program.stop()
            self._program = None

    def signal(self, number: signal.Signals) -> None:
        """To the server and each of its processes: they have sessions of their own, but one parent."""
        assert self._program is not None
        parent = self._program.process.pid
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        for process in (parent, *map(int, children)):
            os.kill(process, number)

    def url(self, user: str = _SUPERUSER, database: str = "") -> str:
        return f"postgresql://{user}@/{database or self.lend()}?host={self.sockets}&port={self.port}"

    def tcp_url(self, user: str, database: str) -> str:
        return f"postgresql://{user}@{LOOPBACK}:{self.port}/{database}"

    def database(self) -> str:
        """The name of a new one."""
        name = f"db{next(self._numbers)}"
        self.execute("postgres", f"CREATE DATABASE {name}")
        return name

    def lend(self) -> str:
        """The name of an empty one; for who does nothing to it but make schemas of Immure's."""
        self._lent.append(self._free.pop() if self._free else self.database())
        return self._lent[-1]

    def recycle(self) -> None:
        """Take back what was lent: to make a database takes longer than to empty one."""
        for name in self._lent:
            names = self.execute(name, "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'immure%'")
            self.execute(name, "SELECT 1", *(f"DROP SCHEMA {each} CASCADE" for (each,) in names))
        self._free += self._lent
        self._lent.clear()

    def execute(self, database: str, *statements: str, user: str = _SUPERUSER) -> Any:
        """Run each statement in a transaction of its own; the rows of the last one, if it has any."""
        with self.connect(database, user=user) as connection:
            for statement in statements:
                cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else None

    def connect(self, database: str, *, user: str = _SUPERUSER) -> psycopg.Connection:
        host = str(self.sockets)
        return psycopg.connect(dbname=database, user=user, host=host, port=self.port, autocommit=True)

    def take(self, tls: Pair) -> None:
        """Offer TLS from the next start on."""
        for name, path in (("cert", tls.certificate), ("key", tls.key)):
            copy = shutil.copy(path, self._base / f"tls-{name}.pem")
            os.chmod(copy, 0o600)
            os.chown(copy, *self._owner)
            self._settings[f"ssl_{name}_file"] = str(copy)
        self._settings["ssl"] = "on"

    def _initialize(self) -> None:
        arguments = [
            "-D",
            str(self._base / "data"),
            "-U",
            _SUPERUSER,
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C",
        ]
        command = [
            *self._prefix,
            str(self.programs / "initdb"),
            *arguments,
            "--no-sync",
            "--no-instructions",
        ]
        done = subprocess.run(command, capture_output=True, text=True, cwd="/", check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        (self._base / "data" / "pg_hba.conf").write_text(_ACCESS)


@contextmanager
def running(*, tls: Pair | None = None, **settings: str) -> Iterator[Postgres]:
    """A server that nobody else uses. Skips if PostgreSQL is not installed."""
    programs = _programs()
    with directory() as base:
        server = Postgres(base, programs, free_port(), settings)
        if tls is not None:
            server.take(tls)
        try:
            server.start()
            yield server
        finally:
            server.stop(signal.SIGQUIT)


def _programs() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    other = shutil.which("initdb")
    if not found and other is None:
        pytest.skip("NOT TESTED: PostgreSQL is not installed (Debian: postgresql)")
    return found[-1].parent if found else Path(str(other)).resolve().parent


def _as_somebody_else(base: Path) -> list[str]:
    """What to put before a command, for a server refuses to run as root."""
    if os.geteuid() != 0:
        return []
    names = {user.pw_name for user in pwd.getpwall()} & {"postgres", "nobody"}
    setpriv = shutil.which("setpriv")
    if not names or setpriv is None:
        pytest.skip("NOT TESTED: as root PostgreSQL needs setpriv and a user 'postgres' or 'nobody'")
    user = pwd.getpwnam(max(names))
    os.chown(base, user.pw_uid, user.pw_gid)
    base.chmod(0o755)
    return [setpriv, f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
