"""Java heap dumps through VisualVM's heap library: the same classes, instances and roots before and after."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from immure.dumps.dump import Image
from immure.errors import RedactionError
from immure.redact.prove.options import ProveOptions
from immure.redact.prove.readers.external import both, run
from immure.redact.prove.report import DebuggerPart

_PROGRAM: Final = Path(__file__).with_name("HeapWalk.java")
_LIBRARY: Final = "org-graalvm-visualvm-lib-jfluid-heap.jar"
#: Where Debian's package ``visualvm`` puts it.
_PLACES: Final = ("/usr/share/visualvm/visualvm/modules", "/usr/lib/visualvm/visualvm/modules")


def inspect(
    original: Image,
    redacted: Image,
    descriptors: tuple[int, int],
    spans: Sequence[tuple[int, int]],
    options: ProveOptions,
) -> DebuggerPart:
    """Compare what the library says.

    Raises:
        RedactionError: Java or the library is not there, or it cannot open the original.
    """
    library = find_library(options)
    before, after = both(lambda descriptor: _ask(descriptor, library, options), descriptors)
    if isinstance(before, str):
        raise RedactionError(f"VisualVM's heap library cannot read the original: {before}")
    totals = dict(line.split(" ", 1) for line in before[:4])
    compared = {name: int(value) for name, value in totals.items()}
    reader = "VisualVM heap library"
    if isinstance(after, str):
        return DebuggerPart("failed", f"cannot be read any more: {after}", reader, compared)
    if before[:4] != after[:4]:
        return DebuggerPart("failed", "other numbers of instances, classes or roots", reader, compared)
    same = before == after
    return DebuggerPart("ok" if same else "failed", "" if same else "other classes", reader, compared)


def find_library(options: ProveOptions) -> str:
    """The library's file.

    Raises:
        RedactionError: there is none.
    """
    places = [options.heap_library] if options.heap_library else [f"{place}/{_LIBRARY}" for place in _PLACES]
    for place in places:
        if place and Path(place).is_file():
            return place
    raise RedactionError("VisualVM, whose library reads heap dumps, is not installed")


def _ask(descriptor: int, library: str, options: ProveOptions) -> list[str] | str:
    """The lines that the program prints, or why it prints none."""
    with tempfile.TemporaryDirectory(prefix="immure-heap-") as scratch:  # for its index: offsets and ids only
        argv = [options.java, f"-Djava.io.tmpdir={scratch}", "-XX:-UsePerfData", "-XX:-CreateCoredumpOnCrash"]
        argv += ["-cp", library, str(_PROGRAM), f"/proc/self/fd/{descriptor}"]
        finished = run(argv, [descriptor], options.debugger_seconds, directory=scratch)
    lines = finished.output.splitlines()
    if finished.code or len(lines) < 4 or not lines[0].startswith("instances "):
        complaints = finished.errors.strip().splitlines()
        return (complaints[0] if complaints else f"exit code {finished.code}")[:200]
    return lines
