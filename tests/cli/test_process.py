"""What can only be seen from outside: pipes, signals, encodings, completion."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

HERE = Path(__file__).parent
#: The command line with the scanner of the tests.
FAKE = (
    f"import sys; sys.path.insert(0, {str(HERE.parent)!r})\n"
    "from cli import fakes; fakes.install()\n"
    "from immure.cli.main import main; main(sys.argv[1:])"
)


def start(tmp_path: Path, *arguments: str, **changes: str) -> subprocess.Popen[bytes]:
    for word in arguments:
        if word.endswith(".core"):
            (tmp_path / word).touch()
    environment = {
        name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR")
    }
    return subprocess.Popen(
        [sys.executable, "-c", FAKE, *arguments],
        cwd=tmp_path,
        env=environment | changes,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # a shell lets its background jobs, and so perhaps these tests, ignore Ctrl-C
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def finish(process: subprocess.Popen[bytes]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=60)
    return process.returncode, out.decode(), err.decode()


def test_reader_that_goes_away_does_not_change_the_exit_code(tmp_path: Path) -> None:
    process = start(tmp_path, "scan", "long-1.core", "--all")
    assert process.stdout is not None
    process.stdout.read(10)
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == b""
    assert process.wait(60) == 1
    process.stderr.close()


def test_ctrl_c_does_not_wait_for_native_code(tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text("old")
    process = start(tmp_path, "scan", "found.core", "stuck.core", "-o", "report.json")
    reached = tmp_path / "reached"
    while not reached.exists():
        assert process.poll() is None
        time.sleep(0.05)
    reached.unlink()
    process.send_signal(signal.SIGINT)
    code, out, err = finish(
        process
    )  # which waits for as long as the scanner would; and then there is a report
    assert (code, out) == (130, "")
    assert err.splitlines() == [
        "immure: interrupted; there is no report, and nothing can be concluded from what was not found",
        'immure: found so far: RSA-2048 key "prod-1" in found.core',
    ]
    assert (tmp_path / "report.json").read_text() == "old"
    assert sorted(os.listdir(tmp_path)) == ["found.core", "report.json", "stuck.core"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="NOT TESTED: there is no /dev/full")
def test_full_disk_is_no_bug_of_ours(tmp_path: Path) -> None:
    command = f"{sys.executable} -c {shlex.quote(FAKE)} scan long-1.core > /dev/full"
    (tmp_path / "long-1.core").touch()
    done = subprocess.run(["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True)
    assert done.stderr == "immure: standard output: cannot write the report: No space left on device\n"
    assert done.returncode == 2


def test_no_escape_sequences_off_a_terminal(tmp_path: Path) -> None:
    code, out, err = finish(start(tmp_path, "scan", "found.core"))
    assert (code, err) == (1, "")
    assert "\x1b" not in out


def test_terminal_without_unicode(tmp_path: Path) -> None:
    code, out, _ = finish(start(tmp_path, "scan", "found.core", PYTHONIOENCODING="ascii"))
    assert code == 1
    assert "# key material   = searched" in out


def test_html_on_standard_output_is_utf8_whatever_the_locale(tmp_path: Path) -> None:
    code, out, _ = finish(start(tmp_path, "scan", "found.core", "--format", "html", PYTHONIOENCODING="ascii"))
    assert code == 1
    assert "ELF core \u00b7 512.0 KiB" in out


def test_json_on_standard_output_is_alone_there(tmp_path: Path) -> None:
    _, out, err = finish(start(tmp_path, "scan", "found.core", "--format", "json", "--keys", "noted.json"))
    assert out.startswith("{")
    assert err == "immure: note: key 2 has no kid\n"


@pytest.mark.parametrize(("shell", "check"), [("bash", "-n"), ("zsh", "-n"), ("fish", "-n")])
def test_completion_scripts_are_scripts(tmp_path: Path, shell: str, check: str) -> None:
    code, out, _ = finish(start(tmp_path, "completion", shell))
    assert code == 0
    assert "_IMMURE_COMPLETE" in out
    script = tmp_path / "completion"
    script.write_text(out)
    if shutil.which(shell) is None:
        pytest.skip(f"NOT TESTED: {shell} is not installed")
    assert subprocess.run([shell, check, str(script)], check=False).returncode == 0


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("immure sc", "plain,scan"),
        ("immure scan --detectors rsa,e", "plain,rsa,ec"),
        ("immure scan --format h", "plain,html"),
        ("immure scan --keys jw", "file,jw"),
        ("immure scan app.c", "file,app.c"),
    ],
)
def test_completion(tmp_path: Path, words: str, expected: str) -> None:
    count = len(words.split()) - 1
    done = start(tmp_path, _IMMURE_COMPLETE="bash_complete", COMP_WORDS=words, COMP_CWORD=str(count))
    _, out, _ = finish(done)
    assert expected in out.splitlines()


def test_version() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from immure.cli.main import main; main(['--version'])"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("immure ")
