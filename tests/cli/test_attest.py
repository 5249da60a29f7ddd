"""``immure attest`` as a program: keys, signing, verifying, showing, and their exit codes."""

from __future__ import annotations

import io
import json
import os
import stat
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import patch

import pytest

from attest.samples import BYTES, DIGEST, full
from custody import keys, softhsm
from immure.attest.clearance import CLEARANCE_V1
from immure.cli.main import run

ROOT = Path(__file__).parents[2]


@dataclass
class Ran:
    """What a command printed."""

    stdout: str
    stderr: str


def immure(*arguments: str | Path, code: int = 0) -> Ran:
    """Run ``immure attest`` in this process; the exit code must be ``code``."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err), patch("sys.stdin", None):
        returned = run(["attest", *map(str, arguments)])
    assert returned == code, (returned, out.getvalue(), err.getvalue())
    assert "Traceback" not in err.getvalue()
    return Ran(out.getvalue(), err.getvalue())


def program(*arguments: str | Path, code: int = 0, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run ``immure attest`` as a program."""
    done = subprocess.run(
        [sys.executable, "-m", "immure", "attest", *map(str, arguments)],
        env={name: value for name, value in os.environ.items() if name != "IMMURE_PIN"} | variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    assert "Traceback" not in done.stderr
    return done


def moment(**distance: float) -> str:
    return (datetime.now(UTC) + timedelta(**distance)).strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with a dump, its clearance, two keys and an envelope."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("IMMURE_PIN", raising=False)
    (tmp_path / "app.core").write_bytes(BYTES)
    clearance = full() | {"issued": moment(minutes=-1), "expires": moment(days=1)}
    (tmp_path / "clearance.json").write_text(json.dumps(clearance))
    for name, kind in (("a", "Ed25519"), ("b", "P-256")):
        keys.write_key(tmp_path / f"{name}.key", keys.private_bytes(kind))
        (tmp_path / f"{name}.pub").write_bytes(keys.public_pem(kind))
    return tmp_path


def sign(*more: str | Path, document: str = "clearance.json", output: str = "out.json", code: int = 0) -> Ran:
    return immure("sign", document, "--subject", "app.core", "-o", output, *more, code=code)


def verify(*more: str, trust: str = "a.pub", code: int = 0) -> Ran:
    return immure("verify", "out.json", "--subject", "app.core", "--trust", trust, *more, code=code)


SIGN = ("sign", "clearance.json", "--subject", "app.core", "-o", "out.json", "--key")
VERIFY = ("verify", "out.json", "--subject", "app.core", "--trust")


def test_from_new_key_to_verified_dump(place):
    made = program("keygen", "new.key")
    assert stat.S_IMODE((place / "new.key").stat().st_mode) == 0o600
    thumbprint = json.loads((place / "new.key.pub").read_text())["kid"]
    assert thumbprint in made.stdout
    assert "for trials" in made.stderr
    done = program(*SIGN, "file:new.key")
    assert done.stdout == ""
    assert "for trials" in done.stderr
    assert f"signed by {thumbprint} (EdDSA)" in done.stderr
    good = program(*VERIFY, "new.key.pub")
    assert good.stdout.startswith("VALID  app.core: cleared until 20")
    assert good.stdout.endswith(f"signed by {thumbprint}\n")
    answer = json.loads(verify("--format", "json", trust="new.key.pub").stdout)
    assert answer["valid"] is True
    assert answer["subject"] == {"name": "app.core", "sha256": DIGEST.sha256}
    assert answer["signers"] == [thumbprint]
    (place / "app.core").write_bytes(BYTES + b"\n")
    bad = program(*VERIFY, "new.key.pub", code=1)
    assert bad.stdout.startswith("NOT VALID  out.json: the statement is about other bytes")


def test_one_changed_byte(place):
    sign("--key", "file:a.key")
    data = bytearray(BYTES)
    data[-1] ^= 1
    (place / "app.core").write_bytes(data)
    bad = verify(code=1)
    assert bad.stdout.startswith("NOT VALID  out.json: the statement is about other bytes")
    answer = json.loads(verify("-f", "json", code=1).stdout)
    assert answer["valid"] is False
    assert answer["reason"].startswith("the statement is about other bytes")


def test_another_key_and_a_threshold(place):
    sign("--key", "file:a.key", "-q")
    assert "not signed by a trusted key" in verify(trust="b.pub", code=1).stdout
    sign("--key", "file:b.key", "-q", document="out.json")
    verify("--trust", "b.pub", "--threshold", "2")
    assert "signed by too few trusted keys: 1 of 2" in verify("--threshold", "2", code=1).stdout
    again = sign("--key", "file:b.key", "-q", document="out.json", code=1)
    assert "has signed it already" in again.stderr
    sign("--key", "file:a.key", "--key", "file:b.key", output="both.json")
    assert json.loads((place / "both.json").read_text())["payload"]


def test_quiet_is_quiet(place):
    assert immure("keygen", "q.key", "-q").stderr == ""
    assert sign("--key", "file:a.key", "-q").stderr == ""
    assert verify("-q").stderr == ""


def test_a_statement_is_signed_as_it_is(place):
    clearance = json.loads((place / "clearance.json").read_text())
    subject = [{"name": "as given", "digest": {"sha256": DIGEST.sha256}}]
    statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": subject,
        "predicateType": CLEARANCE_V1,
        "predicate": clearance,
    }
    (place / "statement.json").write_text(json.dumps(statement))
    sign("--key", "file:a.key", document="statement.json")
    shown = json.loads(immure("show", "out.json", "-f", "json").stdout)
    assert shown["statement"] == statement


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"expires": moment(days=-1), "issued": moment(days=-2)}, "the clearance has expired"),
        ({"issued": moment(hours=1)}, "the clearance is not valid yet"),
        ({"more": 1}, "malformed predicate: more is not a known member"),
        ({"dump": {"format": "x", "codec": None, "size": 1}}, "the statement is about other bytes"),
        (
            {"decision": {"policy": "0" * 64, "allowed": False, "rules": []}},
            "the statement does not clear the dump: the policy",
        ),
        ({"_type": "x"}, "not an in-toto Statement of version 1"),
        ({"payload": "x"}, "not base64: payload"),
    ],
)
def test_what_is_not_signed(place, changes, words):
    document = json.loads((place / "clearance.json").read_text()) | changes
    (place / "clearance.json").write_text(json.dumps(document))
    refused = sign("--key", "file:a.key", code=1)
    assert f"immure: not signed: clearance.json: {words}" in refused.stderr
    assert not (place / "out.json").exists()


