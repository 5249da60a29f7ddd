"""Object stores on the loopback interface: S3 (moto), Google Cloud Storage (gcp-storage-emulator), Azure Blob
Storage (Azurite)."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

_MOTO = """
import sys
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
"""
_GOOGLE = """
import sys
from gcp_storage_emulator.server import create_server
server = create_server("127.0.0.1", int(sys.argv[1]), in_memory=True)
server.start()
print(sys.argv[1], flush=True)
sys.stdin.read()
server.stop()
"""
#: The account that Azurite's documentation names: everybody knows its key.
AZURITE_ACCOUNT = "devstoreaccount1"


@contextmanager
def s3_store() -> Iterator[dict[str, str]]:
    """What the environment needs for S3."""
    with _server([sys.executable, "-c", _MOTO]) as line:
        yield {
            "AWS_ACCESS_KEY_ID": "access", "AWS_SECRET_ACCESS_KEY": "not-a-secret",
            "AWS_DEFAULT_REGION": "us-east-1", "AWS_ENDPOINT_URL": f"http://127.0.0.1:{int(line)}",
            "AWS_EC2_METADATA_DISABLED": "true",
        }  # fmt: skip


@contextmanager
def google_store() -> Iterator[dict[str, str]]:
    """What the environment needs for Google Cloud Storage."""
    with _server([sys.executable, "-c", _GOOGLE, str(_free_port())]) as line:
        yield {"STORAGE_EMULATOR_HOST": f"http://127.0.0.1:{int(line)}", "GOOGLE_CLOUD_PROJECT": "project"}


def has_azurite() -> bool:
    return shutil.which("azurite-blob") is not None


@contextmanager
def azure_store(directory: Path) -> Iterator[dict[str, str]]:
    """What the environment needs for Azure Blob Storage; the account's key is made here."""
    import base64
    import os

    port, key = _free_port(), base64.b64encode(os.urandom(64)).decode()
    argv = ["azurite-blob", "--silent", "--skipApiVersionCheck", "--location", str(directory),
            "--blobHost", "127.0.0.1", "--blobPort", str(port)]  # fmt: skip
    environment = {**os.environ, "AZURITE_ACCOUNTS": f"{AZURITE_ACCOUNT}:{key}"}
    with subprocess.Popen(
        argv, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as server:
        try:
            _wait_for(port)
            url = f"http://127.0.0.1:{port}/{AZURITE_ACCOUNT}"
            yield {
                "AZURE_STORAGE_CONNECTION_STRING": "DefaultEndpointsProtocol=http;"
                f"AccountName={AZURITE_ACCOUNT};AccountKey={key};BlobEndpoint={url};",
            }
        finally:
            server.kill()


@contextmanager
def _server(argv: Sequence[str]) -> Iterator[str]:
    """Its first line. It ends with its standard input."""
    with subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        assert server.stdout is not None
        assert server.stdin is not None
        yield server.stdout.readline()
        server.stdin.close()
        server.kill()


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _wait_for(port: int, seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            assert time.monotonic() < until, f"nobody listens on port {port}"
            time.sleep(0.1)
        else:
            return
