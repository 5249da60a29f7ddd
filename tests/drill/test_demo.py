"""The demonstration: its tools find what they can find, and it ends with both keys."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from drill.launch import PROGRAMS

EXAMPLES = PROGRAMS.parents[2] / "examples"
sys.path.insert(0, str(EXAMPLES))

import demo  # noqa: E402

KEYS = [tool for tool in demo.TOOLS if tool.wants_keys and tool.argv[0] != "detect-secrets"]


@pytest.mark.parametrize("tool", KEYS, ids=[tool.argv[0] for tool in KEYS])
def test_a_tool_that_finds_a_key_is_said_to(tool: demo.Tool, tmp_path: Path) -> None:
    if tool.program is None:
        pytest.skip(f"NOT TESTED: {tool.argv[0]} is not installed")
    n = demo.write_control(tmp_path / "control")
    assert tool.run(tmp_path / "control", n)[2]
    (tmp_path / "nothing").write_bytes(b"\n-----BEGIN RSA PRIVATE KEY-----\n" + bytes(range(256)) * 100)
    assert not tool.run(tmp_path / "nothing", n)[2]


def test_lines_of_detect_secrets_are_looked_at(tmp_path: Path) -> None:
    demo.write_control(tmp_path / "control")
    data = (tmp_path / "control").read_bytes()
    line = data[: data.index(b"-----BEGIN")].count(b"\n") + 1
    said = b'{"results": {"control": [{"type": "Private Key", "line_number": %d}]}}'
    assert demo.by_line(said % line, tmp_path / "control", 0) == ("1 hits, 1 of them a private key", True)
    assert not demo.by_line(said % (line + 1), tmp_path / "control", 0)[1]
    assert not demo.by_line(b"", tmp_path / "control", 0)[1]


@pytest.mark.real
def test_the_demonstration_finds_both_keys() -> None:
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / "demo.py")], capture_output=True, text=True, check=False, timeout=240
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Both signing keys are there" in done.stdout
    assert "So one of them found a key" not in done.stdout


@pytest.mark.real
def test_the_demonstration_without_any_way_to_a_core(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo, "ways_to_take", list)
    assert demo.main() == 0
    assert "immure scan pid:" in capfd.readouterr().out