def test_show_says_loudly_that_nothing_is_verified(place):
    sign("--key", "file:a.key", "--name", "evil \x1b[31m name")
    shown = immure("show", "out.json").stdout.splitlines()
    assert shown[0].startswith("NOT VERIFIED  no --trust was given; anybody may have written this")
    assert shown[2] == "Subject       evil \\x1b[31m name"
    assert any(line.startswith("Decision      may leave") for line in shown)
    shown = immure("show", "out.json", "--trust", "b.pub", code=1).stdout.splitlines()
    assert shown[0].startswith("NOT VERIFIED  not signed by a trusted key; anybody may have written this")
    shown = immure("show", "out.json", "--trust", "a.pub").stdout.splitlines()
    assert shown[0].startswith("VERIFIED      signed by ")
    answer = json.loads(immure("show", "out.json", "--format", "json").stdout)
    assert (answer["valid"], answer["reason"]) == (False, "no --trust was given")
    answer = json.loads(immure("show", "out.json", "--format", "json", "--trust", "a.pub").stdout)
    assert (answer["valid"], answer["statement"]["predicateType"]) == (True, CLEARANCE_V1)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["verify", "none", "--subject", "app.core", "--trust", "a.pub"], 3, "none: No such file"),
        (["verify", ".", "--subject", "app.core", "--trust", "a.pub"], 2, "is a directory"),
        (["verify", "a.pub", "--subject", "none", "--trust", "a.pub"], 3, "none: No such file"),
        (["verify", "a.pub", "--subject", "app.core", "--trust", "none"], 2, "none: No such file"),
        (["verify", "a.pub", "--subject", "app.core", "--trust", "app.core"], 2, "holds no public key"),
        (["verify", "a.pub", "--subject", "app.core"], 2, "Missing option '--trust'"),
        (["verify", "a.pub", "--trust", "a.pub"], 2, "Missing option '--subject'"),
        (
            ["verify", "a.pub", "--subject", "app.core", "--trust", "a.pub", "--threshold", "0"],
            2,
            "--threshold",
        ),
        (
            ["verify", "a.pub", "--subject", "app.core", "--trust", "a.pub"],
            1,
            "NOT VALID  a.pub: not valid JSON",
        ),
        (["show", "none"], 3, "none: No such file"),
        (["show", "clearance.json"], 1, "clearance.json: not a DSSE envelope"),
        (["sign", "none", "--subject", "app.core", "--key", "file:a.key"], 3, "none: No such file"),
        (["sign", "clearance.json", "--subject", "none", "--key", "file:a.key"], 3, "none: No such file"),
        (["sign", "clearance.json", "--subject", "app.core"], 2, "Missing option '--key'"),
        (["sign", "clearance.json", "--subject", "app.core", "--key", "a.key"], 3, "key URIs begin with"),
        (
            ["sign", "clearance.json", "--subject", "app.core", "--key", "file:a.pub"],
            3,
            "others have permissions",
        ),
        (["sign", "clearance.json", "--subject", "app.core", "--key", "file:a.key", "-o", "no/x"], 2, "no/x"),
        (["keygen", "a.key"], 3, "a.key: is there already; a key is never overwritten"),
        (["keygen", "no/new.key"], 3, "No such file or directory"),
        (["keygen", "new.key", "--algorithm", "HS256"], 2, "HS256"),
        (
            ["keygen", "new.key", "--encrypt"],
            2,
            "--encrypt needs a terminal, or a password in the variable IMMURE_PIN",
        ),
        (
            ["public", "--key", "pkcs11:object=a;pin-value=4711?module-name=x"],
            3,
            "a PIN in a URI is seen by others",
        ),
    ],
)
def test_exit_codes(place, arguments, code, words):
    ran = immure(*arguments, code=code)
    assert words in ran.stderr + ran.stdout
    assert "4711" not in ran.stderr + ran.stdout


