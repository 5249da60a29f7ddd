"""Bounds on what a connection may send, and on how long it may take."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import pytest

from immure.introspection import protocol
from introspection.running import Running, running, settings
from tokens.minting import Mint

HEAD = b"GET /healthz HTTP/1.1\r\nHost: a\r\n"


def connected(server: Running) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), 20)


def answer(connection: socket.socket) -> bytes:
    """All that comes until the other side closes; nothing if it hangs up."""
    came = b""
    try:
        while part := connection.recv(65536):
            came += part
    except ConnectionResetError:
        pass
    return came


def test_a_head_may_be_long(server: Running):
    with connected(server) as connection:
        connection.sendall(HEAD + b"X: " + b"x" * 40_000 + b"\r\nConnection: close\r\n\r\n")
        assert answer(connection).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("kind", ["a header", "headers", "a path"])
def test_a_head_without_end(server: Running, kind: str):
    """The server hangs up; whoever sends for ever sends into nothing."""
    piece = {"a header": b"x" * 1000, "headers": b"a: b\r\n" * 200, "a path": b"x" * 1000}[kind]
    with connected(server) as connection:
        connection.sendall({"a header": HEAD + b"X: ", "headers": HEAD, "a path": b"GET /"}[kind])
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            _send_for_ever(connection, piece)
    assert server.ask("GET", "/healthz").status == 200


def _send_for_ever(connection: socket.socket, piece: bytes) -> None:
    for _ in range(10_000):
        connection.sendall(piece)
        time.sleep(0.0005)


def test_the_bound_counts_anew_for_each_request(server: Running):
    with connected(server) as connection:
        for _ in range(5):
            connection.sendall(HEAD + b"X: " + b"x" * 40_000 + b"\r\n\r\n")
            assert connection.recv(65536).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    "begun",
    [
        b"",
        b"GET /heal",
        HEAD,
        b"POST /introspect HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\ntoken=",
    ],
)
def test_who_is_slow_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, begun: bytes):
    monkeypatch.setattr(protocol, "PATIENCE", 0.2)
    with running(settings(tmp_path / "log")) as up, connected(up) as connection:
        connection.sendall(begun)
        came = answer(connection)  # would wait for 20 s, and fail, if nobody hung up
        assert b"200 OK" not in came


def test_who_is_slow_the_second_time_is_left_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(protocol, "PATIENCE", 0.2)
    with running(settings(tmp_path / "log")) as up, connected(up) as connection:
        connection.sendall(HEAD + b"\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")
        connection.sendall(HEAD)
        assert answer(connection) == b""


def test_who_has_asked_may_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(protocol, "PATIENCE", 0.2)
    with running(settings(tmp_path / "log")) as up, connected(up) as connection:
        for _ in range(2):
            connection.sendall(HEAD + b"\r\n")
            assert connection.recv(65536).startswith(b"HTTP/1.1 200")
            time.sleep(0.5)
        token = Mint().token().encode()
        head = b"GET /auth/web HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer " + token
        connection.sendall(head + b"\r\nConnection: close\r\n\r\n")
        assert b"x-immure-subject: mailbox-7" in answer(connection)
