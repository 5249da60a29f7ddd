"""Feeds broken blobs of the metadata service, some of them with a genuine signature over broken parts."""

from __future__ import annotations

import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from driver import run

from immure.access.errors import MetadataError
from immure.access.webauthn.metadata import parse_metadata

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from access.authenticator import b64, unb64
from access.metadata_service import NAME, Service, entry

SECONDS = 2.0
NOW = datetime(2026, 11, 30, tzinfo=UTC)
SERVICE = Service()
BLOB = SERVICE.blob(entry())
HEADER = BLOB.split(b".")[0].decode()
PAYLOAD = unb64(BLOB.split(b".")[1].decode())


def check(data: bytes) -> None:
    """An error that is ours, or metadata that somebody has signed."""
    begun = time.thread_time()
    found = _parse(data)
    assert found is None or data.strip() == BLOB
    message = f"{HEADER}.{b64(data)}".encode()
    found = _parse(message + b"." + b64(SERVICE.sign(message)).encode())
    assert found is None or json.loads(data)["no"] == found
    assert time.thread_time() - begun < SECONDS


def _parse(blob: bytes) -> int | None:
    try:
        return parse_metadata(blob, [SERVICE.root.certificate], signer=NAME, at=NOW).number
    except MetadataError:
        return None


if __name__ == "__main__":
    run(check, [BLOB, PAYLOAD])
