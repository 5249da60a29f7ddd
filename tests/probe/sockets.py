"""Servers of this process that speak bytes: each connection is handed to a function."""

from __future__ import annotations

import socket
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

Talk = Callable[[socket.socket], None]


@contextmanager
def talking(talk: Talk, tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """The port of a server, for as long as the block lasts."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with suppress(OSError, ValueError):
                sock = self.request if tls is None else tls.wrap_socket(self.request, server_side=True)
                talk(sock)
                sock.close()

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        block_on_close = False
        allow_reuse_address = True

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def head_of(sock: socket.socket, most: int = 4 << 20) -> bytes:
    """The head of an HTTP request."""
    data = b""
    while b"\r\n\r\n" not in data and len(data) < most:
        more = sock.recv(65536)
        if not more:
            break
        data += more
    return data


def answering(answer: bytes | Callable[[bytes], bytes]) -> Talk:
    """Reads the head of a request, and answers."""

    def talk(sock: socket.socket) -> None:
        head = head_of(sock)
        sock.sendall(answer(head) if callable(answer) else answer)
        sock.shutdown(socket.SHUT_WR)

    return talk