def test_help_teaches(place):
    for command in ((), ("sign",), ("verify",), ("show",), ("keygen",), ("public",)):
        text = immure(*command, "--help").stdout
        assert "Examples:" in text
        assert "Exit codes:" in text or not command


def test_an_encrypted_key(place, monkeypatch):
    monkeypatch.setenv("IMMURE_PIN", "word")
    immure("keygen", "new.key", "--encrypt")
    sign("--key", "file:new.key")
    verify(trust="new.key.pub")
    monkeypatch.delenv("IMMURE_PIN")
    refused = sign("--key", "file:new.key", code=3)
    assert "new.key: is encrypted, and there is no password" in refused.stderr
    keys.write_key(place / "pin", b"word\n")
    sign("--key", "file:new.key?pin-source=pin")


@pytest.mark.parametrize("algorithm", ["ES256", "RS256"])
def test_public_halves(place, algorithm):
    made = immure("keygen", "new.key", "--algorithm", algorithm)
    uri = next(line for line in made.stdout.splitlines() if line.startswith("key URI")).split()[-1]
    immure("public", "--key", uri, "-o", "new.jwk", "-q")
    assert (place / "new.jwk").read_text() == (place / "new.key.pub").read_text()
    (place / "new.pem").write_text(immure("public", "--key", uri, "--format", "pem").stdout)
    sign("--key", uri)
    verify(trust="new.jwk")
    trusted = verify(trust="new.pem", code=1 if algorithm == "RS256" else 0)  # PEM: PS256 only
    assert ("does not hold" in trusted.stdout) is (algorithm == "RS256")


def test_a_key_on_a_token(place):
    reason = softhsm.missing()
    if reason is not None:
        pytest.skip(reason)
    (place / "hsm").mkdir()
    environment = {name: value for name, value in os.environ.items() if name != "SOFTHSM2_CONF"}
    maker = [sys.executable, "-m", "tests.custody.softhsm", place / "hsm"]
    subprocess.run(maker, cwd=ROOT, env=environment, check=True)
    token = softhsm.SoftHsm(softhsm.find_library() or "", place / "hsm", place / "hsm" / "softhsm2.conf")
    conf = {"SOFTHSM2_CONF": str(token.configuration)}
    for label in ("p256", "rsa"):
        program("public", "--key", token.uri(label), "-o", "token.pub", **conf, IMMURE_PIN=softhsm.PIN)
        done = program(*SIGN, token.uri(label), **conf, IMMURE_PIN=softhsm.PIN)
        assert "for trials" not in done.stderr
        verify(trust="token.pub")
    for pin, words in (("4711", "wrong PIN"), (None, "the token wants a PIN, and there is none")):
        refused = program(*SIGN, token.uri("ed"), code=3, **conf, **({"IMMURE_PIN": pin} if pin else {}))
        assert words in refused.stderr
        assert "4711" not in refused.stderr
