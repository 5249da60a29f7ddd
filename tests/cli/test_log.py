"""``immure log``: what it prints, and what it ends with."""

from __future__ import annotations

import io
import json
import os
import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path

import jsonschema
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from auditlog.helpers import KEY, ORIGIN, SIGNER, SoftwareSigner, make_log
from immure.auditlog import AuditLog, NoteKey
from immure.auditlog.report import read_schema
from immure.cli import main

Captured = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with ``log`` of five entries, ``older.checkpoint`` of its first three, and ``log.vkey``."""
    directory = tmp_path_factory.mktemp("original")
    log = make_log(directory / "log", 3)
    (directory / "older.checkpoint").write_bytes(log.checkpoint().note)
    log.append("key.created", {"name": "é\u202e", "number": 3})
    log.append("gate.allow", {"number": 4})
    (directory / "log.vkey").write_text(f"{KEY.to_vkey()}\n")
    return directory


@pytest.fixture
def directory(original: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of ``original`` to play with, in which the test runs."""
    shutil.copytree(original, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def alter(directory: Path) -> None:
    path = directory / "log" / "entries.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"number":1', b'"number":9'))


def immure(*arguments: str) -> int:
    return int(main.run(["log", *arguments]))


# --- verify ---


@pytest.mark.parametrize("key", ["log.vkey", KEY.to_vkey(), "pem"])
@pytest.mark.parametrize("known", [[], ["--known", "older.checkpoint"]])
def test_verify(directory: Path, capsys: Captured, key: str, known: list[str]) -> None:
    pem = Ed25519PublicKey.from_public_bytes(KEY.public_key).public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    Path("pem").write_bytes(pem)
    assert immure("verify", "log", "--key", key, *known) == 0
    out, err = capsys.readouterr()
    more = "; it continues the known checkpoint of 3" if known else ""
    assert out == f"VERIFIED  log: 5 entries of the log {ORIGIN}, signed by {KEY}{more}\n"
    assert ("without --known" in err) == (not known)
    assert immure("verify", "log", "--key", key, *known, "-q") == 0
    assert capsys.readouterr() == (out, "")


def test_verify_as_json(directory: Path, capsys: Captured) -> None:
    validator = jsonschema.Draft202012Validator(read_schema())
    arguments = ("verify", "log", "--key", "log.vkey", "--known", "older.checkpoint", "--format", "json")
    assert immure(*arguments) == 0
    report = json.loads(capsys.readouterr().out)
    validator.validate(report)
    assert (report["verified"], report["size"], report["known"], report["unfinished"]) == (True, 5, 3, 0)
    alter(directory)
    assert immure(*arguments) == 1
    out, err = capsys.readouterr()
    report = json.loads(out)
    validator.validate(report)
    assert (report["verified"], report["size"], err) == (False, None, "")
    assert report["error"]["path"] == "log/entries.jsonl"
    assert report["error"]["reason"].startswith("entry 1 of 5 is not the one")


def test_an_altered_log(directory: Path, capsys: Captured) -> None:
    alter(directory)
    words = "entry 1 of 5 is not the one that was logged: it has another hash"
    assert immure("verify", "log", "--key", "log.vkey") == 1
    out = capsys.readouterr().out
    assert out.startswith("ALTERED  log: log/entries.jsonl: at offset 0x")
    assert out.endswith(f"{words}\n")
    for command in (["show", "log"], ["checkpoint", "log"], ["prove", "log", "0"]):
        assert immure(*command) == 1
        out, err = capsys.readouterr()
        assert out == ""
        assert words in err


def test_a_wrong_key(directory: Path, capsys: Captured) -> None:
    stranger = NoteKey(ORIGIN, SoftwareSigner(2).public_key)
    assert immure("verify", "log", "--key", stranger.to_vkey()) == 1
    assert f"not signed by the key {stranger}" in capsys.readouterr().out
    other = NoteKey("logs.example/other", KEY.public_key)
    assert immure("verify", "log", "--key", other.to_vkey()) == 1
    assert "the key is that of 'logs.example/other'" in capsys.readouterr().out


def test_a_log_that_was_put_back(directory: Path, capsys: Captured) -> None:
    assert immure("checkpoint", "log", "-o", "newest.checkpoint") == 0
    os.rename("log", "moved")
    make_log(directory / "log", 3)
    assert immure("verify", "log", "--key", "log.vkey", "--known", "older.checkpoint") == 0
    assert immure("verify", "log", "--key", "log.vkey", "--known", "newest.checkpoint") == 1
    assert "the log had 5 entries once and has 3: it was put back" in capsys.readouterr().out


def test_an_unfinished_append_is_told(directory: Path, capsys: Captured) -> None:
    with (directory / "log" / "entries.jsonl").open("ab") as stream:
        stream.write(b'{"half')
    assert immure("verify", "log", "--key", "log.vkey", "--known", "older.checkpoint") == 0
    assert "note: 6 bytes of an unfinished append follow; they are not in the log" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["verify", "log"], 2, "Missing option '--key'"),
        (["verify", "log", "--key", "absent"], 2, "absent: --key: No such file"),
        (["verify", "log", "--key", "log/lock"], 2, "--key: not a public key"),
        (["verify", "log", "--key", "a+b+c"], 2, "--key: not a public key"),
        (["verify", "log", "--key", "log.vkey", "--known", "absent"], 2, "--known: No such file"),
        (["verify", "log", "--key", "log.vkey", "--known", "log.vkey"], 2, "--known: not a signed note"),
        (["verify", "log", "--key", "log.vkey", "--known", "foreign"], 2, "--known: not signed by the key"),
        (["verify", "absent", "--key", "log.vkey"], 3, "absent/checkpoint: No such file"),
        (["verify", ".", "--key", "log.vkey"], 3, "checkpoint: No such file"),
        (["show", "absent"], 3, "absent/checkpoint: No such file"),
        (["show", "log", "--since", "yesterday"], 2, "a time as"),
        (["show", "log", "--format", "xml"], 2, "is not one of"),
        (["checkpoint", "absent"], 3, "absent/checkpoint: No such file"),
        (["checkpoint", "log", "-o", "absent/file"], 2, "cannot write"),
        (["prove", "log", "5"], 2, "log: there is no entry 5: the log has 5"),
        (["prove", "log", "-1"], 2, "-1"),
        (["prove", "absent", "0"], 3, "absent/checkpoint: No such file"),
        (["check-proof", "absent", "--key", "log.vkey"], 3, "absent: No such file"),
        (["check-proof", "log.vkey", "--key", "log.vkey"], 1, "log.vkey: not a proof of the form"),
        (["check-proof", "log.vkey"], 2, "Missing option '--key'"),
        (["nonsense"], 2, "No such command"),
    ],
)
def test_exit_codes(directory: Path, capsys: Captured, arguments: list[str], code: int, words: str) -> None:
    (directory / "foreign").write_bytes(make_foreign(directory))
    assert immure(*arguments) == code
    out, err = capsys.readouterr()
    assert words in err
    assert out == ""


