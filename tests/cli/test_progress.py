from __future__ import annotations

import io

import pytest

from immure.cli.progress import Bar, Lines, Quiet, reporter


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_lines_now_and_then() -> None:
    stream, clock = io.StringIO(), Clock()
    lines = Lines(stream, clock)
    lines.start("evil\x1b[2J.core", 100 << 20)
    lines.phase("search")
    for _ in range(40):
        clock.now += 1
        lines.advance(1 << 20)
    lines.finish("evil.core")
    assert stream.getvalue().splitlines() == [
        "immure: searching evil\\x1b[2J.core: 15.0 MiB of 100.0 MiB (15 %), 85 s left, 1.0 MiB/s",
        "immure: searching evil\\x1b[2J.core: 30.0 MiB of 100.0 MiB (30 %), 70 s left, 1.0 MiB/s",
    ]


def test_lines_without_a_size() -> None:
    stream, clock = io.StringIO(), Clock()
    lines = Lines(stream, clock)
    lines.start("-", None)
    clock.now += 20
    lines.advance(40 << 20)
    assert stream.getvalue() == "immure: reading -: 40.0 MiB, 2.0 MiB/s\n"


def test_short_work_says_nothing() -> None:
    stream = io.StringIO()
    with reporter(stream) as progress:
        assert isinstance(progress, Lines)
        progress.start("a", 10)
        progress.phase("survey")
        progress.advance(10)
        progress.found("found: a key")
        progress.finish("a")
    assert stream.getvalue() == ""


def test_bar_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    stream = Terminal()
    with reporter(stream) as progress:
        assert isinstance(progress, Bar)
        progress.start("evil\x1b]0;title\x07.core", 100)
        for phase in ("survey", "search", "sweep"):
            progress.phase(phase)
            progress.advance(50)
        progress.found("found: [red]\u202ekey")
        progress.finish("a")
    text = stream.getvalue()
    assert "found: [red]\\u202ekey" in text
    assert "sweeping evil\\x1b]0;title\\x07.core" in text
    assert "\x1b]0;" not in text


def test_quiet() -> None:
    stream = Terminal()
    with reporter(stream, quiet=True) as progress:
        assert isinstance(progress, Quiet)
        progress.start("a", 1)
        progress.found("x")
    assert stream.getvalue() == ""
