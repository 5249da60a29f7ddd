"""Reads the fenced blocks of the documentation that can be executed, and runs them.

A console block is a session: lines that begin with ``$ `` are commands (a backslash at the end goes on). The
lines below a command are what it prints; without any it may print anything. ``…`` alone on a line stands for
any lines, within a line for any characters; several blanks count as one. Comments in front of a block tell
what to do with it:

    <!-- file: NAME -->             the block is the content of NAME in the directory of the session
    <!-- not executed: REASON -->   the block is not executed, for that reason
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
EXECUTABLE = ("console", "python")
_MARK = re.compile(r"<!-- (file|not executed): (.+?) -->")
_SEPARATOR = "\x1e"
#: Exit codes that are answers: clean, findings, incomplete. Others fail a block, unless it shows ``echo $?``.
_ANSWERS = (0, 1, 3)


@dataclass
class Command:
    """A command of a session, and the lines shown below it."""

    text: str
    output: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Block:
    """A fenced block: where it stands, its language, its text, and the comments in front of it."""

    page: str
    line: int
    language: str
    text: str
    file: str | None = None
    not_executed: str | None = None

    @property
    def name(self) -> str:
        """For the report of the tests."""
        return f"{self.page}:{self.line}"

    def commands(self) -> list[Command]:
        """The commands of a console block."""
        found: list[Command] = []
        continued = False
        for line in self.text.splitlines():
            if continued:
                found[-1].text += "\n" + line
            elif line.startswith("$ "):
                found.append(Command(line[2:]))
            elif found:
                found[-1].output.append(line)
            else:
                raise ValueError(f"{self.name}: output before the first command")
            continued = not found[-1].output and line.endswith("\\")
        return found


def pages() -> list[Path]:
    """Every page of the documentation that somebody has written."""
    written = (page for page in (ROOT / "docs").rglob("*.md") if page.parent.name != "generated")
    return [*sorted(ROOT.glob("*.md")), *sorted(written)]


def blocks(page: Path) -> Iterator[Block]:
    """The executable blocks of a page, in order."""
    lines = page.read_text(encoding="utf-8").splitlines()
    marks: dict[str, str] = {}
    at = 0
    while at < len(lines):
        line = lines[at]
        if line.startswith("```") and line != "```":
            end = lines.index("```", at + 1)
            language = line[3:].strip()
            if language in EXECUTABLE or "file" in marks:
                text = "\n".join(lines[at + 1 : end]) + "\n"
                where = str(page.relative_to(ROOT))
                yield Block(where, at + 1, language, text, marks.get("file"), marks.get("not executed"))
            at, marks = end, {}
        elif mark := _MARK.fullmatch(line):
            marks[mark[1]] = mark[2]
        elif line.strip():
            marks = {}
        at += 1


def execute(block: Block, directory: Path, programs: Path | None = None) -> None:
    """Run a block in ``directory``; AssertionError if something else happens than the page says.

    Programs are looked for in ``programs`` first.
    """
    if block.file is not None:
        (directory / block.file).write_text(block.text, encoding="utf-8")
    elif block.language == "python":
        done = _run([sys.executable, "-c", block.text], directory, programs)
        assert done.returncode == 0, f"{block.name} failed:\n{done.stdout}"
    else:
        _execute_session(block, directory, programs)


def _execute_session(block: Block, directory: Path, programs: Path | None) -> None:
    commands = block.commands()
    # after each command its exit code is printed, and put back for an `echo $?`
    script = "".join(
        f"{command.text}\nstatus=$?; printf '{_SEPARATOR}%d{_SEPARATOR}' $status; (exit $status)\n"
        for command in commands
    )
    parts = _run(["bash", "-c", script], directory, programs).stdout.split(_SEPARATOR)
    assert len(parts) == 2 * len(commands) + 1, f"{block.name} broke off:\n{''.join(parts)}"
    for number, command in enumerate(commands):
        printed, status = parts[2 * number], int(parts[2 * number + 1])
        shown = f"{block.name}: $ {command.text}\nexit code {status}, and it printed:\n{printed}"
        asked = number + 1 < len(commands) and commands[number + 1].text == "echo $?"
        assert status in _ANSWERS or asked, shown
        assert not command.output or matches(command.output, printed.splitlines()), shown


def _run(arguments: list[str], directory: Path, programs: Path | None) -> subprocess.CompletedProcess[str]:
    places = [programs or Path(sys.executable).parent, Path(sys.executable).parent, os.environ["PATH"]]
    environment = {
        **os.environ,
        "PATH": os.pathsep.join(map(str, places)),
        "COLUMNS": "100",
        "NO_COLOR": "1",
        "TERM": "dumb",
        "PYTHONIOENCODING": "utf-8",
    }
    with tempfile.TemporaryFile() as output:  # not a pipe: what runs on in the background would keep it open
        process = subprocess.Popen(
            arguments,
            cwd=directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            process.wait(timeout=120)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        output.seek(0)
        return subprocess.CompletedProcess(arguments, process.returncode, output.read().decode("utf-8"))


def matches(expected: list[str], printed: list[str]) -> bool:
    """Whether the printed lines are the expected ones; see the top of this file for ``…``."""
    if not expected:
        return not printed
    if expected[0].strip() == "…":
        return any(matches(expected[1:], printed[skip:]) for skip in range(len(printed) + 1))
    if not printed or not _line(expected[0]).fullmatch(_squeezed(printed[0])):
        return False
    return matches(expected[1:], printed[1:])


def _line(expected: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(part) for part in _squeezed(expected).split("…")))


def _squeezed(line: str) -> str:
    """Columns of a table are as wide as their longest entry, which is not what a page is about."""
    return re.sub(r" +", " ", line.rstrip())
