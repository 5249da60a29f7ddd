"""Key stores with passwords that everybody knows are open; others are not."""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import PrivateFormat, pkcs12

from immure.keymaterial.keystores import COMMON_PASSWORDS
from immure.keymaterial.structures import PrivateHit

from . import formats, keys
from .test_structures import public, scan

needs_keytool = pytest.mark.skipif(
    shutil.which("keytool") is None, reason="NOT TESTED: needs keytool (package default-jre-headless)"
)


@pytest.mark.parametrize("password", COMMON_PASSWORDS)
def test_jks(password: str) -> None:
    key = keys.key("RSA-1024")
    hits = [hit for hit in scan(b"abc" + formats.jks(key, password)) if hit.encoding == "jks"]
    assert [public(hit) for hit in hits] == [keys.numbers(key)]


@pytest.mark.parametrize("password", ["Changeit", "changeit ", "correct horse battery", "x"])
def test_other_passwords_are_not_guessed(password: str) -> None:
    assert scan(formats.jks(keys.key("RSA-1024"), password)) == []


@pytest.mark.parametrize("rounds", [1, 2048, 10_000])
def test_pkcs12(rounds: int) -> None:
    key = keys.key("P-256")
    for password, opens in (("changeit", True), ("correct horse", False)):
        how = PrivateFormat.PKCS12.encryption_builder().kdf_rounds(rounds).build(password.encode())
        made = pkcs12.serialize_key_and_certificates(None, key, None, None, how)
        began = time.process_time()
        hits = [hit for hit in scan(made) if isinstance(hit, PrivateHit)]
        assert time.process_time() - began < 2
        assert [public(hit) for hit in hits] == [keys.numbers(key)] * opens


@needs_keytool
@pytest.mark.parametrize(
    ("kind", "password", "opens"),
    [("JKS", "android", True), ("PKCS12", "android", True), ("PKCS12", "a8Kd-2ls9", False)],
)
def test_stores_that_keytool_made(tmp_path: Path, kind: str, password: str, opens: bool) -> None:
    store = tmp_path / "store"
    command = [
        "keytool", "-genkeypair", "-alias", "a", "-keyalg", "RSA", "-keysize", "2048", "-dname", "CN=x",
        "-storetype", kind, "-keystore", str(store), "-storepass", password, "-keypass", password,
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)
    hits = [hit for hit in scan(store.read_bytes()) if isinstance(hit, PrivateHit)]
    assert len(hits) == opens
