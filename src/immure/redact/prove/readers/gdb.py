"""ELF cores through gdb: the same threads, registers and backtraces before and after."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from immure.dumps.dump import Image
from immure.errors import RedactionError
from immure.redact.prove.options import ProveOptions
from immure.redact.prove.readers.coreview import CoreView, view_core
from immure.redact.prove.readers.external import Finished, both, run
from immure.redact.prove.report import DebuggerPart

#: Frames of each thread that are compared.
_FRAMES: Final = 100
#: Nothing is executed, fetched or remembered on behalf of the core. Arguments are not shown: redaction may
#: have changed them.
_SETTINGS: Final = (
    "set auto-load off", "set auto-load safe-path /nonexistent", "set debuginfod enabled off",
    "set libthread-db-search-path /nonexistent", "set history save off", "set confirm off", "set width 0",
    "set height 0", "set style enabled off", "set print frame-arguments none", "set print entry-values no",
    "set print frame-info location-and-address",
)  # fmt: skip
_THREAD: Final = re.compile(r"^Thread \d+ \((?:.*[( ])?(?:LWP|process) (\d+)\)*:$", re.MULTILINE)
_FRAME: Final = re.compile(
    r"^#(\d+) +(?:0x([0-9a-f]+) in )?(<signal handler called>|.+?(?= \())", re.MULTILINE
)
_REGISTER: Final = re.compile(r"^([a-z]\w*) +(0x[0-9a-f]+)\b", re.MULTILINE)
_SIGNAL: Final = re.compile(r"^Program terminated with signal (\w+)", re.MULTILINE)

Frame = tuple[int | None, str]


@dataclass
class Seen:
    """What gdb says of a core: by thread id its frames and registers; the signal that ended the process."""

    frames: dict[int, list[Frame]] = field(default_factory=dict)
    registers: dict[int, dict[str, int]] = field(default_factory=dict)
    signal: str | None = None


def inspect(
    original: Image,
    redacted: Image,
    descriptors: tuple[int, int],
    spans: Sequence[tuple[int, int]],
    options: ProveOptions,
) -> DebuggerPart:
    """Compare what gdb says.

    Raises:
        RedactionError: gdb is not there, or cannot open the original.
    """
    view = view_core(original.reader)
    executable = options.executable or _usable(view.executable)
    version = run([options.gdb, "-nx", "-batch", "--version"], (), options.debugger_seconds).output
    reader = version.split("\n", 1)[0].strip()[:100]
    before, after = both(lambda descriptor: ask(descriptor, executable, options), descriptors)
    seen = read_answer(before.output)
    if not seen.frames:
        words = next((line for line in before.errors.splitlines() if line.strip()), "it shows no thread")
        raise RedactionError(f"gdb cannot read the original: {words[:200]}")
    compared, difference = difference_of(seen, read_answer(after.output), view, spans)
    return DebuggerPart("failed" if difference else "ok", difference, reader, compared)


def ask(descriptor: int, executable: str | None, options: ProveOptions) -> Finished:
    """Everything that gdb says of the core behind a descriptor."""
    argv = [options.gdb, "-nx", "-batch", *(word for line in _SETTINGS for word in ("-iex", line))]
    argv += [executable] if executable else []
    argv += ["-c", f"/proc/self/fd/{descriptor}", "-ex", f"thread apply all -c bt {_FRAMES}"]
    argv += ["-ex", "echo \\n@registers\\n", "-ex", "thread apply all -c info registers"]
    return run(argv, [descriptor], options.debugger_seconds)


def _usable(path: str | None) -> str | None:
    """The path, if it leads to a file; it comes out of the core, so it may lead anywhere."""
    try:
        regular = path is not None and path.startswith("/") and stat.S_ISREG(os.stat(path).st_mode)
    except (OSError, ValueError):
        return None
    return path if regular else None


def read_answer(output: str) -> Seen:
    """Threads, frames and registers in what gdb printed."""
    frames, _, registers = output.partition("\n@registers\n")
    seen = Seen(signal=found.group(1) if (found := _SIGNAL.search(frames)) else None)
    for thread, text in _by_thread(frames):
        seen.frames[thread] = [
            (int(address, 16) if address else None, function) for _, address, function in _FRAME.findall(text)
        ]
    for thread, text in _by_thread(registers):
        seen.registers[thread] = {name: int(value, 16) for name, value in _REGISTER.findall(text)}
    return seen


def _by_thread(output: str) -> list[tuple[int, str]]:
    _, *parts = _THREAD.split(output)
    return [(int(number), text) for number, text in zip(parts[::2], parts[1::2], strict=True)]


def difference_of(
    before: Seen, after: Seen, view: CoreView, spans: Sequence[tuple[int, int]]
) -> tuple[dict[str, int], str]:
    """How much was compared, and the first difference in words (never a value); empty if there is none."""
    compared = {"threads": len(before.frames), "frames": 0, "registers": 0}
    if list(before.frames) != list(after.frames):
        return compared, f"{len(after.frames)} threads instead of {len(before.frames)}, or other ones"
    if before.signal != after.signal:
        return compared, "another signal ended the process"
    for thread, frames in before.frames.items():
        count, difference = _compare_frames(frames, after.frames[thread], view)
        compared["frames"] += count
        if difference:
            return compared, f"thread {thread}: {difference}"
        names = view.comparable(thread, spans)
        ours, theirs = before.registers.get(thread, {}), after.registers.get(thread, {})
        for name in sorted(ours) if names is None else sorted(names & set(ours)):
            compared["registers"] += 1
            if ours[name] != theirs.get(name):
                return compared, f"thread {thread}: register {name} differs"
    return compared, ""


def _compare_frames(before: list[Frame], after: list[Frame], view: CoreView) -> tuple[int, str]:
    """Frames up to the first that is none: where gdb has no more to go by, it guesses from whatever stands on
    the stack, which may be what was erased."""
    for number in range(max(len(before), len(after))):
        ours = before[number] if number < len(before) else None
        theirs = after[number] if number < len(after) else None
        if ours == theirs:
            continue
        if not (_is_real(ours, view) or _is_real(theirs, view)):
            return number, ""
        return number, f"frame {number} of the backtrace differs"
    return len(before), ""


def _is_real(frame: Frame | None, view: CoreView) -> bool:
    if frame is None:
        return False
    address, function = frame
    return function != "??" or (address is not None and view.is_code(address))
