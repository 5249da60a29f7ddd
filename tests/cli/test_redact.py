"""``immure redact`` from outside."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.inside import immure
from docs import example_files


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("redact")
    example_files.make(directory)
    return directory


def immure_outside(directory: Path, *arguments: str) -> tuple[int, str, str]:
    """As a program of its own."""
    argv = [sys.executable, "-m", "immure", *arguments]
    done = subprocess.run(argv, cwd=directory, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    ("dump", "immure"), [("app.core", immure_outside), ("app.core.gz", immure), ("heap.hprof", immure)]
)
def test_a_dump_is_redacted_and_then_clean(
    files: Path, dump: str, immure: Callable[..., tuple[int, str, str]]
) -> None:
    code, out, err = immure(files, "redact", dump, "-o", f"out-{dump}", "--keys", "jwks.json")
    assert code == 0, err
    assert "redacted copy of" in out
    assert "2026-10" in out
    code, _, _ = immure(files, "scan", f"out-{dump}", "--keys", "jwks.json", "--fail-on", "findings")
    assert code == 0
    record = json.loads((files / f"out-{dump}.redaction.json").read_text())
    assert record["proof"]["ok"]
    assert (files / f"out-{dump}").stat().st_mode & 0o077 == 0


def test_json_is_the_record(files: Path) -> None:
    code, out, err = immure(
        files, "redact", "app.core", "-o", "j.core", "-k", "jwks.json", "--format", "json", "-q"
    )
    assert (code, err) == (0, "")
    assert json.loads(out) == json.loads((files / "j.core.redaction.json").read_text())


def test_a_secret_file_is_erased(files: Path) -> None:
    (files / "secret.txt").write_text("swordfish-7\n")
    (files / "env.raw").write_bytes(bytes(999) + b"PASS=swordfish-7\0" + bytes(999))
    code, out, _ = immure(files, "redact", "env.raw", "-o", "env.out", "--secret-file", "secret.txt")
    assert code == 0
    assert b"swordfish" not in (files / "env.out").read_bytes()
    assert "swordfish" not in out + (files / "env.out.redaction.json").read_text()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["truncated.core"], 3, "at offset"),
        (["missing.core"], 3, "cannot be opened"),
        (["app.core", "--also", "cakes"], 2, "unknown kind 'cakes'"),
        (["app.core", "--stack-only", "--keep", "heap"], 2, "contradict"),
        (["app.core", "--secret-file", "empty"], 2, "every dump"),
        (["app.core", "--secret-file", "missing"], 2, "cannot be read"),
        (["app.core", "--keys", "missing.json"], 2, "missing.json"),
        (["keys"], 3, "is a directory"),
    ],
)
def test_what_goes_wrong_is_said_and_leaves_nothing(
    files: Path, tmp_path: Path, arguments: list[str], code: int, words: str
) -> None:
    (files / "empty").write_bytes(b"\n")
    result, out, err = immure(files, "redact", "-o", str(tmp_path / "out"), *arguments)
    assert (result, out) == (code, ""), err
    assert words in err
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []
