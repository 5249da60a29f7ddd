"""core_pattern: whose it is, and that it is put back whatever happens."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from immure.capture import pattern as patterns
from immure.capture.pattern import (
    Pattern,
    changing,
    our_pattern,
    read_pattern,
    temporarily,
    via_of_kernel,
    write_pattern,
)
from immure.errors import CaptureError

from .helpers import needs_kernel_cores, wait_until

SOCKET = Path("/run/immure/core.sock")


@pytest.mark.parametrize(
    ("text", "kind", "owner"),
    [
        ("core", "file", None),
        ("/var/crash/core.%p", "file", None),
        ("|/usr/lib/systemd/systemd-coredump %P %u %g %s %t %c %h %d", "pipe", "systemd-coredump"),
        ("|/usr/share/apport/apport -p%p -s%s", "pipe", "apport"),
        ("|", "pipe", "nobody"),
        ("|/usr/bin/immure capture handle %P %s %u %g", "pipe", "immure"),
        ("|/usr/bin/immure-like capture handle", "pipe", "immure"),
        ("|/opt/thief capture handle", "pipe", "thief"),
        ("@/run/immure/core.sock", "socket", "immure"),
        ("@@/run/immure/core.sock", "socket", "immure"),
        ("@/run/systemd/coredump", "socket", "/run/systemd/coredump"),
        ("", "file", None),
    ],
)
def test_owners(text: str, kind: str, owner: str | None) -> None:
    assert (Pattern(text).kind, Pattern(text).owner) == (kind, owner)


@pytest.mark.parametrize(
    ("release", "via"),
    [
        ("5.10.0-28-amd64", "pipe"),
        ("6.15.11", "pipe"),
        ("6.16.0-rc1", "socket"),
        ("6.17.3", "asking-socket"),
        ("7.0", "asking-socket"),
        ("strange", "pipe"),
    ],
)
def test_what_kernels_offer(release: str, via: str) -> None:
    assert via_of_kernel(release) == via


def test_our_patterns() -> None:
    program = "/usr/bin/immure"
    assert (
        our_pattern("pipe", socket=SOCKET, program=program).text == f"|{program} capture handle %P %s %u %g"
    )
    assert our_pattern("socket", socket=SOCKET, program=program).text == f"@{SOCKET}"
    assert our_pattern("asking-socket", socket=SOCKET, program=program).text == f"@@{SOCKET}"
    with pytest.raises(CaptureError, match="more than 127 bytes"):
        our_pattern("pipe", socket=SOCKET, program="/" + 120 * "x")


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A core_pattern that nobody misses."""
    for name in ("CORE_PATTERN", "PIPE_LIMIT", "LOCK"):
        monkeypatch.setattr(patterns, name, tmp_path / name)
    (tmp_path / "CORE_PATTERN").write_text("|/usr/bin/other %p\n")
    (tmp_path / "PIPE_LIMIT").write_text("4\n")
    return tmp_path


def test_put_back_after_an_error(elsewhere: Path) -> None:
    def fail() -> None:
        with temporarily(Pattern("core"), pipe_limit=9):
            assert (elsewhere / "CORE_PATTERN").read_text() == "core\n"
            assert (elsewhere / "PIPE_LIMIT").read_text() == "9\n"
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert (elsewhere / "CORE_PATTERN").read_text() == "|/usr/bin/other %p\n"
    assert (elsewhere / "PIPE_LIMIT").read_text() == "4\n"
    assert (elsewhere / "LOCK").read_text() == ""


def test_the_next_one_puts_back_what_one_that_was_killed_left(elsewhere: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from immure.capture import pattern as p\n"
        "for name in ('CORE_PATTERN', 'PIPE_LIMIT', 'LOCK'): setattr(p, name, Path(sys.argv[1]) / name)\n"
        "with p.temporarily(p.Pattern('core')): print('in', flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(elsewhere)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"in\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert (elsewhere / "CORE_PATTERN").read_text() == "core\n"
    with changing():
        assert read_pattern() == Pattern("|/usr/bin/other %p")


def test_one_at_a_time(elsewhere: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from immure.capture import pattern as p\n"
        "for name in ('CORE_PATTERN', 'PIPE_LIMIT', 'LOCK'): setattr(p, name, Path(sys.argv[1]) / name)\n"
        "print('waiting', flush=True)\n"
        "with p.temporarily(p.Pattern('second')): print('in', flush=True)"
    )
    with temporarily(Pattern("first")):
        process = subprocess.Popen([sys.executable, "-c", code, str(elsewhere)], stdout=subprocess.PIPE)
        assert process.stdout is not None
        assert process.stdout.readline() == b"waiting\n"
        wait_until(lambda: "flock" in Path(f"/proc/{process.pid}/wchan").read_text() or _waits(process.pid))
        assert (elsewhere / "CORE_PATTERN").read_text() == "first\n"
    assert process.stdout.read() == b"in\n"
    process.wait()
    process.stdout.close()


def _waits(pid: int) -> bool:
    """Whether a process sleeps, where the kernel does not tell in which call."""
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "S"


def test_errors_name_the_file(elsewhere: Path) -> None:
    (elsewhere / "CORE_PATTERN").unlink()
    with pytest.raises(CaptureError, match="CORE_PATTERN: cannot be read: No such file"):
        read_pattern()
    (elsewhere / "CORE_PATTERN").mkdir()
    with pytest.raises(CaptureError, match="CORE_PATTERN: cannot be written: Is a directory"):
        write_pattern(Pattern("core"))


class TestReal:
    pytestmark = needs_kernel_cores

    def test_the_real_one_is_put_back(self) -> None:
        with changing():
            before = read_pattern()
        with temporarily(Pattern(f"/nowhere/immure-test-{os.getpid()}")):
            assert read_pattern().text.startswith("/nowhere/immure-test-")
        with changing():
            assert read_pattern() == before
