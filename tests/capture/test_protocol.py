"""What the kernel and a server say: every answer, and every way to say it wrong."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from immure.capture.channel import set_timeout
from immure.capture.protocol import Request, Verdict, ack, answer, asks_first, parse_request, read_request
from immure.errors import CaptureError

ALL = 0b1111
REQUEST = Request(ALL)


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    """(kernel, server)."""
    kernel, server = socket.socketpair()
    set_timeout(server, 1)
    with kernel, server:
        yield kernel, server


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (struct.pack("=IIQ", 16, 16, 15), Request(15, 16)),
        (struct.pack("=IIQ", 16, 24, 1), Request(1, 24)),
        (struct.pack("=IIQ", 24, 16, 31) + bytes(8), Request(31, 16)),
        (b"", "a request of 0 bytes is too short"),
        (bytes(15), "a request of 15 bytes is too short"),
        (struct.pack("=IIQ", 15, 16, 15), "sizes 15 and 16"),
        (struct.pack("=IIQ", 1 << 31, 16, 15), "sizes 2147483648 and 16"),
        (struct.pack("=IIQ", 16, 15, 15), "sizes 16 and 15"),
    ],
)
def test_requests(data: bytes, expected: Request | str) -> None:
    if isinstance(expected, Request):
        assert parse_request(data) == expected
    else:
        with pytest.raises(CaptureError, match=expected):
            parse_request(data)


@pytest.mark.parametrize(
    ("offered", "verdict", "mask"),
    [
        (ALL, Verdict.KERNEL, 1),
        (ALL, Verdict.KERNEL | Verdict.WAIT, 9),
        (ALL, Verdict.REFUSE, 4),
        (0b0111, Verdict.KERNEL | Verdict.WAIT, 1),  # a kernel that cannot wait is not asked to
        (0b0010, Verdict.KERNEL, None),
        (0b0001, Verdict.REFUSE, None),
        (0, Verdict.KERNEL, None),
        (0b110000, Verdict.KERNEL, None),
    ],
)
def test_answers(offered: int, verdict: Verdict, mask: int | None) -> None:
    if mask is None:
        with pytest.raises(CaptureError, match="the kernel does not offer"):
            ack(Request(offered), verdict)
    else:
        assert struct.unpack("=IIQ", ack(Request(offered), verdict)) == (16, 0, mask)


@given(st.binary(max_size=64))
def test_any_bytes_are_a_request_or_an_error(data: bytes) -> None:
    try:
        request = parse_request(data)
    except CaptureError:
        return
    assert request.ack_bytes >= 16


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"\x7fELF\2\1\1", False),
        (REQUEST.to_bytes(), True),
        (struct.pack("=IIQ", 24, 16, 15) + bytes(8), True),
        (b"GET / HTTP/1.1\r\n", "neither a core nor a request"),
        (bytes(16), "neither a core nor a request"),
        (b"\x7fEL", "neither a core nor a request"),
        (b"", "hung up at once"),
    ],
)
def test_who_speaks_first(
    ends: tuple[socket.socket, socket.socket], data: bytes, expected: bool | str
) -> None:
    kernel, server = ends
    kernel.sendall(data)
    kernel.shutdown(socket.SHUT_WR)
    if isinstance(expected, bool):
        assert asks_first(server) is expected
        assert server.recv(64) == data  # nothing was taken
    else:
        with pytest.raises(CaptureError, match=expected):
            asks_first(server)


def test_who_says_nothing_is_not_waited_for_for_ever(ends: tuple[socket.socket, socket.socket]) -> None:
    with pytest.raises(CaptureError, match="nothing comes"):
        asks_first(ends[1])


@pytest.mark.parametrize(
    ("mark", "words"),
    [
        (struct.pack("=I", 0), None),
        (struct.pack("=I", 1), "the answer is too short"),
        (struct.pack("=I", 2), "the answer is too long"),
        (struct.pack("=I", 3), "what it does not know"),
        (struct.pack("=I", 4), "contradicts itself"),
        (struct.pack("=I", 77), "mark 77"),
        (b"\0\0", "hung up in the middle"),
        (b"", "hung up in the middle"),
    ],
)
def test_marks(ends: tuple[socket.socket, socket.socket], mark: bytes, words: str | None) -> None:
    kernel, server = ends
    kernel.sendall(REQUEST.to_bytes() + mark)
    kernel.shutdown(socket.SHUT_WR)
    request = read_request(server)
    assert request == REQUEST
    if words is None:
        answer(server, request, Verdict.KERNEL)
        assert struct.unpack("=IIQ", kernel.recv(64)) == (16, 0, 1)
    else:
        with pytest.raises(CaptureError, match=words):
            answer(server, request, Verdict.KERNEL)


def test_a_kernel_that_has_gone(ends: tuple[socket.socket, socket.socket]) -> None:
    kernel, server = ends
    kernel.close()
    with pytest.raises(CaptureError, match="hung up"):
        answer(server, REQUEST, Verdict.REFUSE)


def test_a_longer_request_is_taken_whole(ends: tuple[socket.socket, socket.socket]) -> None:
    kernel, server = ends
    kernel.sendall(struct.pack("=IIQ", 40, 16, 15) + bytes(24) + b"next")
    assert read_request(server).mask == 15
    assert server.recv(64) == b"next"
