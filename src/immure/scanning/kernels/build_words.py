"""Describes the native module ``_words`` to cffi; run when the package is built, never when it is used."""

from pathlib import Path

from cffi import FFI

HERE = Path(__file__).parent / "c"

ffi = FFI()
ffi.cdef((HERE / "words.h").read_text(encoding="ascii"))
ffi.set_source(
    "immure.scanning.kernels._words",
    '#include <stddef.h>\n#include <stdint.h>\n#include "words.h"',
    sources=[
        f"src/immure/scanning/kernels/c/{name}.c"
        for name in (
            "words",
            "anchors",
            "text",
            "rsa",
            "rsa_primes",
            "rsa_ifma",
            "rsa_ifma_blocks",
            "sweep",
            "aes",
            "mapping",
        )
    ],
    include_dirs=["src/immure/scanning/kernels/c"],
    depends=[
        f"src/immure/scanning/kernels/c/{name}.h"
        for name in (
            "words",
            "common",
            "rsa_numbers",
            "rsa_blocks",
            "rsa_primes",
            "rsa_divide",
            "rsa_ifma",
            "rsa_sieve.inc",
            "ifma",
        )
    ],
    extra_compile_args=["-O3", "-fno-strict-aliasing", "-Wall", "-Wextra", "-Wno-unused-parameter"],
    py_limited_api=True,
)
