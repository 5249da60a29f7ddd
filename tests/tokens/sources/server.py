"""A real server on this machine that answers with whatever bytes a test wants, over TCP or TLS."""

from __future__ import annotations

import datetime
import socket
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

#: Pieces of an answer, sent one after the other.
Answer = Callable[[], Iterable[bytes]]


def answer(body: bytes, *headers: str, status: str = "200 OK", length: int | None = None) -> Answer:
    """An ordinary answer."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body) if length is None else length}", *headers]
    head = "".join(f"{line}\r\n" for line in lines).encode("latin-1") + b"\r\n"
    return lambda: [head + body]


class Server(socketserver.ThreadingTCPServer):
    """Answers by path; remembers requests and the names that TLS clients asked for."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 100

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.answers: dict[str, Answer] = {}
        self.requests: list[str] = []
        self.names: list[str | None] = []
        self.context = context
        self.stopping = threading.Event()
        if context is not None:
            context.sni_callback = lambda _socket, name, _context: self.names.append(name)
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def handle_error(self, *_: object) -> None:
        """Clients that go away are what these tests are about."""


class _Handler(socketserver.BaseRequestHandler):
    server: Server

    def handle(self) -> None:
        sock: socket.socket = self.request
        sock.settimeout(20)
        if self.server.context is not None:
            sock = self.server.context.wrap_socket(sock, server_side=True)
        with sock:
            request = b""
            while b"\r\n\r\n" not in request:
                piece = sock.recv(4096)
                if not piece:
                    return
                request += piece
            self.server.requests.append(request.decode("latin-1"))
            path = request.split(b" ")[1].decode()
            for piece in self.server.answers.get(path, answer(b"", status="404 Not Found"))():
                sock.sendall(piece)
                if self.server.stopping.is_set():
                    return


@contextmanager
def running(context: ssl.SSLContext | None = None) -> Iterator[Server]:
    """A server as long as the block lasts."""
    with Server(context) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        try:
            yield server
        finally:
            server.stopping.set()
            server.shutdown()


def certificates(directory: Path, name: str) -> tuple[Path, ssl.SSLContext]:
    """A CA made for this run: its certificate, and a server's context for ``name``."""
    root, leaf = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority = _certificate("CA of a test", "CA of a test", root, root, ca=True)
    server = _certificate(name, "CA of a test", leaf, root, ca=False)
    (directory / "ca.pem").write_bytes(authority.public_bytes(Encoding.PEM))
    secret = leaf.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (directory / "server.pem").write_bytes(secret + server.public_bytes(Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory / "server.pem")
    return directory / "ca.pem", context


def _certificate(
    subject: str,
    issuer: str,
    key: ec.EllipticCurvePrivateKey,
    signer: ec.EllipticCurvePrivateKey,
    *,
    ca: bool,
) -> x509.Certificate:
    def named(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, text)])

    now, day = datetime.datetime.now(datetime.UTC), datetime.timedelta(days=1)
    authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
    subject_key = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    builder = (
        x509.CertificateBuilder(named(issuer), named(subject), key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - day)
        .not_valid_after(now + day)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(authority, critical=False)
        .add_extension(subject_key, critical=False)
    )
    if ca:
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        builder = builder.add_extension(usage, critical=True)
    else:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(subject)]), critical=False)
    return builder.sign(signer, hashes.SHA256())
