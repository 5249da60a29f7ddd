"""Handlers, status and servers on the second socket."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from immure.capture.channel import Channel
from immure.capture.crash import Crash
from immure.capture.handing import HandleDoor, ask_state, hand_over, parse_crash, parse_message
from immure.capture.incoming import Incoming
from immure.capture.listening import hang_up, listen, serve_each
from immure.errors import CaptureError

from .helpers import wait_until


class Met:
    """What a door was told."""

    def __init__(self) -> None:
        self.crashes: list[tuple[Crash, Channel]] = []
        self.refused: list[str] = []


@contextmanager
def door(tmp_path: Path, state: Any = lambda: {"answers": True}) -> Iterator[tuple[Path, Met]]:
    met, path = Met(), tmp_path / "handle.sock"
    listener = listen(path, socket.SOCK_SEQPACKET)
    handle = HandleDoor(
        lambda crash, channel: met.crashes.append((crash, channel)), met.refused.append, state
    )
    thread = serve_each(listener, handle.serve, "door")
    yield path, met
    hang_up(listener, path)
    thread.join(10)
    assert not thread.is_alive()


def send(path: Path, data: bytes, descriptors: list[int] | None = None) -> bytes:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
        connection.settimeout(10)
        connection.connect(str(path))
        socket.send_fds(connection, [data], descriptors or [])
        return connection.recv(1 << 16)


def test_a_core_is_handed_over(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    with door(tmp_path) as (path, met):
        assert hand_over(path, Crash(os.getpid(), uid=1, gid=2, signal=11), reading)
        os.close(reading)
        with open(writing, "wb") as stream:
            stream.write(b"core")
        [(crash, channel)] = met.crashes
        assert (crash.pid, crash.uid, crash.gid, crash.signal, crash.via) == (os.getpid(), 1, 2, 11, "pipe")
        assert crash.comm  # it was looked up
        assert b"".join(map(bytes, Incoming(channel).pieces())) == b"core"


def test_the_state_is_told(tmp_path: Path) -> None:
    with door(tmp_path) as (path, met):
        assert ask_state(path) == {"answers": True}
        assert not met.refused


def test_nobody_there(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    assert not hand_over(tmp_path / "none", Crash(1), reading)
    assert ask_state(tmp_path / "none") is None
    os.close(reading)
    os.close(writing)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"x", "is not JSON"),
        (b"[" * 5000, "is not JSON"),
        (b"[]", "says nothing"),
        (b"{}", "says nothing"),
        (b'{"crash": 1}', "without a process"),
        (b'{"crash": {}}', "without a process"),
        (b'{"crash": {"pid": 0}}', "without a process"),
        (b'{"crash": {"pid": "1"}}', "pid is no number"),
        (b'{"crash": {"pid": true}}', "pid is no number"),
        (b'{"crash": {"pid": 1, "uid": -1}}', "uid is no number"),
        (b'{"crash": {"pid": 1, "signal": 1e3}}', "signal is no number"),
        (b'{"crash": {"pid": 1}}', "sent no pipe"),
    ],
)
def test_packets_that_are_wrong_cost_nothing_else(tmp_path: Path, data: bytes, words: str) -> None:
    with door(tmp_path) as (path, met):
        assert send(path, data) == b""
        wait_until(lambda: bool(met.refused))
        assert words in met.refused[0]
        assert ask_state(path) == {"answers": True}


def test_descriptors_that_nobody_asked_for_are_closed(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    with door(tmp_path) as (path, _):
        send(path, b'{"ask": "state"}', [writing])
        os.close(writing)
        assert os.read(reading, 1) == b""  # nobody has the other end any more
    os.close(reading)


def test_a_bug_costs_one_answer(tmp_path: Path) -> None:
    def broken() -> dict[str, Any]:
        raise ZeroDivisionError("surprise")

    with door(tmp_path, broken) as (path, met):
        assert ask_state(path) is None
        assert ask_state(path) is None
        wait_until(lambda: len(met.refused) == 2)


def test_a_second_server_is_refused(tmp_path: Path) -> None:
    with door(tmp_path) as (path, _), pytest.raises(CaptureError, match="a server running already"):
        listen(path, socket.SOCK_SEQPACKET)


def test_a_socket_that_was_left_is_replaced_and_nobody_else_may_connect(tmp_path: Path) -> None:
    path = tmp_path / "core.sock"
    listen(path).close()
    listener = listen(path)
    assert path.stat().st_mode & 0o777 == 0o600
    hang_up(listener, path)
    assert not path.exists()


def test_where_nobody_can_listen(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match="cannot listen"):
        listen(tmp_path / "no" / "core.sock")
    with pytest.raises(CaptureError, match="cannot listen"):
        listen(tmp_path / ("x" * 200))


@given(
    st.binary(max_size=200)
    | st.recursive(
        st.none() | st.integers() | st.text(),
        lambda inner: st.dictionaries(st.sampled_from(["crash", "ask", "pid", "uid", "x"]), inner),
    ).map(lambda value: json.dumps(value).encode())
)
def test_any_packet_is_understood_or_an_error(data: bytes) -> None:
    try:
        message = parse_message(data)
        crash = parse_crash(message.get("crash"))
    except CaptureError:
        return
    assert crash.pid > 0
