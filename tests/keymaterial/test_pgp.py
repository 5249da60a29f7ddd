"""OpenPGP keys that GnuPG made: armored, binary, and as they are met in memory."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from immure.errors import KeyFormatError
from immure.keymaterial.key import EcNumbers, OkpNumbers, RsaNumbers
from immure.keymaterial.pgp import ED25519_LEGACY, read_body, read_packets
from immure.keymaterial.private import okp_from_seed
from immure.keymaterial.structures import PrivateHit, PublicHit

from .test_structures import scan

pytestmark = pytest.mark.skipif(shutil.which("gpg") is None, reason="NOT TESTED: needs gpg (package gnupg)")

KINDS = {
    "rsa2048": RsaNumbers, "ed25519": OkpNumbers, "cv25519": OkpNumbers, "nistp256": EcNumbers,
    "nistp384": EcNumbers, "nistp521": EcNumbers,
}  # fmt: skip


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("gpg")
    path.chmod(0o700)
    yield path
    subprocess.run(["gpgconf", "--homedir", str(path), "--kill", "all"], check=False, capture_output=True)


def gpg(home: Path, *arguments: str, passphrase: str = "") -> bytes:
    command = ["gpg", "--homedir", str(home), "--batch", "--quiet", "--pinentry-mode", "loopback",
               "--passphrase", passphrase, *arguments]  # fmt: skip
    return subprocess.run(command, check=True, capture_output=True, env={**os.environ, "LC_ALL": "C"}).stdout


@pytest.fixture(scope="module")
def made(home: Path) -> dict[str, tuple[bytes, bytes, bytes]]:
    """By kind of key: armored secret key, binary secret key, binary public key; each with a subkey."""
    found = {}
    for kind in KINDS:
        name = f"{kind}@example"
        primary = "ed25519" if kind == "cv25519" else kind
        gpg(home, "--quick-gen-key", name, primary, "sign", "never")
        if not kind.startswith("rsa"):
            listed = gpg(home, "--list-keys", "--with-colons", name).decode()
            fingerprint = next(line for line in listed.splitlines() if line.startswith("fpr")).split(":")[9]
            gpg(
                home,
                "--quick-add-key",
                fingerprint,
                "cv25519" if primary == "ed25519" else kind,
                "encr",
                "never",
            )
        armored, binary = (
            gpg(home, "--armor", "--export-secret-keys", name),
            gpg(home, "--export-secret-keys", name),
        )
        found[kind] = (armored, binary, gpg(home, "--export", name))
    return found


def publics(data: bytes) -> set[object]:
    return {key.numbers for _, key in read_packets(data)}


@pytest.mark.parametrize("kind", KINDS)
def test_secret_keys_are_found_armored_and_binary(
    made: dict[str, tuple[bytes, bytes, bytes]], kind: str
) -> None:
    armored, binary, public = made[kind]
    wanted = publics(public)
    assert wanted == publics(binary)
    assert KINDS[kind] in {type(numbers) for numbers in wanted}
    noise = random.Random(kind).randbytes(500)
    escaped = armored.replace(b"\n", b"\\n")
    for text in (armored, b"x" + armored.replace(b"\n", b"\r\n") + b"y", b'{"key": "' + escaped + b'"}'):
        hits = [hit for hit in scan(noise + text + b"\0" + noise) if isinstance(hit, PrivateHit)]
        assert {hit.private.public for hit in hits if hit.encoding == "pgp-armor"} == wanted
    hits = [
        hit for hit in scan(noise + binary + noise) if isinstance(hit, PrivateHit) and hit.encoding == "pgp"
    ]
    assert {hit.private.public for hit in hits} == wanted
    starts = {len(noise) + at for at, _ in read_packets(binary)}
    assert {hit.offset for hit in hits} == starts


@pytest.mark.parametrize("kind", KINDS)
def test_public_keys_are_harvested(made: dict[str, tuple[bytes, bytes, bytes]], kind: str) -> None:
    hits = [hit for hit in scan(b"abc" + made[kind][2]) if hit.encoding == "pgp"]
    assert {hit.key_numbers for hit in hits if isinstance(hit, PublicHit)} == publics(made[kind][2])
    assert not any(isinstance(hit, PrivateHit) for hit in hits)


def test_an_encrypted_key_gives_its_public_half(home: Path) -> None:
    gpg(home, "--quick-gen-key", "locked@example", "ed25519", "sign", "never", passphrase="correct horse")
    data = gpg(home, "--export-secret-keys", "locked@example", passphrase="correct horse")
    hits = [hit for hit in scan(data) if hit.encoding == "pgp"]
    assert hits
    assert all(isinstance(hit, PublicHit) for hit in hits)


def test_a_key_of_which_a_byte_is_wrong_is_none(made: dict[str, tuple[bytes, bytes, bytes]]) -> None:
    for kind in ("ed25519", "rsa2048", "nistp256"):
        _, binary, public = made[kind]
        (at, key), *_ = read_packets(binary)
        for place in range(key.end - 40, key.end):
            broken = bytearray(binary)
            broken[place] ^= 1
            wrong = [hit for hit in scan(bytes(broken)) if isinstance(hit, PrivateHit) and hit.offset == at]
            assert not wrong, (kind, place - key.end)
        assert publics(public)


def test_a_seed_with_zeros_in_front() -> None:
    """GnuPG writes it with all its bytes; found by a test that failed one time in ten."""
    seed = bytes(2) + random.Random(9).randbytes(30)
    public = b"\x40" + okp_from_seed("Ed25519", seed).public.x
    front = b"\x04" + bytes(4) + b"\x16\x09" + ED25519_LEGACY + (263).to_bytes(2, "big") + public
    for bits, written in ((256, seed), (248, seed[1:]), (240, seed[2:])):
        secret = bits.to_bytes(2, "big") + written
        body = front + b"\0" + secret + (sum(secret) % 65536).to_bytes(2, "big")
        key = read_body(body, 0, is_secret=True)
        assert key.private is not None
        assert key.end == len(body)


@pytest.mark.parametrize(
    "data", [b"", b"\x04", b"\x99", bytes(100), b"\x04" + bytes(4) + b"\x16\x00", b"\xff" * 99]
)
def test_what_is_no_packet(data: bytes) -> None:
    with pytest.raises(KeyFormatError):
        read_body(data, 0, is_secret=True)
