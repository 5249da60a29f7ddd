"""A timestamp authority on loopback: HTTP in front of ``openssl ts``, with certificates made for the test."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from servers.program import found

_SETTINGS = """
[tsa]
default_tsa = config
[config]
serial = {place}/serial
signer_cert = {place}/tsa.pem
signer_key = {place}/tsa.key
certs = {place}/ca.pem
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
accuracy = secs:1
ess_cert_id_chain = no
ess_cert_id_alg = sha256
"""


@dataclass
class Tsa:
    """A running authority.

    ``spoil`` changes its answers: a function of the DER bytes.
    """

    url: str
    ca: Path
    other_ca: Path
    answers: list[bytes] = field(default_factory=list)
    status: int = 200
    spoiled: bytes | None = None


@contextmanager
def tsa_server(place: Path) -> Iterator[Tsa]:
    openssl = found("openssl", "openssl")
    _certificates(place)
    (place / "serial").write_text("01\n")
    (place / "tsa.conf").write_text(_SETTINGS.format(place=place))
    one = threading.Lock()  # openssl keeps its serial number in a file

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            with one:
                (place / "query").write_bytes(body)
                subprocess.run(
                    [openssl, "ts", "-reply", "-config", place / "tsa.conf", "-queryfile", place / "query",
                     "-out", place / "reply"],
                    check=True, capture_output=True, timeout=30,
                )  # fmt: skip
                answer = (place / "reply").read_bytes() if made.spoiled is None else made.spoiled
            made.answers.append(answer)
            self.send_response(made.status)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made = Tsa(f"http://127.0.0.1:{server.server_port}/tsr", place / "ca.pem", place / "other.pem")
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _certificates(place: Path) -> None:
    ca_key, ca = _made("test authority", None)
    _, other = _made("another authority", None)
    key, leaf = _made("test timestamps", (ca_key, ca))
    (place / "ca.pem").write_bytes(ca.public_bytes(Encoding.PEM))
    (place / "other.pem").write_bytes(other.public_bytes(Encoding.PEM))
    (place / "tsa.pem").write_bytes(leaf.public_bytes(Encoding.PEM))
    (place / "tsa.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def _made(
    name: str, by: tuple[ec.EllipticCurvePrivateKey, x509.Certificate] | None
) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if by is None else by[1].subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=by is None, path_length=None), critical=True)
    )
    if by is not None:
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING])
        builder = builder.add_extension(usage, critical=True)
    return key, builder.sign(key if by is None else by[0], hashes.SHA256())
