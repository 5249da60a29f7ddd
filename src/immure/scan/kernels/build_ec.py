"""Describes the native module ``_ec`` to cffi; run when the package is built, never when it is used."""

from pathlib import Path

from cffi import FFI

HERE = Path(__file__).parent / "c"

ffi = FFI()
ffi.cdef((HERE / "ec.h").read_text(encoding="ascii"))
ffi.set_source(
    "immure.scan.kernels._ec",
    '#include <stdint.h>\n#include "ec.h"',
    sources=["src/immure/scan/kernels/c/ec.c"],
    include_dirs=["src/immure/scan/kernels/c"],
    depends=["src/immure/scan/kernels/c/ec.h"],
    extra_compile_args=["-O3", "-fno-strict-aliasing", "-Wall", "-Wextra", "-Wno-unused-parameter"],
    py_limited_api=True,
)
