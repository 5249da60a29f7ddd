"""A server with the transit engine's API, as the documentation of Vault has it: keys made here, signatures by
``cryptography``. It is no Vault: what it does was written from the same text as the client.

``fault`` makes it answer as a server does that is sealed, slow, elsewhere, or broken.
"""

from __future__ import annotations

import base64
import json
import re
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from servers.tls import Authority

TOKEN = "hvs.CAESIJ-not-to-be-seen-4711"
_MAKERS: dict[str, Callable[[], Any]] = {
    "ecdsa-p256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "ecdsa-p384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "ed25519": ed25519.Ed25519PrivateKey.generate,
    "rsa-2048": lambda: rsa.generate_private_key(65537, 2048),
    "rsa-3072": lambda: rsa.generate_private_key(65537, 3072),
}
Answer = tuple[int, dict[str, Any] | None]


class Key:
    """A named key and its versions."""

    def __init__(self, kind: str, asked: dict[str, Any]) -> None:
        self.kind = kind
        self.exportable = asked.get("exportable") is True
        self.plaintext_backup = asked.get("allow_plaintext_backup") is True
        self.deletion_allowed = False
        self.versions: dict[int, Any] = {}
        self.rotate()

    def rotate(self) -> None:
        self.versions[len(self.versions) + 1] = _MAKERS[self.kind]() if self.kind in _MAKERS else None

    def described(self, name: str) -> dict[str, Any]:
        keys: dict[str, Any] = {}
        for version, private in self.versions.items():
            if private is None:  # a symmetric key: only the time of its making
                keys[str(version)] = 1_700_000_000
                continue
            public = private.public_key()
            if self.kind == "ed25519":
                text = base64.b64encode(public.public_bytes_raw()).decode()
            else:
                text = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
            keys[str(version)] = {
                "public_key": text,
                "name": self.kind,
                "creation_time": "2026-01-01T00:00:00Z",
            }
        return {
            "name": name,
            "type": self.kind,
            "keys": keys,
            "latest_version": max(self.versions),
            "exportable": self.exportable,
            "allow_plaintext_backup": self.plaintext_backup,
            "deletion_allowed": self.deletion_allowed,
            "supports_signing": self.kind in _MAKERS,
        }

    def sign(self, digest: str | None, asked: dict[str, Any]) -> str:
        version = asked.get("key_version") or len(self.versions)
        private, message = self.versions[version], base64.b64decode(asked["input"])
        if self.kind == "ed25519":
            made = private.sign(message)
        else:
            kind: Any = {"sha2-256": hashes.SHA256(), "sha2-384": hashes.SHA384()}[digest or "sha2-256"]
            done: Any = Prehashed(kind) if asked.get("prehashed") else kind
            if self.kind.startswith("ecdsa"):
                made = private.sign(message, ec.ECDSA(done))
            elif asked.get("signature_algorithm", "pss") == "pss":
                length = kind.digest_size if asked.get("salt_length") == "hash" else padding.PSS.MAX_LENGTH
                made = private.sign(message, padding.PSS(padding.MGF1(kind), length), done)
            else:
                made = private.sign(message, padding.PKCS1v15(), done)
        return f"vault:v{version}:{base64.b64encode(made).decode()}"


class Transit(ThreadingHTTPServer):
    """The server.

    Attributes:
        keys: by name.
        asked: method and place of each request.
        fault: instead of an answer: a status, bytes that are sent as they are, seconds of silence, or
            ``drip``; None if all is well.
        answer: what is answered with status 200, whatever is asked.
    """

    daemon_threads = True

    def __init__(self, authority: Authority, directory: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.keys: dict[str, Key] = {}
        self.asked: list[tuple[str, str]] = []
        self.headers: list[dict[str, str]] = []
        self.fault: int | bytes | float | str | None = None
        self.answer: object = None
        self.token = TOKEN
        self.authority = authority
        self.token_file = directory / "token"
        self.token_file.write_text(f"{TOKEN}\n")
        self.token_file.chmod(0o600)
        pair = authority.issue("vault")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pair.certificate, pair.key)
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    @property
    def address(self) -> str:
        return f"https://127.0.0.1:{self.server_address[1]}"

    def uri(self, place: str, more: str = "", *, token: Path | None = None) -> str:
        source = quote(str(token or self.token_file), safe="")
        ca = quote(str(self.authority.certificate), safe="")
        address = quote(self.address, safe="")
        return f"vault:{place}?address={address}&token-source={source}&ca={ca}{more}"

    def handle_error(self, *_: object) -> None:
        pass  # clients that break off are the rule here

    def reset(self) -> None:
        self.keys.clear()
        self.asked.clear()
        self.headers.clear()
        self.fault = self.answer = None

    # --- the API ---

    def serve(self, method: str, place: str, asked: dict[str, Any]) -> Answer:
        match = re.fullmatch(r"/v1/transit/(keys|sign)/([^/]+)(/[a-z0-9-]+)?", place)
        if match is None:
            return 404, {"errors": ["no handler for route"]}
        what, name, rest = match[1], match[2], (match[3] or "")[1:]
        key = self.keys.get(name)
        if (method, what, rest) == ("POST", "keys", ""):
            if key is None:
                self.keys[name] = Key(asked["type"], asked)
            return 200, {"data": self.keys[name].described(name)}
        if key is None:
            return (404, {"errors": []}) if method == "GET" else (400, {"errors": ["signing key not found"]})
        if (method, what) == ("GET", "keys"):
            return 200, {"data": key.described(name)}
        if (method, what, rest) == ("POST", "keys", "config"):
            key.deletion_allowed = asked["deletion_allowed"]
            return 200, {"data": {}}
        if (method, what) == ("DELETE", "keys"):
            if not key.deletion_allowed:
                return 400, {"errors": ["deletion is not allowed for this key"]}
            del self.keys[name]
            return 204, None
        if (method, what) == ("POST", "sign"):
            return 200, {"data": {"signature": key.sign(rest or None, asked)}}
        return 405, {"errors": []}


class _Handler(BaseHTTPRequestHandler):
    server: Transit
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        server = self.server
        length = int(self.headers.get("Content-Length") or 0)
        asked = json.loads(self.rfile.read(length)) if length else {}
        server.asked.append((self.command, self.path))
        server.headers.append(dict(self.headers))
        if server.fault is not None:
            return self._fault(server.fault)
        if self.headers.get("X-Vault-Token") != server.token or self.headers.get("X-Vault-Request") != "true":
            return self._send(403, {"errors": [f"permission denied for {TOKEN}"]})
        if server.answer is not None:
            return self._send(200, server.answer)
        return self._send(*server.serve(self.command, self.path, asked))

    do_POST = do_DELETE = do_GET

    def _fault(self, fault: int | bytes | float | str) -> None:
        self.close_connection = True
        if isinstance(fault, bytes):
            self.wfile.write(fault)
        elif fault == "drip":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
            for _ in range(100):
                self.wfile.write(b" ")
                time.sleep(0.05)
        elif isinstance(fault, float):
            time.sleep(fault)
        else:
            assert isinstance(fault, int)
            self._send(fault, {"errors": [f"words with {TOKEN} in them"]})

    def _send(self, status: int, answer: object) -> None:
        data = b"" if answer is None else json.dumps(answer).encode()
        self.send_response(status)
        if 300 <= status < 400:
            self.send_header("Location", "https://elsewhere.example/v1/")
        if status != 204:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving(directory: Path) -> Iterator[Transit]:
    server = Transit(Authority(directory), directory)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
