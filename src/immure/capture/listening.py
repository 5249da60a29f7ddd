"""The two sockets of a server: one where the kernel connects, one for pipe handlers and ``status``.

Nothing that takes long happens here: a crash is looked up in ``/proc`` while its process is still there, and
handed to the desk.
"""

from __future__ import annotations

import errno
import os
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from immure.capture.channel import Channel, SocketChannel
from immure.capture.crash import Crash, with_facts
from immure.capture.peer import crash_of
from immure.errors import CaptureError

#: Crashes that wait to be noticed. The kernel lets those go that find no room here, and nobody counts them.
BACKLOG: Final = 4096

#: What passes by itself: too many open files, no memory, a peer that has gone.
_PASSING: Final = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS, errno.ECONNABORTED, errno.EINTR)
_PAUSE: Final = 0.05

Arrive = Callable[[Crash, Channel], None]
Refuse = Callable[[str], None]
Serve = Callable[[socket.socket], None]


def listen(path: Path, kind: socket.SocketKind = socket.SOCK_STREAM) -> socket.socket:
    """A socket that only its owner (and the kernel) may connect to, in place of one that was left.

    Raises:
        CaptureError: it cannot be made, or somebody listens there.
    """
    if _answers(path, kind):
        raise CaptureError("somebody listens there: is a server running already?", path=str(path))
    listener = socket.socket(socket.AF_UNIX, kind)
    before = os.umask(0o177)
    try:
        path.unlink(missing_ok=True)
        listener.bind(os.fspath(path))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise CaptureError(f"cannot listen: {error.strerror or error}", path=str(path)) from error
    finally:
        os.umask(before)
    return listener


def _answers(path: Path, kind: socket.SocketKind) -> bool:
    with socket.socket(socket.AF_UNIX, kind) as probe:
        try:
            probe.connect(os.fspath(path))
        except OSError:
            return False
    return True


def serve_each(listener: socket.socket, serve: Serve, name: str) -> threading.Thread:
    """A thread that calls ``serve`` with each connection, until the listener is shut down."""

    def run() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError as error:
                if error.errno not in _PASSING:
                    return
                time.sleep(_PAUSE)
                continue
            serve(connection)

    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    return thread


def hang_up(listener: socket.socket, path: Path) -> None:
    """Accept nobody any more."""
    with suppress(OSError):
        path.unlink(missing_ok=True)
    with suppress(OSError):
        listener.shutdown(socket.SHUT_RDWR)
    listener.close()


class CoreDoor:
    """Meets those who connect to the core socket.

    Args:
        arrive: told of crashes.
        refuse: told of others.
        hold: whether processes are to be held until their case is closed.
    """

    def __init__(self, arrive: Arrive, refuse: Refuse, *, hold: bool = False) -> None:
        self._arrive = arrive
        self._refuse = refuse
        self._hold = hold

    def serve(self, connection: socket.socket) -> None:
        """Meet one. What is wrong with this one must not cost the next."""
        try:
            crash = with_facts(crash_of(connection))
            channel = SocketChannel.meet(connection, hold=self._hold)
        except CaptureError as error:
            connection.close()
            self._refuse(error.reason)
        except Exception as error:  # noqa: BLE001 - see above
            connection.close()
            self._refuse(f"{type(error).__name__}: {error}")
        else:
            self._arrive(crash, channel)
