"""Other people's programs open both images, and must see the same.

ELF cores: gdb. Minidumps: the Python package ``minidump``. HPROF: the heap library of VisualVM. None of them
has to be installed; what is not there is said. The programs run on their own, with bounds on time and output,
without the user's settings, and without a core of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from immure.dumps.dump import Image
from immure.errors import RedactionError
from immure.redact.prove.options import ProveOptions
from immure.redact.prove.readers import gdb, heaps, minidumps
from immure.redact.prove.readers.handing import handed
from immure.redact.prove.report import DebuggerPart

Inspection = Callable[[Image, Image, tuple[int, int], Sequence[tuple[int, int]], ProveOptions], DebuggerPart]

_BY_FORMAT: Final[dict[str, Inspection]] = {
    "elf-core": gdb.inspect,
    "minidump": minidumps.inspect,
    "hprof": heaps.inspect,
}


def inspect_by_format(
    original: Image, redacted: Image, spans: Sequence[tuple[int, int]], options: ProveOptions
) -> DebuggerPart:
    """Have both images opened by the program for their format."""
    if not options.debugger:
        return DebuggerPart("not done", "not asked for")
    inspection = _BY_FORMAT.get(original.format)
    if inspection is None:
        return DebuggerPart("not done", f"no other program reads images of the format {original.format}")
    try:
        with (
            handed(original.reader, options.debugger_memory) as before,
            handed(redacted.reader, options.debugger_memory) as after,
        ):
            return inspection(original, redacted, (before, after), spans, options)
    except RedactionError as error:
        return DebuggerPart("not done", error.reason)
