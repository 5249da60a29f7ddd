"""A program that tells as JSON what the package ``minidump`` sees in a file. Exit code 77: not installed."""

from __future__ import annotations

import json
import logging
import sys
from typing import Any

REGISTERS = ("Rip", "Rsp", "Rbp", "Rax", "Rbx", "Rcx", "Rdx", "Eip", "Esp", "Ebp")


def registers(context: Any) -> dict[str, int]:
    """The registers that the package knows of."""
    values = {f"reg_{name.lower()}": getattr(context, name, None) for name in REGISTERS}
    return {name: value for name, value in values.items() if isinstance(value, int)}


def describe(path: str) -> dict[str, Any]:
    """Threads, modules and memory ranges."""
    from minidump._version import __version__  # type: ignore[import-untyped, unused-ignore]
    from minidump.minidumpfile import MinidumpFile  # type: ignore[import-untyped, unused-ignore]

    file = MinidumpFile.parse(path)
    threads = [
        {
            "id": thread.ThreadId,
            "teb": thread.Teb,
            "stack": thread.Stack.StartOfMemoryRange,
            "context": thread.ThreadContext.Rva,
            "context_size": thread.ThreadContext.DataSize,
            **registers(getattr(thread, "ContextObject", None)),
        }
        for thread in (file.threads.threads if file.threads else [])
    ]
    modules = [
        {"name": module.name, "base": module.baseaddress, "size": module.size}
        for module in (file.modules.modules if file.modules else [])
    ]
    ranges = [table for table in (file.memory_segments, file.memory_segments_64) if table]
    memory = [
        {"address": part.start_virtual_address, "size": part.size, "offset": part.start_file_address}
        for table in ranges
        for part in table.memory_segments
    ]
    streams = [
        {"kind": str(entry.StreamType), "size": entry.Location.DataSize, "offset": entry.Location.Rva}
        for entry in file.directories
    ]
    return {
        "version": str(__version__).strip(),
        "streams": streams,
        "threads": threads,
        "modules": modules,
        "memory": memory,
    }


def main() -> int:
    """Describe the file named on the command line."""
    logging.disable(logging.CRITICAL)
    try:
        answer = describe(sys.argv[1])
    except ModuleNotFoundError:
        return 77
    sys.stdout.write(json.dumps(answer))
    return 0


if __name__ == "__main__":
    sys.exit(main())
