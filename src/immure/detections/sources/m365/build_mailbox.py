"""Describes the native module ``_mailbox`` to cffi; run when the package is built, never when it is used."""

from pathlib import Path

from cffi import FFI

HERE = Path(__file__).parent / "c"
HEADERS = ["mailbox.h", "rows.h", "record.h", "parts.h", "names.h", "values.h", "columns.h", "json.h"]

ffi = FFI()
ffi.cdef((HERE / "mailbox.h").read_text(encoding="ascii"))
ffi.set_source(
    "immure.detections.sources.m365._mailbox",
    '#include <stddef.h>\n#include <stdint.h>\n#include "mailbox.h"',
    sources=["src/immure/detections/sources/m365/c/mailbox.c"],
    include_dirs=["src/immure/detections/sources/m365/c"],
    depends=[f"src/immure/detections/sources/m365/c/{name}" for name in HEADERS],
    extra_compile_args=["-std=gnu11", "-O3", "-fno-strict-aliasing", "-Wall", "-Wextra"],
    py_limited_api=True,
)
