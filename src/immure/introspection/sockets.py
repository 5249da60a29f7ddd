"""Where a server listens: an address, a Unix socket, or a socket that whoever started it hands over.

A socket that is handed over (as systemd does it: sd_listen_fds(3)) lets a service run in a network namespace
that has no way out: it answers, and can call nobody.
"""

from __future__ import annotations

import ipaddress
import os
import socket
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from immure.errors import UsageError
from immure.introspection.settings import Listen

_BACKLOG: Final = 2048
#: The first descriptor that a service manager hands over (SD_LISTEN_FDS_START).
FIRST: Final = 3


def listening_socket(
    listen: Listen, environment: Mapping[str, str] = os.environ, first: int = FIRST
) -> socket.socket:
    """The socket that a server listens on.

    Args:
        listen: what the settings say.
        environment: with ``LISTEN_PID`` and ``LISTEN_FDS``, where a service manager sets them.
        first: the descriptor at which sockets that are handed over begin.

    Raises:
        UsageError: it cannot be had; what was handed over is no listening socket, or is open to the network.
    """
    if listen.inherited:
        return _inherited(listen, environment, first)
    if listen.unix is not None:
        return _unix_socket(listen.unix)
    try:
        family = socket.AF_INET6 if ":" in listen.host else socket.AF_INET
        return socket.create_server((listen.host, listen.port), family=family, backlog=_BACKLOG)
    except OSError as error:
        where = f"{listen.host}:{listen.port}"
        raise UsageError(f"cannot listen on {where}: {error.strerror or error}") from error


def _inherited(listen: Listen, environment: Mapping[str, str], first: int) -> socket.socket:
    if environment.get("LISTEN_PID", str(os.getpid())) != str(os.getpid()):
        raise UsageError(
            "listen.inherited: the sockets that were handed over are another process's (LISTEN_PID)"
        )
    if environment.get("LISTEN_FDS", "1") != "1":
        raise UsageError(
            f"listen.inherited: one socket is wanted, {environment['LISTEN_FDS']!r} were handed over"
        )
    try:
        made = socket.socket(fileno=os.dup(first))
    except OSError as error:
        raise UsageError(f"listen.inherited: descriptor {first} is no socket: {error.strerror}") from error
    if not _listens(made):
        made.close()
        raise UsageError(f"listen.inherited: descriptor {first} is no stream socket that listens")
    if not (_is_local(made) or listen.certificate or listen.behind_proxy):
        made.close()
        raise UsageError("listen: tokens would cross the network in the open: take TLS, or say behind_proxy")
    return made


def _listens(made: socket.socket) -> bool:
    return made.type == socket.SOCK_STREAM and bool(made.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))


def _is_local(made: socket.socket) -> bool:
    return made.family == socket.AF_UNIX or ipaddress.ip_address(made.getsockname()[0]).is_loopback


def _unix_socket(path: Path) -> socket.socket:
    """A socket that is there from a run before is replaced; anything else there is not touched."""
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if path.exists() and stat.S_ISSOCK(path.lstat().st_mode) and not _is_alive(path):
            path.unlink()
        before = os.umask(0o117)  # read and write for owner and group
        try:
            made.bind(str(path))
        finally:
            os.umask(before)
        made.listen(_BACKLOG)
    except OSError as error:
        made.close()
        raise UsageError(f"cannot listen: {error.strerror or error}", path=str(path)) from error
    return made


def _is_alive(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True
