"""Describes the native module ``_ec`` to cffi; run when the package is built, never when it is used."""

from pathlib import Path

from cffi import FFI

HERE = Path(__file__).parent / "c"
SOURCES = ["ec.c", "ec_load.c", "ec_hash.c", "ec_filter.c", "ec_portable.c", "ec_ifma.c"]
HEADERS = ["ec.h", "ec_internal.h", "ec_reduce.h", "ec_comb.inc.h", "ec_ifma.inc.h", "ifma.h"]

ffi = FFI()
ffi.cdef((HERE / "ec.h").read_text(encoding="ascii"))
ffi.set_source(
    "immure.scanning.kernels._ec",
    '#include <stdint.h>\n#include "ec.h"',
    sources=[f"src/immure/scanning/kernels/c/{name}" for name in SOURCES],
    include_dirs=["src/immure/scanning/kernels/c"],
    depends=[f"src/immure/scanning/kernels/c/{name}" for name in HEADERS],
    extra_compile_args=[
        "-std=gnu11",
        "-O3",
        "-fno-strict-aliasing",
        "-Wall",
        "-Wextra",
        "-Wno-unused-parameter",
    ],
    py_limited_api=True,
)
