"""Real processes that hold secrets, and pieces of secrets, and what a sketch finds in their memory."""

from __future__ import annotations

import base64
import os
import random
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from drill import crash
from immure.keymaterial.sketch import Sketch
from immure.keymaterial.sketch_make import sketch_of
from immure.scanning.finding import Finding, ScanReport
from immure.scanning.hmac_token import parse_token
from immure.scanning.options import ScanOptions
from immure.scanning.scanner import scan_targets

PROGRAM = """
import ctypes, hashlib, hmac, json, os, sys, time
import jwt
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
folder = sys.argv[1]
def read(name):
    with open(os.path.join(folder, name), "rb") as file:
        return file.read()
key, aes, token, password = read("key"), read("aes"), read("token").decode(), read("password").decode()
made = [jwt.encode({"sub": str(n)}, key, "HS256") for n in range(50)]
sealer = Cipher(algorithms.AES(aes), modes.CTR(bytes(16))).encryptor()
sealed = sealer.update(b"x" * 1000)
headers = json.dumps({"Authorization": "Bearer " + token, "password": password})
wide = ctypes.create_unicode_buffer(password)
room = ctypes.create_string_buffer(4096)
for place, at in enumerate(range(0, 10)):
    piece = read("piece")[at : at + 24]
    ctypes.memmove(ctypes.addressof(room) + 200 * place + place, piece, len(piece))
with open(os.path.join(folder, "made"), "w") as file:
    file.write(made[-1])
print("ready", flush=True)
time.sleep(600)
"""
CONTROL = "import jwt, time; print('ready', flush=True); time.sleep(600)"


@dataclass(frozen=True)
class Case:
    core: Path
    control: Path
    secrets: dict[str, bytes]
    token: str
    sketch: Sketch


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Case]:
    if not crash.has_debugger():
        pytest.skip("NOT TESTED: gdb is not installed")
    folder = tmp_path_factory.mktemp("sketches-real")
    alphabet = "ABCDEFGHIJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789!%/-#"
    secrets = {
        "key": os.urandom(32),
        "aes": os.urandom(32),
        "token": base64.urlsafe_b64encode(os.urandom(33)),
        "password": "".join(random.SystemRandom().choices(alphabet, k=24)).encode(),
        "piece": os.urandom(64),
    }
    for name, value in secrets.items():
        (folder / name).write_bytes(value)
    kinds = {"key": "hs256", "aes": "aes", "token": "token", "password": "password", "piece": "secret"}
    named = [(name, kinds[name], value) for name, value in secrets.items()]
    cores = []
    for name, code in (("core", PROGRAM), ("control", CONTROL)):
        target = crash.start([sys.executable, "-c", code, str(folder)], folder)
        try:
            cores.append(crash.gcore(target.pid, folder / name))
        finally:
            target.stop()
    sketch = sketch_of(named, allow_guessable=True)
    yield Case(*cores, secrets, (folder / "made").read_text(), sketch)
    for core in cores:
        core.unlink()


def search(core: Path, *sketches: Sketch, **options: object) -> ScanReport:
    chosen = ScanOptions(threads=1, harvest=False, detectors=("rsa",), sketches=sketches, **options)  # type: ignore[arg-type]
    return scan_targets([str(core)], options=chosen)


def by_name(report: ScanReport) -> dict[str, Finding]:
    return {finding.key.origin.kid or "": finding for finding in report.findings}


@pytest.mark.real
def test_every_copy_is_found(case: Case) -> None:
    """Held against a plain search for the bytes themselves."""
    found = by_name(search(case.core, case.sketch))
    assert set(found) == set(case.secrets)
    data = case.core.read_bytes()
    for name in ("key", "aes", "token"):
        expected = {match.start() for match in re.finditer(re.escape(case.secrets[name]), data)}
        whole = {one.offset for one in found[name].occurrences if one.whole}
        assert expected
        assert expected <= whole, name
    assert found["key"].occurrences[0].region


@pytest.mark.real
def test_pieces_of_24_bytes_are_found(case: Case) -> None:
    found = by_name(search(case.core, case.sketch))["piece"]
    data, piece = case.core.read_bytes(), case.secrets["piece"]
    offsets = {(one.offset, one.length) for one in found.occurrences}
    for at in range(10):
        places = [match.start() for match in re.finditer(re.escape(piece[at : at + 24]), data)]
        assert places
        for place in places:
            assert any(offset <= place and place + 24 <= offset + length for offset, length in offsets), at


@pytest.mark.real
def test_a_process_without_them_has_none(case: Case) -> None:
    assert search(case.control, case.sketch).findings == []


@pytest.mark.real
def test_other_secrets_are_not_found(case: Case) -> None:
    chance = random.Random(5)
    others = sketch_of([(str(n), "hs256", chance.randbytes(32)) for n in range(2000)])
    for core in (case.core, case.control):
        assert search(core, others).findings == []


@pytest.mark.real
def test_the_key_of_a_token_is_found(case: Case) -> None:
    report = search(case.core, token=parse_token(case.token.encode(), "made"))
    (finding,) = report.findings
    data = case.core.read_bytes()
    expected = {match.start() for match in re.finditer(re.escape(case.secrets["key"]), data)}
    assert expected <= {one.offset for one in finding.occurrences if one.whole}
    assert search(case.control, token=parse_token(case.token.encode(), "made")).findings == []
