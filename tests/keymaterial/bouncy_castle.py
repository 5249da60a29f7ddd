"""Key stores that Bouncy Castle itself writes: all of them in one start of Java, which takes seconds."""

from __future__ import annotations

import datetime
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from . import formats

JAR = Path("/usr/share/java/bcprov.jar")
_PROGRAM = Path(__file__).with_name("BouncyStores.java")

#: A kind of KeyStore, and a password.
Store = tuple[str, str]


def write_stores(root: Path, keys: list[Any], stores: Iterable[Store]) -> dict[Store, bytes]:
    """A store of each kind and password, with these keys (of elliptic curves) in it."""
    if shutil.which("javac") is None or not JAR.exists():
        pytest.skip("NOT TESTED: needs a JDK (package default-jdk-headless) and libbcprov-java")
    files = {store: root / f"store{number}" for number, store in enumerate(stores)}
    command = [
        "java",
        "-XX:TieredStopAtLevel=1",
        "-Dorg.bouncycastle.bks.enable_v1=true",
        "-cp",
        str(JAR),
        str(_PROGRAM),
        str(len(keys)),
    ]
    for number, key in enumerate(keys):
        pair = root / f"key{number}", root / f"certificate{number}"
        pair[0].write_bytes(formats.pkcs8(key))
        pair[1].write_bytes(_self_signed(key))
        command += map(str, pair)
    for (kind, password), file in files.items():
        command += [kind, password, str(file)]
    subprocess.run(command, check=True, capture_output=True)
    return {store: file.read_bytes() for store, file in files.items()}


def _self_signed(key: Any) -> bytes:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "x")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1)
    builder = builder.not_valid_before(datetime.datetime(2026, 1, 1)).not_valid_after(
        datetime.datetime(2046, 1, 1)
    )
    return builder.sign(key, SHA256()).public_bytes(Encoding.DER)
