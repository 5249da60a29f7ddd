"""Channels over real sockets and pipes, and reading them ahead."""

from __future__ import annotations

import os
import random
import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from immure.capture import channel as channels
from immure.capture.channel import Channel, PipeChannel, SocketChannel, StalledError
from immure.capture.incoming import Incoming
from immure.capture.protocol import Request
from immure.errors import CaptureError

from .helpers import BytesChannel

Sink = Callable[[bytes], None]


def over_socket(data: bytes) -> Channel:
    kernel, server = socket.socketpair()

    def write() -> None:
        with kernel, suppress(BrokenPipeError):
            kernel.sendall(data)

    threading.Thread(target=write, daemon=True).start()
    return SocketChannel(server, None)


def over_pipe(data: bytes) -> Channel:
    reading, writing = os.pipe()

    def write() -> None:
        with suppress(BrokenPipeError), open(writing, "wb") as stream:
            stream.write(data)

    threading.Thread(target=write, daemon=True).start()
    return PipeChannel(reading)


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 99), size=st.integers(0, 300_000), piece=st.integers(1, 70_000))
@pytest.mark.parametrize("over", [over_socket, over_pipe])
def test_all_bytes_come_in_order(over: Callable[[bytes], Channel], seed: int, size: int, piece: int) -> None:
    data = random.Random(seed).randbytes(size)
    channel = over(data)
    assert b"".join(map(bytes, Incoming(channel, piece_bytes=piece).pieces())) == data
    assert channel.closed_at is not None


def test_buffers_are_used_again_only_when_the_next_piece_is_asked_for() -> None:
    data = b"".join(bytes([n]) * 10 for n in range(20))
    for number, piece in enumerate(Incoming(BytesChannel(data), piece_bytes=10).pieces()):
        time.sleep(0.005)  # time enough for a reader that has too many buffers
        assert bytes(piece) == bytes([number]) * 10


@pytest.mark.parametrize("over", [over_socket, over_pipe])
def test_giving_up_closes_the_channel_and_ends_the_reader(over: Callable[[bytes], Channel]) -> None:
    before = threading.active_count()
    channel = over(bytes(50_000_000))
    pieces = Incoming(channel, piece_bytes=1000).pieces()
    assert len(next(pieces)) == 1000
    pieces.close()
    assert channel.closed_at is not None
    assert threading.active_count() <= before + 1  # the writer may not have noticed yet


def test_errors_come_out_where_pieces_are_taken() -> None:
    pieces = Incoming(BytesChannel(b"abc", error=OSError(5, "Input/output error")), piece_bytes=2).pieces()
    assert bytes(next(pieces)) == b"ab"
    assert bytes(next(pieces)) == b"c"
    with pytest.raises(OSError, match="Input/output"):
        next(pieces)


@pytest.mark.parametrize("hold", [False, True])
def test_a_channel_that_holds_stays_open(hold: bool) -> None:
    channel = BytesChannel(b"abc", hold=hold)
    assert b"".join(map(bytes, Incoming(channel).pieces())) == b"abc"
    assert (channel.closed_at is None) is hold


def test_who_sends_nothing_is_stuck(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channels, "STALLED_SECONDS", 1)
    kernel, server = socket.socketpair()
    channels.set_timeout(server, 1)
    with kernel, pytest.raises(StalledError):
        SocketChannel(server, None).read_into(bytearray(10))
    reading, writing = os.pipe()
    with open(writing, "wb"), pytest.raises(StalledError):
        PipeChannel(reading).read_into(bytearray(10))


@pytest.mark.parametrize(("hold", "mask"), [(False, 1), (True, 9)])
def test_beginning_answers_the_kernel(hold: bool, mask: int) -> None:
    kernel, server = socket.socketpair()
    kernel.sendall(Request(15).to_bytes() + struct.pack("=I", 0))
    SocketChannel.meet(server, hold=hold).begin()
    assert struct.unpack("=IIQ", kernel.recv(16)) == (16, 0, mask)


@pytest.mark.parametrize("gone", [False, True])
def test_refusing_never_fails(gone: bool) -> None:
    kernel, server = socket.socketpair()
    kernel.sendall(Request(15).to_bytes())
    channel = SocketChannel.meet(server)
    if gone:
        kernel.close()
    channel.refuse()
    assert channel.closed_at is not None
    if not gone:
        assert struct.unpack("=IIQ", kernel.recv(16)) == (16, 0, 4)
        assert kernel.recv(1) == b""


def test_refusing_a_plain_core_hangs_up() -> None:
    kernel, server = socket.socketpair()
    kernel.sendall(b"\x7fELF...")
    SocketChannel.meet(server).refuse()
    with pytest.raises((BrokenPipeError, ConnectionResetError)):
        kernel.sendall(b"more")


def test_a_kernel_that_does_not_accept_the_answer() -> None:
    kernel, server = socket.socketpair()
    kernel.sendall(Request(15).to_bytes() + struct.pack("=I", 3))
    with pytest.raises(CaptureError, match="what it does not know"):
        next(Incoming(SocketChannel.meet(server)).pieces())


def test_closing_twice_closes_no_other_file(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    channel = PipeChannel(reading)
    channel.close()
    with (tmp_path / "other").open("wb") as other:  # takes the number of the descriptor
        channel.close()
        other.write(b"still open")
    os.close(writing)
