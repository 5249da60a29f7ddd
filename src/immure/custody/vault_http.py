"""Asking a Vault server: JSON over HTTPS, to the host in the URI and to nobody else.

No redirect is followed and no proxy is used, so that the token goes where the URI says; size and time of an
answer are bounded. What the server writes into its errors is not passed on: only what its status means.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import ssl
import threading
from types import TracebackType
from typing import Any, Final
from urllib.parse import urlsplit

from immure.custody.pin import source_path
from immure.custody.secret_file import read_secret_file, wipe
from immure.custody.vault_uri import VaultUri
from immure.errors import SignerError
from immure.secret import Secret

#: Seconds of one request, and bytes of an answer.
SECONDS: Final = 8.0
MOST_BYTES: Final = 1 << 20
_MOST_TOKEN: Final = 4096
#: Connections that are kept between requests.
_MOST_FREE: Final = 16
#: What a status means (Vault's API documentation, "HTTP status codes").
_STATUS: Final = {
    400: "refused: the request is not one for this key",
    401: "access denied: there is no token",
    403: "access denied: the token may not do this, or has run out",
    405: "refused: there is no transit engine",
    412: "the server has not caught up yet",
    429: "throttled, or a standby that does not serve",
    472: "a standby of a disaster recovery does not serve",
    473: "a performance standby does not serve this",
    500: "the server reports a fault",
    502: "the server reports a fault of something behind it",
    503: "sealed, or down for maintenance",
}


class Deadline:
    """Shuts a connection down when time is up, whatever it is waiting for: a server that sends a byte now and
    then keeps nobody."""

    def __init__(self, seconds: float) -> None:
        self.is_over = False
        self._socket: socket.socket | None = None
        self._lock = threading.Lock()
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True

    def watch(self, stream: socket.socket | None) -> None:
        """The socket that is waited for."""
        with self._lock:
            self._socket = stream
        if self.is_over:
            self._end()

    def _end(self) -> None:
        with self._lock:
            self.is_over, stream = True, self._socket
            if stream is not None and stream.fileno() >= 0:
                try:
                    socket.socket.shutdown(stream, socket.SHUT_RDWR)  # below TLS, which might want to talk
                except OSError:
                    return  # closed meanwhile: nothing waits for it

    def __enter__(self) -> Deadline:
        self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        self.watch(None)


class VaultHttp:
    """Connections to one server; for any number of threads.

    Args:
        uri: address, token, certificates.
        path: what errors name.
        seconds: of one request.
    """

    def __init__(self, uri: VaultUri, path: str, seconds: float = SECONDS) -> None:
        self._uri, self._path, self._seconds = uri, path, seconds
        parts = urlsplit(uri.address)
        self._host, self._port, self._is_tls = parts.hostname or "", parts.port, parts.scheme == "https"
        self._context: ssl.SSLContext | None = None
        self._token: tuple[object, Secret[bytes]] | None = None
        self._free: list[http.client.HTTPConnection] = []
        self._lock = threading.Lock()

    def open(self) -> None:
        """Read token and certificates; the server is not asked yet. Raises SignerError."""
        self._headers()
        if self._is_tls:
            self._trust()

    def ask(self, method: str, place: str, body: dict[str, Any] | None = None) -> dict[str, Any] | None:
        """What the server answers; empty if it has nothing to say, None if there is nothing there (404).

        Args:
            method: of HTTP.
            place: behind ``/v1/``, made of names that need no encoding.
            body: what is sent.

        Raises:
            SignerError: it cannot be reached, refuses, or answers what cannot be understood.
        """
        data = None if body is None else json.dumps(body).encode()
        status, text = self._exchange(method, f"/v1/{place}", data)
        if status == 404:
            return None
        if status not in (200, 204):
            raise SignerError(self._words(status), path=self._path)
        if not text:
            return {}
        try:
            answer = json.loads(text)
        except (ValueError, RecursionError):
            answer = None
        if not isinstance(answer, dict):
            raise SignerError("what the server answered is not JSON", path=self._path)
        return answer

    def _words(self, status: int) -> str:
        if 300 <= status < 400:
            return f"the server points to another ({status}), and that is not followed: name the active one"
        return _STATUS.get(status, f"the server answers {status}")

    def _exchange(self, method: str, place: str, data: bytes | None) -> tuple[int, bytes]:
        headers = self._headers()
        with Deadline(self._seconds) as deadline:
            try:
                while True:
                    connection, is_used = self._connection()
                    try:
                        return self._once(connection, deadline, (method, place, data, headers))
                    except (http.client.RemoteDisconnected, ConnectionError, ssl.SSLError):
                        # one that was kept may have been ended meanwhile; a new one is another matter
                        if not is_used or deadline.is_over:
                            raise
            except ssl.SSLError as error:
                raise SignerError(self._late(deadline) or _of_tls(error), path=self._path) from None
            except OSError as error:
                words = f"cannot be reached: {error.strerror or type(error).__name__}"
                raise SignerError(self._late(deadline) or words, path=self._path) from None
            except (http.client.HTTPException, ValueError):
                words = "what the server answered is not HTTP"
                raise SignerError(self._late(deadline) or words, path=self._path) from None

    def _late(self, deadline: Deadline) -> str | None:
        return f"no answer within {self._seconds:g} s" if deadline.is_over else None

    def _once(
        self,
        connection: http.client.HTTPConnection,
        deadline: Deadline,
        asked: tuple[str, str, bytes | None, dict[str, Any]],
    ) -> tuple[int, bytes]:
        is_whole = False
        try:
            if connection.sock is None:
                self._connect(connection, deadline)
            deadline.watch(connection.sock)
            connection.request(*asked)
            response = connection.getresponse()
            text = response.read(MOST_BYTES + 1)
            if len(text) > MOST_BYTES:
                raise SignerError(f"answers more than {MOST_BYTES} bytes", path=self._path)
            is_whole = response.isclosed() and not response.will_close and not deadline.is_over
            if deadline.is_over:
                raise TimeoutError
            return response.status, text
        finally:
            deadline.watch(None)
            self._give(connection, keep=is_whole)

    # --- connections ---

    def _connection(self) -> tuple[http.client.HTTPConnection, bool]:
        with self._lock:
            if self._free:
                return self._free.pop(), True
        kind = http.client.HTTPSConnection if self._is_tls else http.client.HTTPConnection
        return kind(self._host, self._port, timeout=self._seconds), False

    def _connect(self, connection: http.client.HTTPConnection, deadline: Deadline) -> None:
        """By hand, so that the deadline holds for the beginning of TLS too."""
        stream = socket.create_connection((self._host, connection.port), self._seconds)
        if self._is_tls:
            wrapped = self._trust().wrap_socket(
                stream, server_hostname=self._host, do_handshake_on_connect=False
            )
            connection.sock = wrapped
            deadline.watch(wrapped)
            wrapped.do_handshake()
        else:
            connection.sock = stream

    def _give(self, connection: http.client.HTTPConnection, *, keep: bool) -> None:
        with self._lock:
            if keep and len(self._free) < _MOST_FREE:
                self._free.append(connection)
                return
        connection.close()

    def close(self) -> None:
        """Close the connections that nobody uses."""
        with self._lock:
            free, self._free = self._free, []
        for connection in free:
            connection.close()

    def _trust(self) -> ssl.SSLContext:
        if self._context is None:
            try:
                made = ssl.create_default_context(cafile=self._uri.ca)
            except (OSError, ValueError) as error:
                reason = getattr(error, "strerror", None) or "holds no certificates"
                raise SignerError(f"ca: {reason}", path=self._uri.ca) from None
            made.minimum_version = ssl.TLSVersion.TLSv1_2
            self._context = made
        return self._context

    # --- the token ---

    def _headers(self) -> dict[str, Any]:
        made: dict[str, Any] = {"X-Vault-Request": "true", "Content-Type": "application/json"}
        if self._uri.namespace is not None:
            made["X-Vault-Namespace"] = self._uri.namespace
        if self._uri.token_source is not None:
            made["X-Vault-Token"] = self._read_token(source_path(self._uri.token_source)).reveal()
        return made

    def _read_token(self, path: str) -> Secret[bytes]:
        """The first line of a file; read again when it has changed, as agents write new ones."""
        try:
            status = os.stat(path)
        except (OSError, ValueError) as error:
            raise SignerError(getattr(error, "strerror", None) or "cannot be opened", path=path) from None
        state = (status.st_ino, status.st_mtime_ns, status.st_size)
        kept = self._token
        if kept is not None and kept[0] == state:
            return kept[1]
        data = read_secret_file(path, most=_MOST_TOKEN)
        line = bytes(data).splitlines()[0] if data else b""
        wipe(data)
        if not line or any(not 0x21 <= byte <= 0x7E for byte in line):
            raise SignerError("there is no token in its first line", path=path)
        self._token = state, Secret(line)
        return self._token[1]


def _of_tls(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the server's certificate does not hold: {error.verify_message}"
    return "TLS failed"
