"""Describes the native module ``_native`` to cffi; run when the package is built, never when it is used."""

from pathlib import Path

from cffi import FFI

HERE = Path(__file__).parent / "c"
SOURCES = ["arena.c", "crypto.c", "harden.c", "keys.c", "seal.c", "sketch.c", "work.c"]
HEADERS = ["kh.h", "kh_sketch.h", "internal.h", "crypto.h"]

ffi = FFI()
ffi.cdef((HERE / "kh.h").read_text(encoding="ascii"))
ffi.cdef((HERE / "kh_sketch.h").read_text(encoding="ascii"))
ffi.set_source(
    "immure.custody.keyholder._native",
    '#include <stdint.h>\n#include "kh.h"\n#include "kh_sketch.h"',
    sources=[f"src/immure/custody/keyholder/c/{name}" for name in SOURCES],
    include_dirs=["src/immure/custody/keyholder/c"],
    depends=[f"src/immure/custody/keyholder/c/{name}" for name in HEADERS],
    extra_compile_args=[
        "-std=gnu11",
        "-O2",
        "-fno-strict-aliasing",
        "-fstack-protector-strong",
        "-Wall",
        "-Wextra",
    ],
    libraries=["dl", "pthread"],
    py_limited_api=True,
)
