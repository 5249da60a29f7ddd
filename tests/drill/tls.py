"""nginx as a TLS server, made to sign by real handshakes, and as a TLS client that only verifies."""

from __future__ import annotations

import datetime
import os
import signal
import socket
import ssl
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import NameOID

from drill import crash, keys
from drill.keys import DrillKey
from drill.launch import Scene, tool

HANDSHAKES = 40


def until(condition: Callable[[], object], what: str, timeout: float = 20) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise crash.DrillError(f"{what}: not within {timeout:.0f} s")
        time.sleep(0.05)


def make_certificate(key: DrillKey, directory: Path) -> Path:
    """A self-signed certificate for a key."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "drill.example.com")])
    now = datetime.datetime.now(datetime.UTC)
    public = key.private.public_key()
    builder = x509.CertificateBuilder(name, name, public, x509.random_serial_number())
    builder = builder.not_valid_before(now).not_valid_after(now + datetime.timedelta(days=1))
    names = x509.SubjectAlternativeName([x509.DNSName("drill.example.com")])
    algorithm = None if key.kind == "ed25519" else hashes.SHA256()
    certificate = builder.add_extension(names, critical=False).sign(key.private, algorithm)
    path = directory / f"{key.kind}.crt"
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return path


def tls_client(path: Path, certificate: Path) -> None:
    """Shake hands over a Unix socket until the server has signed often enough."""
    for _ in range(HANDSHAKES):
        context = ssl.create_default_context(cafile=str(certificate))
        with socket.socket(socket.AF_UNIX) as plain:
            plain.settimeout(20)
            plain.connect(str(path))
            with context.wrap_socket(plain, server_hostname="drill.example.com") as secure:
                secure.sendall(b"GET / HTTP/1.0\r\n\r\n")
                while secure.recv(4096):
                    pass


def _listen_tls(path: Path, certificate: Path, key: Path) -> Callable[[], None]:
    """A TLS server in this process, for a program that only verifies; returns what ends it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen(64)

    def serve() -> None:
        while True:
            try:
                plain, _ = listener.accept()
            except OSError:  # closed: the drill is over
                return
            with plain, context.wrap_socket(plain, server_side=True) as secure:
                secure.recv(4096)
                secure.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nok\n")

    threading.Thread(target=serve, daemon=True).start()

    def close() -> None:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()

    return close


NGINX = """
daemon off; worker_processes 1; error_log stderr; pid {directory}/nginx.pid; {user}
events {{ worker_connections 64; }}
http {{
  access_log off; client_body_temp_path {directory}/b; proxy_temp_path {directory}/t;
  fastcgi_temp_path {directory}/f; uwsgi_temp_path {directory}/u; scgi_temp_path {directory}/s;
  {servers}
}}
"""
NGINX_SIGNS = """server {{ listen unix:{directory}/{kind}.sock ssl; ssl_certificate {directory}/{kind}.crt;
  ssl_certificate_key {directory}/{kind}.pem; ssl_session_cache off; return 200 ok; }}"""
NGINX_VERIFIES = """server {{ listen unix:{directory}/{kind}.sock;
  location / {{ proxy_pass https://unix:{directory}/{kind}.up:/; proxy_ssl_verify on; proxy_ssl_session_reuse
  off; proxy_ssl_trusted_certificate {directory}/{kind}.crt; proxy_ssl_name drill.example.com; }} }}"""


def nginx(scene: Scene) -> crash.Target:
    """A TLS server; its worker process is dumped. As a control: a proxy that verifies another server's
    certificate."""
    directory, closers = scene.directory, []
    for key in scene.keys:
        if scene.signs:
            make_certificate(key, directory)
        else:
            closers.append(_upstream(key, directory))
    form = NGINX_SIGNS if scene.signs else NGINX_VERIFIES
    servers = "\n".join(form.format(directory=directory, kind=kind) for kind in scene.kinds)
    user = "user root;" if os.geteuid() == 0 else ""
    (directory / "nginx.conf").write_text(NGINX.format(directory=directory, servers=servers, user=user))
    argv = [tool("nginx"), "-p", str(directory), "-e", "stderr", "-c", str(directory / "nginx.conf")]
    target = crash.start(argv, directory, wait_for_ready=False)
    master = target.pid
    target.closers += [*closers, lambda: _terminate(target)]
    try:
        until(lambda: crash.children(master), "nginx worker")
        target.pid = crash.children(master)[0]
        for kind in scene.kinds:
            path = directory / f"{kind}.sock"
            until(path.exists, "nginx socket")
            tls_client(path, directory / f"{kind}.crt") if scene.signs else _plain_client(path)
    except BaseException:
        target.stop()
        raise
    return target


def _terminate(target: crash.Target) -> None:
    """End a master gently, so that it ends its workers."""
    if target.process.poll() is None:
        target.process.send_signal(signal.SIGTERM)
        target.process.wait(timeout=20)


def _upstream(key: DrillKey, directory: Path) -> Callable[[], None]:
    """The server that a control talks to. Its key lives in this process; nginx sees only the certificate."""
    certificate = make_certificate(key, directory)
    with tempfile.TemporaryDirectory() as elsewhere:
        keys.write_private(key, Path(elsewhere))
        return _listen_tls(directory / f"{key.kind}.up", certificate, Path(elsewhere) / f"{key.kind}.pem")


def _plain_client(path: Path) -> None:
    for _ in range(HANDSHAKES):
        with socket.socket(socket.AF_UNIX) as plain:
            plain.settimeout(20)
            plain.connect(str(path))
            plain.sendall(b"GET / HTTP/1.0\r\n\r\n")
            answer = b"".join(iter(lambda: plain.recv(4096), b""))
            if b" 200 " not in answer.split(b"\n")[0]:
                raise crash.DrillError(f"proxy said {answer[:80]!r}")
