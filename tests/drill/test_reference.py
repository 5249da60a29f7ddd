"""The reference search finds what is planted, wherever it stands, and its two shortcuts leave nothing out."""

from __future__ import annotations

import base64
import random
from pathlib import Path

import pytest

import reference
from drill import keys

RANDOM = random.Random(4)
#: Bytes from one planted needle to the next: several of them in a window, and all of them in several windows.
STEP = 8000


@pytest.fixture(scope="module")
def rsa() -> keys.DrillKey:
    return keys.make("rsa")


def plant(path: Path, data: bytes, offset: int, *, size: int = 700_000, sparse: bool = False) -> None:
    with path.open("wb") as file:
        file.write(b"" if sparse else RANDOM.randbytes(size))
        file.truncate(size)
        file.seek(offset)
        file.write(data)


@pytest.mark.parametrize("kind", keys.KINDS)
@pytest.mark.parametrize("sparse", [False, True])
def test_every_needle_is_found_at_every_alignment(kind: str, sparse: bool, tmp_path: Path) -> None:
    key = keys.make(kind)
    needles = reference.needles_for(key.kid, key.secrets)
    planted = {}
    with (tmp_path / "image").open("wb") as file:
        for number, needle in enumerate(needles):
            offset = number * STEP + RANDOM.randrange(STEP // 16) * 8 + number % 8
            file.seek(number * STEP)
            file.write(b"" if sparse else RANDOM.randbytes(STEP))
            file.seek(offset)
            file.write(needle.data)
            planted[needle.secret, offset] = needle.encoding
    found = {(hit.secret, hit.offset) for hit in reference.search(tmp_path / "image", {key.kid: key.secrets})}
    assert not set(planted) - found


@pytest.mark.parametrize("place", [0, reference.WINDOW - 1, reference.WINDOW, 700_000 - 128])
def test_borders_of_windows_and_files(place: int, rsa: keys.DrillKey, tmp_path: Path) -> None:
    plant(tmp_path / "image", int(rsa.secrets["p"]).to_bytes(128, "little"), place)
    hits = reference.search(tmp_path / "image", {rsa.kid: rsa.secrets})
    assert [(hit.secret, hit.encoding, hit.offset) for hit in hits] == [("p", "le64", place)]


@pytest.mark.parametrize("charset", ["ascii", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\\n"])
@pytest.mark.parametrize("place", [1000, 1001, reference.WINDOW - 300])
def test_pem_text(charset: str, line_end: str, place: int, rsa: keys.DrillKey, tmp_path: Path) -> None:
    keys.write_private(rsa, tmp_path)
    text = (tmp_path / "rsa.pem").read_text().replace("\n", line_end)
    plant(tmp_path / "image", text.encode(charset), place)
    hits = reference.search(tmp_path / "image", {rsa.kid: rsa.secrets})
    names = {hit.secret for hit in hits}
    assert {"p", "q", "dp", "dq", "qinv"} <= names
    assert names & {"d", "d_lambda"}


@pytest.mark.parametrize("phase", [0, 1, 2])
@pytest.mark.parametrize("charset", ["ascii", "utf-16-le"])
def test_base64_at_every_phase(phase: int, charset: str, tmp_path: Path) -> None:
    key = keys.make("ed25519")
    text = base64.urlsafe_b64encode(RANDOM.randbytes(30 + phase) + bytes(key.secrets["seed"]) + b"...")  # type: ignore[arg-type]
    plant(tmp_path / "image", text.decode().encode(charset), 5000 + phase)
    assert {hit.secret for hit in reference.search(tmp_path / "image", {key.kid: key.secrets})} == {"seed"}
