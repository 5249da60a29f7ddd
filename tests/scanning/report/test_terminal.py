from __future__ import annotations

import io
import re

import pytest
from hypothesis import given, settings

from immure.scanning.finding import Finding, ScanReport
from immure.scanning.report.terminal import TerminalOptions, write_terminal
from immure.scanning.report.words import visible

from .samples import FOUND, NASTY, RSA, SAMPLES, big, image, occurrence, report, rsa_finding
from .strategies import reports

PLAIN = TerminalOptions(color=False, width=80)


def shown(value: ScanReport, options: TerminalOptions = PLAIN, encoding: str = "utf-8") -> str:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding, errors="backslashreplace")
    lines = write_terminal(value, stream, options)
    stream.flush()
    text = raw.getvalue().decode(encoding)
    assert lines == text.count("\n")
    return text


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("width", [40, 80, 200])
def test_lines_fit(name: str, width: int) -> None:
    text = shown(SAMPLES[name], TerminalOptions(color=False, width=width))
    if width >= 80:
        assert max(len(line) for line in text.splitlines()) <= width
    assert not re.search(r" $", text, re.MULTILINE)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("empty", ["nothing was scanned"]),
        (
            "clean",
            ["CLEAN  no private key found; all 83.0 MiB were searched", "nothing: every byte was searched"],
        ),
        (
            "found",
            ["FOUND  the private halves of 2 keys are in this image\n", '1. RSA-2048 key "prod-2021-04"'],
        ),
        ("found", ["0x205230  0x55678c1f1230  prime p", "[heap] rw-p", "… and 4 more (--all)"]),
        ("found", ["cloud cloud.example,", "valid 2021-04-05 to 2026-04-04", "a 1024-bit number divides n"]),
        ("incomplete", ["INCOMPLETE", "20.0 MiB  by ec   high-entropy run (2 ranges, first at 0x1404000)"]),
        (
            "incomplete",
            ["warning: program header 7 lies", "12.0 MiB  by any  segment 7 ends beyond the file"],
        ),
        (
            "errored",
            ["UNREADABLE  not scanned to the end", "what lies behind the place where the scan broke off"],
        ),
        ("mixed", ["Altogether: the private half of 1 key is in 1 of 5 images"]),
        ("found", ["process: signer (pid 4711, SIGABRT, 2 threads, x86_64)"]),
    ],
)
def test_says(name: str, words: list[str]) -> None:
    text = shown(SAMPLES[name])
    for part in words:
        assert part in text


def test_findings_can_be_told_without_colour() -> None:
    text = shown(FOUND)
    assert "◆ key material   ■ searched" in text
    assert re.search(r"\[heap\] .*◆.* ◆ 9", text)
    assert "\x1b" not in text


def test_plain_letters_where_the_terminal_has_no_others() -> None:
    text = shown(FOUND, encoding="ascii")
    assert "# key material   = searched" in text


def test_colour_only_when_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    assert "\x1b[" in shown(FOUND, TerminalOptions(width=80))
    assert "\x1b[" not in shown(FOUND, PLAIN)
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[" not in shown(FOUND, TerminalOptions(width=80))


def test_brief_is_one_line_for_each_image() -> None:
    text = shown(SAMPLES["mixed"], TerminalOptions(color=False, width=200, brief=True))
    verdicts = ["CLEAN", "FOUND", "INCOMPLETE", "CLEAN", "UNREADABLE"]
    assert [line.split()[0] for line in text.splitlines()] == verdicts


def test_all_shows_everything() -> None:
    value = report(image(findings=[rsa_finding(140)]))
    assert "… and 135 more (--all)" in shown(value)
    text = shown(value, TerminalOptions(color=False, width=80, show_all=True))
    assert len(re.findall(r"le64 +128 ", text)) == 105
    assert text.count("64 (part)") == 35


def test_many_keys_are_capped() -> None:
    findings = [Finding(RSA, "named", "x", [occurrence(n)]) for n in range(50)]
    text = shown(report(image(findings=findings)))
    assert "… and 30 more keys (--all)" in text


def test_clean_images_are_short_among_many() -> None:
    text = shown(report(*(image(f"{n}.core") for n in range(9))))
    assert text.count("Memory map") == 0
    assert text.count("CLEAN") == 9


@settings(deadline=None, max_examples=60)
@given(reports)
def test_nothing_foreign_acts_on_the_terminal(value: ScanReport) -> None:
    text = shown(value, TerminalOptions(color=False, width=100, show_all=True))
    for character in set(text) - {"\n"}:
        assert visible(character) == character, hex(ord(character))


@settings(deadline=None, max_examples=30)
@given(reports)
def test_colour_sequences_are_ours(value: ScanReport) -> None:
    patch = pytest.MonkeyPatch()
    with patch.context() as context:
        context.setenv("FORCE_COLOR", "1")
        context.setenv("TERM", "xterm-256color")
        context.delenv("NO_COLOR", raising=False)
        text = shown(value, TerminalOptions(width=100))
    rest = re.sub(r"\x1b\[[0-9;]*m", "", text)
    assert "\x1b" not in rest


def test_nasty_names_are_spelled_out() -> None:
    text = shown(SAMPLES["nasty"])
    assert "\\x1b[31m\\u202e" in text
    assert "[red]x[/red]" in text, "not taken for markup"
    assert NASTY not in text


def test_command_line_is_not_shown() -> None:
    assert "hunter2" not in shown(FOUND, TerminalOptions(color=False, width=80, show_all=True))


def test_big_report_is_short() -> None:
    assert len(shown(big()).splitlines()) < 60
