"""Sockets that are handed over: what is taken, and what is refused."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from immure.errors import UsageError
from immure.introspection.settings import Listen
from immure.introspection.sockets import listening_socket

INHERITED = Listen(inherited=True)


@contextmanager
def given(made: socket.socket | int) -> Iterator[int]:
    """The descriptor of it."""
    if isinstance(made, int):
        yield made
        os.close(made)
    else:
        with made:
            yield made.fileno()


def listening(host: str = "127.0.0.1") -> socket.socket:
    return socket.create_server((host, 0))


def test_a_socket_that_is_handed_over_is_the_one_that_answers():
    with listening() as outside, listening_socket(INHERITED, {}, outside.fileno()) as taken:
        assert taken.getsockname() == outside.getsockname()
        with socket.create_connection(outside.getsockname(), timeout=5) as caller:
            answer, _ = taken.accept()
            with answer:
                answer.sendall(b"here")
            assert caller.recv(4) == b"here"


def test_a_unix_socket_is_taken_too(tmp_path: Path):
    with socket.socket(socket.AF_UNIX) as outside:
        outside.bind(str(tmp_path / "socket"))
        outside.listen()
        listening_socket(INHERITED, {}, outside.fileno()).close()


@pytest.mark.parametrize(
    ("listen", "environment", "makes", "words"),
    [
        (INHERITED, {"LISTEN_PID": "1"}, listening, "another process's"),
        (INHERITED, {"LISTEN_FDS": "2"}, listening, "one socket is wanted, '2' were handed over"),
        (INHERITED, {"LISTEN_FDS": "x"}, listening, "'x' were handed over"),
        (INHERITED, {}, lambda: os.open("/dev/null", os.O_RDONLY), "is no socket"),
        (
            INHERITED,
            {},
            lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
            "stream socket that listens",
        ),
        (INHERITED, {}, lambda: socket.socket(socket.AF_INET), "stream socket that listens"),
        (INHERITED, {}, lambda: listening("0.0.0.0"), "in the open"),
    ],
)
def test_what_is_refused(listen, environment, makes, words):
    with given(makes()) as first, pytest.raises(UsageError, match=words):
        listening_socket(listen, environment, first)


def test_behind_a_proxy_it_may_be_open_to_the_network():
    with listening("0.0.0.0") as outside:
        listening_socket(Listen(inherited=True, behind_proxy=True), {}, outside.fileno()).close()
