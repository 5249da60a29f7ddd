"""``immure sketch``, and the options that take what it makes, from outside."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from pathlib import Path

import jwt
import pytest

from cli import inside

KEY = os.urandom(32)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "api.key").write_bytes(KEY)
    memory = bytearray(64 << 10)
    memory[4099 : 4099 + 32] = KEY
    memory[9001 : 9001 + 24] = KEY[4:28]
    memory[16384 : 16384 + 32] = KEY
    (tmp_path / "app.raw").write_bytes(memory)
    (tmp_path / "clean.raw").write_bytes(bytes(64 << 10))
    return tmp_path


def immure(directory: Path, *arguments: str, given: bytes = b"") -> tuple[int, str, str]:
    return without_secrets(*inside.immure(directory, *arguments, given=given))


def immure_outside(directory: Path, *arguments: str) -> tuple[int, str, str]:
    """As a program of its own."""
    argv = [sys.executable, "-m", "immure", *arguments]
    done = subprocess.run(argv, cwd=directory, capture_output=True, text=True, check=False)
    return without_secrets(done.returncode, done.stdout, done.stderr)


def without_secrets(code: int, out: str, err: str) -> tuple[int, str, str]:
    for form in (KEY.hex(), base64.b64encode(KEY).decode(), "Traceback"):
        assert form not in out + err
    return code, out, err


def test_make_show_scan_redact(folder: Path) -> None:
    code, out, err = immure_outside(folder, "sketch", "make", "api.key", "--kind", "hs256", "-o", "s")
    assert (code, out, err) == (0, "", "immure: s is a sketch of 1 secret now\n")
    assert (folder / "s").stat().st_mode & 0o777 == 0o600
    code, out, _ = immure_outside(folder, "sketch", "show", "s")
    assert code == 0
    assert out.splitlines()[0] == "s: 1 secrets, 68 windows"
    assert "hs256" in out
    assert "api.key: raw (32 bytes), be32w (32 bytes), ipad (32 bytes), opad (32 bytes)" in out
    code, out, _ = immure_outside(folder, "scan", "app.raw", "--sketches", "s", "--no-harvest", "-f", "json")
    assert code == 1
    (finding,) = json.loads(out)["images"][0]["findings"]
    assert [(one["offset"], one["whole"]) for one in finding["occurrences"]] == [
        (4099, True), (9001, False), (16384, True),
    ]  # fmt: skip
    assert immure_outside(folder, "scan", "clean.raw", "--sketches", "s", "-q")[0] == 0
    code, out, _ = immure_outside(
        folder, "redact", "app.raw", "-o", "out.raw", "--sketches", "s", "--no-debugger"
    )
    assert code == 0
    assert "sketches  searched for 1 secrets by sketches, found 1" in out
    assert KEY[4:12] not in (folder / "out.raw").read_bytes()
    assert immure_outside(folder, "scan", "out.raw", "--sketches", "s", "-q")[0] == 0


def test_show_as_json(folder: Path) -> None:
    immure(folder, "sketch", "make", "api.key", "--name", "prod", "-o", "s", "-q")
    code, out, _ = immure(folder, "sketch", "show", "s", "-f", "json")
    assert code == 0
    (secret,) = json.loads(out)["secrets"]
    assert (secret["name"], secret["kind"], secret["guessable"]) == ("prod", "secret", False)


def test_lists_and_standard_input(folder: Path) -> None:
    token = base64.urlsafe_b64encode(os.urandom(30))
    code, _, err = immure(
        folder, "sketch", "make", "--list", "-", "--kind", "token", "-o", "s",
        given=b"# app\nA=" + token + b"\nB=" + os.urandom(16).hex().encode() + b"\n",
    )  # fmt: skip
    assert (code, err) == (0, "immure: s is a sketch of 2 secrets now\n")
    code, _, _ = immure(folder, "sketch", "make", "-", "-o", "s2", given=token + b"\n")
    assert code == 0
    (folder / "t.raw").write_bytes(bytes(99) + token + bytes(500))
    code, out, _ = immure(folder, "scan", "t.raw", "--sketches", "s", "--sketches", "s2", "-q")
    assert (code, out) == (
        1,
        "FOUND  t.raw: 2 secrets (private halves of keys, and others) are in this image\n",
    )


def test_what_may_be_guessed_is_refused(folder: Path) -> None:
    words = b"correct horse battery staple"
    code, out, err = immure(folder, "sketch", "make", "-", "--name", "pass", "-o", "s", given=words)
    assert (code, out) == (2, "")
    assert err.startswith("immure: pass: 16 bytes of it have ")
    assert "horse" not in err
    assert not (folder / "s").exists()
    code, _, err = immure(folder, "sketch", "make", "-", "--allow-guessable", "-o", "s", given=words)
    assert code == 0
    assert (
        err
        == "immure: s is a sketch of 1 secret now; secrets in it may be guessed: keep it as you keep them\n"
    )
    assert "GUESSABLE" in immure(folder, "sketch", "show", "s")[1]
    code, _, err = immure(folder, "sketch", "make", "-", "--allow-guessable", "-o", "s3", given=b"4711\n")
    assert code == 2
    assert "a secret of 4 bytes cannot be sketched" in err


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["sketch", "make", "-o", "s"], "there is nothing to sketch"),
        (["sketch", "make", "none", "-o", "s"], "none: cannot be read: No such file or directory"),
        (["sketch", "make", "api.key", "-o", "no/where"], "no/where: cannot write"),
        (["sketch", "make", "api.key", "app.raw", "--name", "n", "-o", "s"], "--name is for one file"),
        (["sketch", "make", "app.raw", "-o", "s"], "app.raw: is longer than 16384 bytes"),
        (["sketch", "make", "--list", "clean.raw", "-o", "s"], "is not NAME=VALUE"),
        (["scan", "app.raw", "--sketches", "api.key"], "api.key: is no sketch"),
        (["scan", "app.raw", "--sketches", "none"], "none: No such file"),
        (["scan", "app.raw", "--token", "api.key"], "api.key: is no token in compact form"),
        (["scan", "app.raw", "--token", "none"], "none: cannot be read"),
        (["scan", "app.raw", "--no-harvest"], "nothing to look for"),
        (["redact", "app.raw", "-o", "o", "--sketches", "api.key"], "api.key: is no sketch"),
    ],
)
def test_what_cannot_be_done(folder: Path, arguments: list[str], reason: str) -> None:
    code, out, err = immure(folder, *arguments)
    assert (code, out) == (2, "")
    assert reason in err
    assert not (folder / "s").exists()


def test_show_of_what_is_no_sketch(folder: Path) -> None:
    code, _, err = immure(folder, "sketch", "show", "api.key")
    assert (code, err) == (3, "immure: api.key: is no sketch: not JSON\n")


def test_the_key_of_a_token(folder: Path) -> None:
    token = jwt.encode({"sub": "s"}, KEY, "HS256", headers={"kid": "prod"})
    (folder / "t.jwt").write_text(token)
    code, out, _ = immure(folder, "scan", "app.raw", "--token", "t.jwt", "--no-harvest")
    assert code == 1
    assert 'all of the HS256 key "prod" is in this image' in out
    assert "the token's HS256 code holds under these 32 bytes" in out
    assert immure(folder, "scan", "clean.raw", "--token", "t.jwt", "-q")[0] == 0


def test_sketches_of_a_key_file(folder: Path) -> None:
    (folder / "pin").write_text("hunter2 and more")
    (folder / "pin").chmod(0o600)
    new = ["--pin-file", "pin"]
    assert immure(folder, "keyholder", "init", "own/k", *new)[0] == 0
    issuer = [
        "--issuer",
        "https://a.example",
        "--class",
        "consumer",
        "--audience",
        "https://b.example=consumer",
    ]
    code, _, err = immure(folder, "keyholder", "generate", "own/k", "c1", "--alg", "ES256", *issuer, *new)
    assert code == 0, err
    code, out, err = immure(folder, "keyholder", "sketches", "own/k", "keys.sketch", *new)
    assert (code, out, err) == (0, "", "immure: keys.sketch has sketches of 1 key\n")
    code, out, _ = immure(folder, "sketch", "show", "keys.sketch")
    assert "c1: be (32 bytes), le (32 bytes), be32w (32 bytes)" in out or "c1: be (31 bytes)" in out
    code, _, err = immure(folder, "keyholder", "sketches", "own/k", "keys.sketch", *new)
    assert code == 3
    assert "File exists" in err
