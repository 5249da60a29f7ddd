"""Handing redacted cores on: the words of core_pattern, and programs that fail."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from immure.capture.forwarding import ProgramForwarder, expand
from immure.errors import CaptureError

from .helpers import CRASH

FULL = replace(CRASH, comm="a b; rm", executable="/opt/x y/signer", signal=11)


@pytest.mark.parametrize(
    ("pattern", "argv"),
    [
        ("|/a %P %p %i %I", ["/a", "4711", "4711", "4711", "4711"]),
        ("|/a -u%u -g%g -s%s", ["/a", "-u1000", "-g1000", "-s11"]),
        ("|/a %t", ["/a", "1795568523"]),
        ("|/a %e", ["/a", "a b; rm"]),  # one word, whatever is in it
        ("|/a %E %f", ["/a", "!opt!x y!signer", "signer"]),
        ("|/a %h %c %d", ["/a", os.uname().nodename, str(2**64 - 1), "1"]),
        ("|/a %% %Z %", ["/a", "%", "", "%"]),
        ("|  /a   b", ["/a", "b"]),
        ("|", []),
    ],
)
def test_words(pattern: str, argv: list[str]) -> None:
    assert expand(pattern, FULL) == argv


@given(st.text(alphabet="%PpuesdtE |/ax", max_size=40), st.text(max_size=20))
def test_a_crash_adds_no_words(pattern: str, comm: str) -> None:
    crash = replace(FULL, comm=comm)
    assert len(expand(pattern, crash)) == len(pattern.removeprefix("|").split())


def program(tmp_path: Path, script: str) -> str:
    path = tmp_path / "program"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return f"|{path} %P %e"


def test_the_program_gets_its_words_and_the_core(tmp_path: Path) -> None:
    pattern = program(tmp_path, f'echo "$@" > {tmp_path}/words; cat > {tmp_path}/core; env > {tmp_path}/env')
    ProgramForwarder(pattern).forward(FULL, [b"abc" * 100_000, b"def"])
    assert (tmp_path / "words").read_text() == "4711 a b; rm\n"
    assert (tmp_path / "core").read_bytes() == b"abc" * 100_000 + b"def"
    assert "HOME" not in (tmp_path / "env").read_text()


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("cat > /dev/null; exit 3", "ended with exit code 3"),
        ("exit 4", "ended with exit code 4"),  # without having read
        ("sleep 60 > /dev/null", "did not end within 1 s"),
        (None, "cannot be started"),
    ],
)
def test_programs_that_fail(tmp_path: Path, script: str | None, words: str) -> None:
    pattern = "|/nonexistent/program" if script is None else program(tmp_path, f"exec 3>&-; {script}")
    with pytest.raises(CaptureError, match=words):
        ProgramForwarder(pattern, seconds=1).forward(FULL, [bytes(100_000)] * 20)


def test_a_program_that_has_seen_enough(tmp_path: Path) -> None:
    ProgramForwarder(program(tmp_path, "head -c 10 > /dev/null; exit 0")).forward(FULL, [bytes(100_000)] * 20)


def test_an_empty_pattern(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match="cannot be started"):
        ProgramForwarder("|").forward(FULL, [])
