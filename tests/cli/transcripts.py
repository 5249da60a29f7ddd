"""Shell transcripts as tests.

A transcript is a text: ``# remarks``, ``$ commands``, and below each command what it prints, standard output
and standard error together. ``…`` in a line stands for anything, ``…`` alone for any lines. A last line
``[exit N]`` is the exit code, if it is not 0. Commands are ``immure …`` and ``cat FILE``; ``NAME=value`` may
stand before them.
"""

from __future__ import annotations

import io
import os
import re
import shlex
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

from immure.cli.main import run


@dataclass
class Step:
    """A command and what it should print."""

    command: str
    number: int
    expected: list[str] = field(default_factory=list)


def parse(text: str) -> Iterator[Step]:
    """The steps of a transcript."""
    step: Step | None = None
    for number, line in enumerate(text.splitlines(), start=1):
        if line.startswith("$ "):
            if step is not None:
                yield step
            step = Step(line[2:], number)
        elif step is not None and not line.startswith("# "):
            step.expected.append(line)
    if step is not None:
        yield step


def execute(command: str) -> list[str]:
    """Run a command in this process; the lines that it prints."""
    words = shlex.split(command)
    environment = {}
    while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
        name, _, environment[name] = words.pop(0).partition("=")
    if words[0] == "cat":
        return Path(words[1]).read_text(encoding="utf-8").splitlines()
    assert words[0] == "immure", f"transcripts run nothing but immure: {command}"
    screen = io.StringIO()
    with patch.dict(os.environ, environment), redirect_stdout(screen), redirect_stderr(screen):
        code = run(words[1:])
    lines = screen.getvalue().splitlines()
    return [*lines, f"[exit {int(code)}]"] if code else lines


def matches(expected: list[str], printed: list[str]) -> bool:
    """Whether what was printed is what was expected; blank lines at the end do not count."""
    pattern = []
    for line in "\n".join(expected).rstrip().split("\n"):
        if line == "…":
            pattern.append(r"(?:.*\n)*?")
        else:
            pattern.append(".*?".join(re.escape(part) for part in line.split("…")) + r"\n")
    text = "\n".join(printed).rstrip() + "\n"
    return re.fullmatch("".join(pattern), text) is not None
