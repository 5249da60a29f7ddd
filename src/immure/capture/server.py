"""The server: sockets in front, a desk in the middle, a vault behind it.

>>> Server(settings, lambda rotated: keeper_of(settings, rotated=rotated)).run()        # doctest: +SKIP
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from immure.capture.budget import Budget
from immure.capture.crash import Crash
from immure.capture.desk import Desk
from immure.capture.directories import make_directory
from immure.capture.handing import HandleDoor
from immure.capture.intake import Resources
from immure.capture.journal import Journal
from immure.capture.keeping import Keeper, Kept
from immure.capture.listening import CoreDoor, hang_up, listen, serve_each
from immure.capture.records import write_record
from immure.capture.settings import Settings
from immure.capture.state import State
from immure.errors import CaptureError

#: Python lets another thread have its turn after so many seconds: the default of 5 ms would be a long wait
#: for one that only has to ask the kernel for the next piece.
_SWITCH_SECONDS: Final = 0.0005

KeeperFor = Callable[[Callable[[str], None]], Keeper]


class Server:
    """Takes in every core that the kernel offers, until it is told to stop.

    The process that it runs in must not be one that the kernel dumps (``PR_SET_DUMPABLE`` 0): its core would
    go to its own socket, and nobody would be left to read it.

    Args:
        settings: how.
        keeper_for: makes the one who keeps cores, who tells the function that it is given of captures that
            had to go.
        journal: where events are written.
    """

    def __init__(self, settings: Settings, keeper_for: KeeperFor, journal: Journal | None = None) -> None:
        self._settings = settings
        self._journal = journal or Journal()
        self.desk = Desk(
            keeper_for(self._rotated),
            resources_of(settings),
            settings.bounds,
            settings.workers,
            self._journal,
            on_kept=self._record,
        )
        self._state = State(self.desk, settings)
        self.desk.on_change = self._state.update
        self._ready = threading.Event()

    def run(self) -> None:
        """Serve until :meth:`stop`; then finish what is in hand.

        Raises:
            CaptureError: the sockets cannot be made.
        """
        settings = self._settings
        make_directory(Path(settings.runtime))
        make_directory(Path(settings.spool))
        core = listen(settings.core_socket)
        handle = listen(settings.handle_socket, socket.SOCK_SEQPACKET)
        hold = settings.forward_to is not None
        desk = self.desk
        serve_each(core, CoreDoor(desk.arrive, desk.refuse, hold=hold).serve, "capture core socket")
        door = HandleDoor(desk.arrive, desk.refuse, self.state, hold=hold)
        serve_each(handle, door.serve, "capture handle socket")
        self._journal.write("serving", socket=str(settings.core_socket), keep=settings.keep)
        self._state.update(at_once=True)
        notify("READY=1")
        self._ready.set()
        before = sys.getswitchinterval()
        sys.setswitchinterval(_SWITCH_SECONDS)
        try:
            desk.run()
        finally:
            sys.setswitchinterval(before)
            hang_up(core, settings.core_socket)
            hang_up(handle, settings.handle_socket)
            self._state.update(at_once=True)
            self._journal.write("stopped", **desk.counters.to_json())

    def wait_until_ready(self, seconds: float) -> bool:
        """Wait until the sockets are there; False if that took too long."""
        return self._ready.wait(seconds)

    def stop(self) -> None:
        """Take in nobody any more, finish what is in hand, and come back from :meth:`run`."""
        self._settings.core_socket.unlink(missing_ok=True)
        notify("STOPPING=1")
        self.desk.close()

    def stop_on_signals(self) -> None:
        """Stop when the process is asked to end; only from the main thread."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.stop())

    def state(self) -> dict[str, Any]:
        """The state as it is now; from any thread but the desk's."""
        answer: Future[dict[str, Any]] = Future()
        self.desk.tell(lambda: answer.set_result(self._state.to_json()))
        return answer.result(timeout=5)

    def _rotated(self, identity: str) -> None:
        self.desk.rotated(identity)

    def _record(self, crash: Crash, kept: Kept) -> None:
        try:
            write_record(Path(self._settings.records), crash, kept)
        except CaptureError as error:  # the dump itself is sealed, and the journal tells of it
            self._journal.write("record-not-written", reason=str(error))


def resources_of(settings: Settings) -> Resources:
    """What all captures share."""
    return Resources(
        Budget(settings.memory_bytes),
        Budget(settings.disk_bytes),
        settings.max_size,
        settings.spool,
        settings.margin,
    )


def notify(message: str) -> None:
    """Tell the service manager, if there is one (sd_notify(3))."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as connection:
        connection.connect("\0" + address[1:] if address.startswith("@") else address)
        connection.sendall(message.encode())