def make_foreign(directory: Path) -> bytes:
    from immure.auditlog.checkpoint import sign_checkpoint

    return sign_checkpoint(ORIGIN, 3, bytes(32), SoftwareSigner(2)).note


# --- show ---


@pytest.fixture(scope="module")
def turned_back(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A log of which the last two entries are from before the others, by the clock of their writer."""
    directory = tmp_path_factory.mktemp("turned-back")
    make_log(directory, 3)
    log = AuditLog.open(directory, signer=SIGNER, clock=lambda: datetime(2026, 11, 24, tzinfo=UTC))
    log.append("key.created", {"number": 3})
    log.append("gate.allow", {"number": 4})
    return str(directory)


@pytest.mark.parametrize(
    ("arguments", "numbers"),
    [
        ([], [0, 1, 2, 3, 4]),
        (["--kind", "gate"], [0, 1, 2, 4]),
        (["--kind", "gate.allow"], [1, 2, 4]),
        (["--kind", "gat"], []),
        (["--kind", "key", "--kind", "gate.deny"], [0, 3]),
        (["--since", "2026-11-25"], [0, 1, 2]),
        (["--since", "2026-11-25T00:00:03Z"], [2]),
        (["--since", "2026-11-25T01:00:03+01:00", "--kind", "gate.deny"], []),
        (["--since", "2026-11-26"], []),
    ],
)
def test_show(turned_back: str, capsys: Captured, arguments: list[str], numbers: list[int]) -> None:
    assert immure("show", turned_back, *arguments, "--format", "json", "-q") == 0
    out, err = capsys.readouterr()
    assert [json.loads(line)["body"]["number"] for line in out.splitlines()] == numbers
    assert err == ""
    assert immure("show", turned_back, *arguments) == 0
    out, err = capsys.readouterr()
    assert [int(line.split()[0]) for line in out.splitlines()] == numbers
    assert "the signature was not checked" in err


def test_what_show_prints_cannot_act_on_a_terminal(directory: Path, capsys: Captured) -> None:
    for form in ("json", "terminal"):
        assert immure("show", "log", "--kind", "key", "--format", form) == 0
        out = capsys.readouterr().out
        assert "\u202e" not in out
        assert "\\u202e" in out
    line = '3        2026-11-25T00:00:04.500000Z  key.created  {"name": "é\\u202e", "number": 3}\n'
    assert out == line


# --- checkpoints and proofs ---


def test_checkpoint(directory: Path, capsys: Captured) -> None:
    assert immure("checkpoint", "log") == 0
    assert capsys.readouterr().out.encode() == (directory / "log" / "checkpoint").read_bytes()
    assert immure("checkpoint", "log", "-o", "kept") == 0
    assert Path("kept").read_bytes() == (directory / "log" / "checkpoint").read_bytes()
    assert immure("verify", "log", "--key", "log.vkey", "--known", "kept", "-q") == 0


@pytest.mark.parametrize("stdin", [False, True])
def test_proofs(directory: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch, stdin: bool) -> None:
    assert immure("prove", "log", "3") == 0
    proof = capsys.readouterr().out
    assert proof.startswith("c2sp.org/tlog-proof@v1\n")
    Path("entry.tlog-proof").write_text(proof)

    def check(*more: str) -> int:
        if stdin:
            data = Path("entry.tlog-proof").read_bytes()
            monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
        return immure("check-proof", "-" if stdin else "entry.tlog-proof", "--key", "log.vkey", *more)

    assert check() == 0
    out, err = capsys.readouterr()
    assert out.split()[:3] == ["3", "2026-11-25T00:00:04.500000Z", "key.created"]
    assert err == f"immure: note: this is entry 3 of the log {ORIGIN}, signed when it had 5\n"
    assert check("--format", "json", "-q") == 0
    out, err = capsys.readouterr()
    assert (json.loads(out)["body"]["number"], err) == (3, "")
    Path("entry.tlog-proof").write_text(proof.replace("index 3", "index 2"))
    assert check() == 1
    assert "does not lead from entry 2 to the root" in capsys.readouterr().err


def test_a_log_signed_by_another_key_is_still_shown(tmp_path: Path, capsys: Captured) -> None:
    """Looking needs no key; whoever wants to know uses verify."""
    make_log(tmp_path / "log", 1)
    assert immure("show", str(tmp_path / "log"), "-q") == 0
    assert "gate.deny" in capsys.readouterr().out


@pytest.mark.parametrize("command", [[], ["verify"], ["show"], ["checkpoint"], ["prove"], ["check-proof"]])
def test_help_teaches(command: list[str], capsys: Captured) -> None:
    assert immure(*command, "--help") == 0
    out = capsys.readouterr().out
    assert "Exit codes:" in out
    assert "altered" in out


def test_the_signer_is_not_needed_to_read(directory: Path) -> None:
    calls = SIGNER.calls
    for arguments in (["show", "log"], ["checkpoint", "log"], ["prove", "log", "1"]):
        assert immure(*arguments) == 0
    assert SIGNER.calls == calls
