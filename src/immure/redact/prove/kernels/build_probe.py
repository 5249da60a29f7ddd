"""Describes the native module ``_probe`` to cffi; run when the package is built, never when it is used."""

from pathlib import Path

from cffi import FFI

HERE = Path(__file__).parent / "c"

ffi = FFI()
ffi.cdef((HERE / "probe.h").read_text(encoding="ascii"))
ffi.set_source(
    "immure.redact.prove.kernels._probe",
    '#include <stddef.h>\n#include <stdint.h>\n#include "probe.h"',
    sources=[f"src/immure/redact/prove/kernels/c/{name}.c" for name in ("probe", "blocks")],
    include_dirs=["src/immure/redact/prove/kernels/c"],
    depends=[f"src/immure/redact/prove/kernels/c/{name}.h" for name in ("probe", "probe_internal")],
    extra_compile_args=["-O3", "-fno-strict-aliasing", "-Wall", "-Wextra", "-Wno-unused-parameter"],
    py_limited_api=True,
)
