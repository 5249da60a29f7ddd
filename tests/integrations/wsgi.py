"""Real WSGI servers of this process, on ports of the loopback interface, and what they are tried with."""

from __future__ import annotations

import base64
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from wsgiref import simple_server

import httpx
import werkzeug.serving
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from integrations.doors import Case
from tokens.minting import NOW

#: None of them says which path was asked for.
STRANGE_HOSTS = [
    "",
    "[",
    "a b",
    "mail.example/send?",
    "mail.example/send#",
    "mail.example/send",
    "mail.example?",
    "user@mail.example",
    "mail.example:99999999",
    "mail.example:65536",
    "x" * 5000,
]


class _Quiet(simple_server.WSGIRequestHandler):
    def log_message(self, *_arguments: Any) -> None:
        pass


class _QuietToo(werkzeug.serving.WSGIRequestHandler):
    def log(self, *_arguments: Any) -> None:
        pass


@contextmanager
def _served(server: Any, scheme: str = "http") -> Iterator[str]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"{scheme}://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()


@contextmanager
def werkzeug_server(app: Any, context: ssl.SSLContext | None = None) -> Iterator[str]:
    """Werkzeug's server, as ``flask run`` has it; its address."""
    server = werkzeug.serving.make_server(
        "127.0.0.1", 0, app, threaded=True, ssl_context=context, request_handler=_QuietToo
    )
    with _served(server, "https" if context else "http") as address:
        yield address


@contextmanager
def wsgiref_server(app: Any) -> Iterator[str]:
    """The standard library's server, which takes names of headers as they are."""
    with _served(simple_server.make_server("127.0.0.1", 0, app, handler_class=_Quiet)) as address:
        yield address


def ask(address: str, case: Case, method: str = "GET", client: Any = httpx) -> tuple[int, Any, bytes]:
    """Status, headers and body of the answer to a row."""
    answer = client.request(method, address + case.path, headers=case.headers())
    return answer.status_code, answer.headers.multi_items(), answer.content


class Identity:
    """A key, and a certificate that it signed itself, in files."""

    def __init__(self, directory: Path, name: str) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        alternative = x509.SubjectAlternativeName([x509.DNSName("localhost")])
        made = (
            x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
            .not_valid_before(NOW - timedelta(days=2))
            .not_valid_after(NOW + timedelta(days=3650))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(alternative, critical=False)
            .sign(key, hashes.SHA256())
        )
        self.der = made.public_bytes(serialization.Encoding.DER)
        self.pem = made.public_bytes(serialization.Encoding.PEM)
        self.key = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        self.certificate_file, self.key_file = directory / f"{name}.pem", directory / f"{name}.key"
        self.certificate_file.write_bytes(self.pem)
        self.key_file.write_bytes(self.key)

    def fields(self) -> list[tuple[list[tuple[str, str]], int]]:
        """What a proxy may pass on, or a client try to, and the status that this certificate's token gets."""
        field = ("Client-Cert", f":{base64.b64encode(self.der).decode()}:")
        other = ("Client-Cert", f":{base64.b64encode(b'other').decode()}:")
        underscored = ("Client_Cert", field[1])
        return [([field], 200), ([], 401), ([other], 401), ([field, other], 401), ([underscored], 401)]

    def context(self, purpose: ssl.Purpose, trusted: Identity) -> ssl.SSLContext:
        """For a server that asks for ``trusted``'s certificate, or for a client that trusts it."""
        made = ssl.create_default_context(purpose, cafile=str(trusted.certificate_file))
        made.load_cert_chain(str(self.certificate_file), str(self.key_file))
        made.check_hostname = False
        made.verify_mode = ssl.CERT_OPTIONAL if purpose is ssl.Purpose.CLIENT_AUTH else ssl.CERT_REQUIRED
        return made
