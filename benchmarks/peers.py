"""The usual tools on the same image, with a time limit: how long they take, and which of the planted keys
they found.

Used by ``scan_speed.py``. A tool has found a key if it shows a private number of it,
shows its modulus as that of a private key, or points to a place from which the number follows within an
encoded key. That is lenient: a match on a header counts.
"""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
RULES = HERE / "private_keys.yar"
#: A number of an encoded key stands within this many bytes of where the encoding begins.
REACH = 4096
ENCODED = ("der", "pem", "base64", "base64url")


@dataclass(frozen=True)
class Planted:
    """A number in the image that we know of."""

    kid: str
    encoding: str
    offset: int
    data: bytes


@dataclass(frozen=True)
class Peer:
    """A tool: how to start it, and what its output says was found."""

    name: str
    argv: Callable[[str], list[str]]
    found: Callable[[str, list[Planted], dict[str, int]], set[str]]


@dataclass(frozen=True)
class Result:
    """What a tool made of an image. ``seconds`` is None if it was not run, and then ``note`` says why."""

    peer: str
    seconds: float | None
    found: list[str]
    note: str = ""


def tool(name: str) -> str | None:
    """An executable on PATH, or installed beside this Python."""
    return shutil.which(name) or shutil.which(name, path=os.path.dirname(sys.executable))


def planted(folder: Path) -> list[Planted]:
    """The numbers in an image, read from where the truth says they are."""
    full = folder / "truth-full.json"
    if full.exists():
        rows = json.loads(full.read_text())
    else:
        triples = json.loads((folder / "truth.json").read_text())
        rows = [{"kid": "drill-rsa", "encoding": e, "offset": o, "length": 128} for _, e, o in triples]
    with (folder / "image").open("rb") as file:
        descriptor = file.fileno()
        return [
            Planted(
                row["kid"], row["encoding"], row["offset"], os.pread(descriptor, row["length"], row["offset"])
            )
            for row in rows
        ]


def moduli(folder: Path) -> dict[str, int]:
    """The moduli of the RSA keys, by kid."""
    keys = json.loads((folder / "keys.jwks").read_text())["keys"]
    return {key["kid"]: _uint(key["n"]) for key in keys if key["kty"] == "RSA"}


def _uint(text: str) -> int:
    return int.from_bytes(base64.urlsafe_b64decode(text + "=="), "big")


def _by_text(output: str, numbers: list[Planted], _moduli: dict[str, int]) -> set[str]:
    """Tools that show the text they found; JSON writes its line ends as two characters."""
    shown = re.sub(r"\\[nr]|\s", "", output).encode(errors="replace")
    texts = {
        (one.kid, re.sub(rb"\\[nr]|\s", b"", one.data)) for one in numbers if one.encoding in ENCODED[1:]
    }
    return {kid for kid, text in texts if text in shown}


def _by_offset(output: str, numbers: list[Planted], _moduli: dict[str, int]) -> set[str]:
    """Tools that show the offset of what they found."""
    places = [int(place, 16) for place in re.findall(r"^0x([0-9a-f]+):", output, re.MULTILINE)]
    encoded = [one for one in numbers if one.encoding in ENCODED]
    return {one.kid for one in encoded if any(0 <= one.offset - place < REACH for place in places)}


def _by_modulus(output: str, _numbers: list[Planted], known: dict[str, int]) -> set[str]:
    """rsakeyfind shows the numbers of a private key in hex, in groups of bytes."""
    shown = re.sub(r"[^0-9a-f]", "", output.lower())
    return {kid for kid, n in known.items() if f"{n:x}" in shown}


def _nothing(_output: str, _numbers: list[Planted], _moduli: dict[str, int]) -> set[str]:
    """aeskeyfind looks for AES keys only: none of the planted ones can be among what it finds."""
    return set()


def _by_verdict(output: str, numbers: list[Planted], _moduli: dict[str, int]) -> set[str]:
    """detect-secrets shows only hashes: if it says "private key" at all, every key in PEM counts as found."""
    return {one.kid for one in numbers if one.encoding in ENCODED[1:]} if '"Private Key"' in output else set()


def _python_tool(name: str, *arguments: str) -> Callable[[str], list[str]]:
    return lambda image: [tool(name) or name, *arguments, image]


PEERS = (
    Peer("rsakeyfind", _python_tool("rsakeyfind"), _by_modulus),
    Peer("aeskeyfind", _python_tool("aeskeyfind"), _nothing),
    Peer(  # it leaves out binary files, but not binary input
        "gitleaks",
        lambda _image: ["gitleaks", "detect", "--pipe", "--no-banner", "-r", "/dev/stdout"],
        _by_text,
    ),
    Peer("yara", lambda image: ["yara", "-p", "1", "-s", str(RULES), image], _by_offset),
    Peer(
        "kingfisher",
        _python_tool(
            "kingfisher", "scan", "--jobs", "1", "--no-validate", "--no-update-check", "--format", "json"
        ),
        _by_text,
    ),
    Peer("detect-secrets", _python_tool("detect-secrets", "scan", "--all-files"), _by_verdict),
)


def run(peer: Peer, folder: Path, limit: float) -> Result:
    """Run a tool on one image."""
    if tool(peer.name) is None:
        return Result(peer.name, None, [], "not installed")
    image = folder / "image"
    with tempfile.TemporaryFile() as output, image.open("rb") as stdin:
        begun = time.monotonic()
        try:
            argv = peer.argv(str(image))
            done = subprocess.run(
                argv, stdin=stdin, stdout=output, stderr=subprocess.DEVNULL, timeout=limit, check=False
            )
            note = "" if done.returncode in (0, 1, 200, 205) else f"exit code {done.returncode}"
        except subprocess.TimeoutExpired:
            note = f"not done after {limit:.0f} s"
        seconds = time.monotonic() - begun
        output.seek(0)
        text = output.read().decode(errors="replace")
    found = peer.found(text, planted(folder), moduli(folder))
    return Result(peer.name, seconds, sorted(found), note)
