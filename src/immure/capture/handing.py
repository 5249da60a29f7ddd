"""How a pipe handler hands a core to the server, and how ``status`` asks it.

On kernels without the core-dump socket the kernel starts a program for each crash. Ours hands its standard
input, the pipe, to the server (``SCM_RIGHTS``, unix(7)) and ends: the core never passes through it.

One packet each way: JSON, at most 64 KiB.

    handler  → {"crash": {"pid": 4711, "signal": 6, …}}  and the pipe
    server   → {"taken": true}
    status   → {"ask": "state"}
    server   → the state
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from immure.capture.channel import Channel, PipeChannel, set_timeout
from immure.capture.crash import Crash, with_facts
from immure.capture.peer import credentials
from immure.errors import CaptureError

_MOST_BYTES: Final = 1 << 16
_SECONDS: Final = 10
_NUMBERS: Final = ("pid", "uid", "gid", "signal")


class HandleDoor:
    """Meets pipe handlers and those who ask for the state.

    Args:
        arrive: told of crashes.
        refuse: told of others.
        state: gives the state.
        hold: whether processes are to be held until their case is closed.
    """

    def __init__(
        self,
        arrive: Callable[[Crash, Channel], None],
        refuse: Callable[[str], None],
        state: Callable[[], dict[str, Any]],
        *,
        hold: bool = False,
    ) -> None:
        self._arrive = arrive
        self._refuse = refuse
        self._state = state
        self._hold = hold

    def serve(self, connection: socket.socket) -> None:
        """Meet one. What is wrong with this one must not cost the next."""
        with connection:
            try:
                set_timeout(connection, _SECONDS)
                _check_peer(connection)
                self._answer(connection)
            except CaptureError as error:
                self._refuse(error.reason)
            except Exception as error:  # noqa: BLE001 - see above
                self._refuse(f"{type(error).__name__}: {error}")

    def _answer(self, connection: socket.socket) -> None:
        data, descriptors, _, _ = socket.recv_fds(connection, _MOST_BYTES, 1, socket.MSG_CMSG_CLOEXEC)
        if not data:  # somebody looks whether we are here
            return
        try:
            message = parse_message(data)
            if "crash" in message:
                crash = parse_crash(message["crash"])
                pipe = _pipe(descriptors)
                descriptors = []
                self._arrive(with_facts(crash), PipeChannel(pipe, hold=self._hold))
                connection.sendall(b'{"taken": true}')
            else:
                connection.sendall(state_packet(self._state()))
        finally:
            for descriptor in descriptors:
                os.close(descriptor)


def state_packet(state: dict[str, Any]) -> bytes:
    """The state as a packet, without the oldest of its last crashes if they do not fit."""
    data = json.dumps(state).encode()
    while len(data) > _MOST_BYTES and state.get("last"):
        last = state["last"]
        state = {**state, "last": last[len(last) // 2 + 1 :]}
        data = json.dumps(state).encode()
    return data


def _check_peer(connection: socket.socket) -> None:
    pid, uid, _ = credentials(connection)
    if uid not in (0, os.geteuid()):
        raise CaptureError(f"process {pid} of user {uid} is neither the kernel's handler nor ours")


def _pipe(descriptors: list[int]) -> int:
    if not descriptors:
        raise CaptureError("a handler sent no pipe")
    return descriptors[0]


def parse_message(data: bytes) -> dict[str, Any]:
    """The message in a packet.

    Raises:
        CaptureError: it is none.
    """
    try:
        message = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise CaptureError("a packet is not JSON") from error
    if not isinstance(message, dict) or not ({"crash", "ask"} & message.keys()):
        raise CaptureError("a packet that says nothing")
    return message


def parse_crash(value: Any) -> Crash:
    """The crash in a message.

    Raises:
        CaptureError: a number is missing or none.
    """
    if not isinstance(value, dict):
        raise CaptureError("a crash without a process")
    pid, uid, gid, signal = (_number(value, name) for name in _NUMBERS)
    if not pid:
        raise CaptureError("a crash without a process")
    return Crash(pid, uid=uid, gid=gid, signal=signal, via="pipe")


def _number(value: dict[str, Any], name: str) -> int | None:
    number = value.get(name)
    if number is not None and (type(number) is not int or not 0 <= number < 1 << 32):
        raise CaptureError(f"a crash whose {name} is no number")
    return number


def hand_over(socket_path: Path, crash: Crash, descriptor: int) -> bool:
    """Hand a core to the server; False if there is none that takes it."""
    message = json.dumps({"crash": {name: getattr(crash, name) for name in _NUMBERS}}).encode()
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
        set_timeout(connection, _SECONDS)
        connection.connect(os.fspath(socket_path))
        socket.send_fds(connection, [message], [descriptor])
        return connection.recv(_MOST_BYTES) != b""
    return False


def ask_state(socket_path: Path) -> dict[str, Any] | None:
    """The state of a running server; None if there is none, or it does not answer."""
    with suppress(OSError, ValueError, RecursionError):
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
            set_timeout(connection, _SECONDS)
            connection.connect(os.fspath(socket_path))
            connection.sendall(b'{"ask": "state"}')
            state = json.loads(connection.recv(_MOST_BYTES))
        return state if isinstance(state, dict) else None
    return None
