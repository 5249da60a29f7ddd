"""gdb on real cores before and after, what it prints, and what becomes of it when it cannot be had."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from immure.dumps.dump import Image
from immure.dumps.open import open_image
from immure.dumps.readers import BytesReader
from immure.redact.prove import DebuggerPart, ProveOptions, inspect
from immure.redact.prove.readers import gdb
from immure.redact.prove.readers.coreview import CoreView, view_core
from immure.synth import CoreThread, Segment, build_elf_core

from ..material import erased, image
from .cores import RealCore, take

OPTIONS = ProveOptions(debugger_seconds=60)
has_gdb = pytest.mark.skipif(shutil.which("gdb") is None, reason="NOT TESTED: gdb is not installed")


def inspected(original: bytes, redacted: bytes, spans: list[tuple[int, int]]) -> DebuggerPart:
    """Both from memory, so that they reach gdb through files in memory."""
    return inspect(image(original), image(redacted), spans, options=OPTIONS)


@pytest.fixture(scope="module")
def view(python_core: RealCore) -> CoreView:
    with open_image(python_core.path) as opened:
        return view_core(opened.reader)


@pytest.mark.real
@has_gdb
class TestRealCore:
    """A Python process."""

    def test_the_same_core_is_the_same(self, python_core: RealCore) -> None:
        with open_image(python_core.path) as one, open_image(python_core.path) as other:
            part = inspect(one, other, [], options=OPTIONS)
        assert part.status == "ok", part.reason
        assert part.reader.startswith("GNU gdb")
        assert part.compared["threads"] == 1
        assert part.compared["frames"] > 5
        assert part.compared["registers"] > 15

    def test_damaged_notes(self, python_core: RealCore, view: CoreView) -> None:
        data = bytearray(python_core.path.read_bytes())
        start, _ = view.notes[0]
        data[start : start + 12] = bytes(12)
        part = inspected(python_core.path.read_bytes(), bytes(data), [])
        assert part.status == "failed"

    def test_a_register_that_was_changed(self, python_core: RealCore, view: CoreView) -> None:
        data = python_core.path.read_bytes()
        (registers,) = view.registers.values()
        start, _ = registers["rbx"]
        changed = bytearray(data)
        changed[start] ^= 1
        part = inspected(data, bytes(changed), [])
        assert (part.status, "register rbx differs" in part.reason) == ("failed", True), part.reason

    def test_a_register_that_was_erased(self, python_core: RealCore, view: CoreView) -> None:
        data = python_core.path.read_bytes()
        (registers,) = view.registers.values()
        spans = [(registers["r11"][0], 8)]
        part = inspected(data, erased(data, spans), spans)
        assert (part.status, part.reason) == ("ok", "")

    def test_a_stack_that_leads_nowhere(self, python_core: RealCore, view: CoreView) -> None:
        """Return addresses that are overwritten, as if they had been secrets."""
        data = python_core.path.read_bytes()
        with open_image(python_core.path) as opened:
            assert opened.process is not None
            pointer = opened.process.threads[0].stack_pointer or 0
            stack = next(
                r for r in opened.regions if r.address and r.address <= pointer < r.address + r.length
            )
        at = stack.offset + pointer - (stack.address or 0)
        spans = [(at, stack.offset + stack.length - at)]
        part = inspected(data, erased(data, spans), spans)
        assert part.status == "failed"
        assert "of the backtrace differs" in part.reason

    def test_the_executable_is_the_one_that_ran(self, view: CoreView) -> None:
        assert view.executable is not None
        assert "python" in Path(view.executable).name

    def test_too_large_for_memory(self, python_core: RealCore) -> None:
        data = python_core.path.read_bytes()
        small = ProveOptions(debugger_memory=1 << 20)
        part = inspect(image(data), image(data), [], options=small)
        assert part.status == "not done"
        assert "too many for memory" in part.reason


@pytest.mark.drill  # it builds a program in Go
@pytest.mark.real
@has_gdb
def test_a_core_with_many_threads(tmp_path: Path) -> None:
    found = take("go", tmp_path)
    with open_image(found.path) as one, open_image(found.path) as other:
        part = inspect(one, other, [], options=OPTIONS)
    assert part.status == "ok", part.reason
    assert part.compared["threads"] >= 3


CORE = build_elf_core([Segment(0x1000, bytes(64))], threads=[CoreThread(7, 0x1000, 0x1000)]).data


def test_no_gdb() -> None:
    part = inspect(image(CORE), image(CORE), [], options=ProveOptions(gdb="gdb-that-is-not-there"))
    assert (part.status, part.reason) == ("not done", "gdb-that-is-not-there is not installed")


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("exec sleep 60", "takes too long"),
        ("exec >&- 2>&-; exec sleep 60", "takes too long"),
        ("exec head -c 100000000 /dev/zero", "prints more than"),
        ("echo 'no such core' >&2; exit 1", "gdb cannot read the original: no such core"),
        ("exit 0", "it shows no thread"),
    ],
)
def test_a_debugger_that_is_none(
    script: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("immure.redact.prove.readers.external._LAST_SECONDS", 0.2)
    program = tmp_path / "gdb"
    program.write_text(f'#!/bin/sh\ncase "$*" in *--version*) echo fake; exit;; esac\n{script}\n')
    program.chmod(0o755)
    options = ProveOptions(gdb=str(program), debugger_seconds=0.4)
    part = inspect(image(CORE), image(CORE), [], options=options)
    assert part.status == "not done"
    assert reason in part.reason


def test_no_core_is_left_of_a_debugger_that_crashes(tmp_path: Path) -> None:
    program = tmp_path / "gdb"
    program.write_text(f"#!/bin/sh\nsleep 0.2; grep 'core file' /proc/self/limits >> {tmp_path}/limits\n")
    program.chmod(0o755)
    part = inspect(image(CORE), image(CORE), [], options=ProveOptions(gdb=str(program)))
    assert part.status == "not done"
    limits = {line.split()[4] for line in (tmp_path / "limits").read_text().splitlines()}
    assert limits <= {"0", "1"}


def test_not_asked_for_and_no_reader() -> None:
    part = inspect(image(CORE), image(CORE), [], options=ProveOptions(debugger=False))
    assert (part.status, part.reason) == ("not done", "not asked for")
    part = inspect(image(b"raw bytes"), image(b"raw bytes"), [], options=OPTIONS)
    assert (part.status, part.reason) == ("not done", "no other program reads images of the format raw")


ANSWER = """\
[New LWP 11]
Core was generated by `x'.
Program terminated with signal SIGABRT, Aborted.
#0  0x00007f01 in pause () at ../sysdeps/pause.c:29

Thread 2 (LWP 12):
#0  0x00007f01 in pause () at ../sysdeps/pause.c:29
#1  <signal handler called>
#2  0x0000000000401136 in std::vector<int, std::allocator<int> >::size() const (this=...) at a.cc:3
#3  0x0000000000000000 in ?? ()
Backtrace stopped: previous frame identical to this frame (corrupt stack?)

Thread 1 (Thread 0x7f34c662b340 (LWP 11)):
#0  main () at x.c:1

@registers

Thread 2 (LWP 12):
rax            0xfffffffffffffdfe  -514
rip            0x7f01              0x7f01 <pause+1>
eflags         0x202               [ IF ]
st0            <unavailable>

Thread 1 (Thread 0x7f34c662b340 (LWP 11)):
rax            0x5                 5
"""


def test_what_gdb_prints_is_read() -> None:
    seen = gdb.read_answer(ANSWER)
    assert seen.signal == "SIGABRT"
    assert seen.frames == {
        12: [
            (0x7F01, "pause"),
            (None, "<signal handler called>"),
            (0x401136, "std::vector<int, std::allocator<int> >::size() const"),
            (0, "??"),
        ],
        11: [(None, "main")],
    }
    assert seen.registers == {12: {"rax": 0xFFFFFFFFFFFFFDFE, "rip": 0x7F01, "eflags": 0x202}, 11: {"rax": 5}}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("", ""), ""),
        (("SIGABRT", "SIGSEGV"), "another signal"),
        (("(LWP 12)", "(LWP 13)"), "2 threads instead of 2, or other ones"),
        (("in pause ()", "in poll ()"), "thread 12: frame 0"),
        (("0x0000000000401136", "0x0000000000401137"), "thread 12: frame 2"),
        (("#3  0x0000000000000000", "#3  0x0000000000000bad"), ""),  # a guess, in no code
        (("#3  0x0000000000000000 in ??", "#3  0x0000000000401000 in ??"), "thread 12: frame 3"),
        (("#3  0x0000000000000000 in ?? ()\n", ""), ""),
        (("#2  ", "2"), "thread 12: frame 2"),
        (("rax            0x5", "rax            0x6"), "thread 11: register rax differs"),
        (("eflags         0x202", "eflags         ?"), "thread 12: register eflags differs"),
    ],
)
def test_differences(change: tuple[str, str], words: str) -> None:
    view = CoreView(code=[(0x7F00, 0x7FFF), (0x400000, 0x402000)])
    before = gdb.read_answer(ANSWER)
    _, difference = gdb.difference_of(before, gdb.read_answer(ANSWER.replace(*change)), view, [])
    assert (words in difference) if words else difference == ""


def test_an_executable_that_is_no_file(tmp_path: Path) -> None:
    assert gdb._usable(str(tmp_path)) is None
    assert gdb._usable("relative") is None
    assert gdb._usable("/x\0y") is None
    assert gdb._usable("/bin/sh") == "/bin/sh"


def test_images_of_unknown_formats_are_not_opened() -> None:
    odd = Image("x", "unheard-of", BytesReader(b""), ())
    assert inspect(odd, odd, [], options=OPTIONS).status == "not done"
