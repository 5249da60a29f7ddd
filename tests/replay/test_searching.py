from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization as s
from cryptography.hazmat.primitives.asymmetric import ec

from immure.replay.acts.losing import _scrub
from immure.replay.searching import digest, key_texts

PEM = ec.generate_private_key(ec.SECP256R1()).private_bytes(
    s.Encoding.PEM, s.PrivateFormat.PKCS8, s.NoEncryption()
)


@pytest.mark.parametrize("before", [0, 100, (4 << 20) - 50, (4 << 20) - len(PEM), 4 << 20, (8 << 20) - 1])
def test_a_text_is_found_once_wherever_it_stands(before: int, tmp_path: Path) -> None:
    (tmp_path / "dump").write_bytes(bytes(before) + PEM + bytes(1000))
    assert [place for place, _ in key_texts(tmp_path / "dump")] == [before]


@pytest.mark.parametrize(
    "data", [b"", os.urandom(5000), PEM[:60], b"-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----"]
)
def test_what_is_no_text_of_a_key(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "dump").write_bytes(data)
    assert key_texts(tmp_path / "dump") == []


def test_the_scrubber_takes_texts_out_and_nothing_else(tmp_path: Path) -> None:
    around = os.urandom(1000)
    (tmp_path / "dump").write_bytes(around + PEM + around)
    assert _scrub(tmp_path / "dump") == 1
    after = (tmp_path / "dump").read_bytes()
    assert len(after) == 2000 + len(PEM)
    assert after.startswith(around)
    assert after.endswith(around)
    assert b"BEGIN" not in after
    assert digest(tmp_path / "dump") == hashlib.sha256(after).hexdigest()
