"""AWS KMS on this machine: moto's server, which keeps its keys here and signs with ``cryptography``.

moto takes every message for a whole one, also when it is told that it is a digest (``MessageType``); KMS does
not, so while this server runs that is put right. Another server answers whatever a test wants.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

ACCESS, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
REGION = "eu-central-1"


def give_credentials(patch: pytest.MonkeyPatch, directory: Path) -> None:
    """Credentials in the environment, and nothing of the user's own."""
    patch.setenv("AWS_ACCESS_KEY_ID", ACCESS)
    patch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        patch.setenv(name, str(directory / "none"))
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"):
        patch.delenv(name, raising=False)


class Kms:
    """moto's KMS at ``endpoint``."""

    def __init__(self, endpoint: str) -> None:
        import boto3

        self.endpoint = endpoint
        self.client: Any = boto3.client("kms", region_name=REGION, endpoint_url=endpoint)

    def uri(self, key: str, more: str = "") -> str:
        return f"awskms:{key}?region={REGION}&endpoint={quote(self.endpoint, safe='')}{more}"

    def make(self, spec: str, usage: str = "SIGN_VERIFY") -> str:
        """Identifier of a new key."""
        made = self.client.create_key(KeySpec=spec, KeyUsage=usage)
        return str(made["KeyMetadata"]["KeyId"])


@contextmanager
def serving() -> Iterator[Kms]:
    from moto.kms import utils
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(utils.RSAPrivateKey, "sign", _sign_digest)
        patch.setattr(utils.ECDSAPrivateKey, "sign", _sign_digest)
        server.start()
        try:
            host, port = server.get_host_and_port()
            yield Kms(f"http://{host}:{port}")
        finally:
            server.stop()


def _sign_digest(key: Any, digest: bytes, name: str) -> bytes:
    """What KMS does with MessageType=DIGEST: the message is the digest."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, padding, utils

    kind = hashes.SHA384() if name.endswith("384") else hashes.SHA256()
    made = utils.Prehashed(kind)
    if name.startswith("ECDSA"):
        return bytes(key.private_key.sign(digest, ec.ECDSA(made)))
    pss = padding.PSS(padding.MGF1(kind), kind.digest_size)
    return bytes(key.private_key.sign(digest, pss if "PSS" in name else padding.PKCS1v15(), made))


class Scripted(ThreadingHTTPServer):
    """Answers each request by what ``answers`` has next, the last one for ever: status and body, or seconds
    to wait; an operation that is a key of ``special`` by that instead."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: list[tuple[int, bytes] | float] = []
        self.special: dict[str, tuple[int, bytes]] = {}
        self.asked: list[tuple[str, dict[str, Any]]] = []

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def uri(self, key: str) -> str:
        return f"awskms:{key}?region={REGION}&endpoint={quote(self.endpoint, safe='')}"

    def refuse(self, code: str, status: int = 400, words: str = "") -> None:
        """Answer by an error."""
        self.answers = [(status, json.dumps({"__type": code, "message": words}).encode())]


class _Handler(BaseHTTPRequestHandler):
    server: Scripted
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        operation = self.headers["X-Amz-Target"].rpartition(".")[2]
        self.server.asked.append((operation, body))
        answers = self.server.answers
        answer = self.server.special.get(operation)
        if answer is None:
            first = answers.pop(0) if len(answers) > 1 else answers[0]
            if isinstance(first, float):
                time.sleep(first)
                return
            answer = first
        self.send_response(answer[0])
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(answer[1])))
        self.end_headers()
        self.wfile.write(answer[1])

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def scripted() -> Iterator[Scripted]:
    server = Scripted()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
