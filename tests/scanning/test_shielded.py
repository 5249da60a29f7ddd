"""Shielded keys of OpenSSH: in built images, and in the core of a real agent."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import struct
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from immure.dumps.dump import Process
from immure.dumps.elfcore import parse_elf_core
from immure.dumps.limits import Limits
from immure.dumps.open import open_image
from immure.dumps.readers import BytesReader
from immure.errors import KeyFormatError
from immure.keymaterial.key import Origin, PublicKey
from immure.keymaterial.private import okp_from_seed
from immure.keymaterial.shielded import PREKEY_BYTES, unshield
from immure.scanning.finding import Finding
from immure.scanning.options import Mode, ScanOptions
from immure.scanning.scanner import scan_image
from immure.scanning.shielded import find_shielded, shielded_hits
from immure.synth.elf import Segment, build_elf_core

needs_agent = pytest.mark.skipif(
    not all(map(shutil.which, ("ssh-agent", "ssh-add", "ssh-keygen", "gdb"))) or os.geteuid() != 0,
    reason="NOT TESTED: needs openssh-client, gdb and the permission to read another process",
)
SEED = bytes(range(32))
HEAP = 0x55_0000_0000


def record() -> bytes:
    public = okp_from_seed("Ed25519", SEED).public.x
    fields = (b"ssh-ed25519", public, SEED + public)
    return b"".join(struct.pack(">I", len(field)) + field for field in fields)


def shielded(prekey: bytes, plain: bytes) -> bytes:
    plain += bytes(range(1, 1 + -len(plain) % 16))
    secret = hashlib.sha512(prekey).digest()
    encryptor = Cipher(algorithms.AES(secret[:32]), modes.CTR(secret[32:48])).encryptor()
    return encryptor.update(plain) + encryptor.finalize()


def core(pointer: int = 0x1000, length: int | None = None) -> bytes:
    """A heap with a record at 0x40, a shielded key at 0x1000 and its prekey at 0x8000."""
    prekey = os.urandom(PREKEY_BYTES)
    sealed, heap = shielded(prekey, record()), bytearray(0x10000)
    words = (HEAP + pointer, len(sealed) if length is None else length, HEAP + 0x8000, PREKEY_BYTES)
    heap[0x40:0x60] = struct.pack("<4Q", *words)
    heap[0x1000 : 0x1000 + len(sealed)] = sealed
    heap[0x8000 : 0x8000 + PREKEY_BYTES] = prekey
    return build_elf_core([Segment(HEAP, bytes(heap))]).data


def found(data: bytes) -> list[object]:
    image = parse_elf_core("core", BytesReader(data), Limits())
    return [hit.private.public for hit in find_shielded(image)]


def test_a_planted_key_is_found() -> None:
    assert found(core()) == [okp_from_seed("Ed25519", SEED).public]


@pytest.mark.parametrize(
    ("pointer", "length"),
    [
        (0x1001, None),
        (0x20000, None),
        (0x1000, 0),
        (0x1000, 17),
        (0x1000, 1 << 40),
        (0x1000, 16),
        (0xFFFF, 160),
    ],
)
def test_records_that_lead_nowhere(pointer: int, length: int | None) -> None:
    assert found(core(pointer, length)) == []


def test_a_wrong_prekey_and_a_wrong_end() -> None:
    prekey = os.urandom(PREKEY_BYTES)
    sealed = shielded(prekey, record())
    assert unshield(prekey, sealed).public == okp_from_seed("Ed25519", SEED).public
    for wrong in (
        (os.urandom(PREKEY_BYTES), sealed), (prekey, sealed[:-1]), (prekey, sealed[:-16]),
        (prekey, sealed[:-1] + bytes([sealed[-1] ^ 1])), (prekey[:-1], sealed), (prekey, b""),
    ):  # fmt: skip
        with pytest.raises(KeyFormatError):
            unshield(*wrong)


def test_a_scan_finds_it_too(tmp_path: Path) -> None:
    """In a core, and in parts of one."""
    data = core()
    image = parse_elf_core("core", BytesReader(data), Limits())
    report = scan_image(image, (), ScanOptions(threads=1))
    (finding,) = report.findings
    assert finding.key.numbers == okp_from_seed("Ed25519", SEED).public
    assert (finding.kind, finding.proof) == (
        "unnamed",
        "a whole private key (openssh-shielded) whose arithmetic holds",
    )
    (place,) = finding.occurrences
    assert (place.encoding, place.virtual_address, place.whole) == ("openssh-shielded", HEAP + 0x1000, True)
    assert scan_image(image, (), ScanOptions(threads=1, detectors=("ec",))).findings == []
    named = PublicKey(okp_from_seed("Ed25519", SEED).public, Origin("n", kid="host"))
    assert scan_image(image, [named], ScanOptions(threads=1)).findings[0].kind == "named"


@pytest.mark.parametrize(
    ("process", "region", "mode", "expected"),
    [
        ("sshd-session", "", "quick", 1),
        (None, "", "quick", 1),
        ("python", "", "quick", 0),
        ("python", "/usr/bin/ssh", "quick", 1),
        ("python", "", "exhaustive", 1),
    ],
)
def test_quick_mode_looks_at_programs_of_openssh(
    process: str | None, region: str, mode: Mode, expected: int
) -> None:
    image = parse_elf_core("core", BytesReader(core()), Limits())
    image.process = None if process is None else Process(name=process)
    image.regions = tuple(replace(one, name=region or one.name) for one in image.regions)
    assert len(list(shielded_hits(image, mode))) == expected


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[int]:
    """The process id of a real agent that holds three keys."""
    socket = tmp_path / "s"
    with subprocess.Popen(["ssh-agent", "-D", "-a", str(socket)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            process.stdout.readline()
            environment = {**os.environ, "SSH_AUTH_SOCK": str(socket)}
            for kind in ("ed25519", "rsa", "ecdsa"):
                path = tmp_path / kind
                subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-f", str(path)], check=True)
                subprocess.run(["ssh-add", "-q", str(path)], env=environment, check=True)
            yield process.pid
        finally:
            process.send_signal(signal.SIGTERM)


def kinds(target: str | Path) -> set[str]:
    with open_image(target) as image:
        return {type(hit.private).__name__ for hit in find_shielded(image)}


ALL = {"OkpPrivate", "RsaPrivate", "EcPrivate"}


@needs_agent
@pytest.mark.real
def test_a_running_agent(agent: int) -> None:
    assert kinds(f"pid:{agent}") == ALL


@needs_agent
@pytest.mark.real
def test_the_core_of_an_agent(agent: int, tmp_path: Path) -> None:
    """OpenSSH 10 keeps the prekey out of cores by MADV_DONTDUMP; older ones do not. So what is said not to be
    dumped is dumped here."""
    core = tmp_path / "core"
    command = ["gdb", "-nx", "-batch", "-p", str(agent), "-ex", "set dump-excluded-mappings on"]
    subprocess.run([*command, "-ex", f"gcore {core}"], capture_output=True, check=True)
    assert kinds(core) == ALL
    with open_image(core) as image:
        report = scan_image(image, (), ScanOptions(threads=2))
    found = [finding for finding in report.findings if _is_shielded(finding)]
    assert {finding.key.kty for finding in found} == {"RSA", "EC", "OKP"}


def _is_shielded(finding: Finding) -> bool:
    return any(one.encoding == "openssh-shielded" for one in finding.occurrences)
