"""Every place of known byte strings, whole or in part."""

from __future__ import annotations

from collections.abc import Sequence

from immure.errors import LimitError
from immure.scanning.kernels._words import ffi, lib
from immure.scanning.kernels.workspace import Workspace


class Sweep:
    """Looks for every place of known byte strings, whole or in part; of those in ``sparse``, for long parts
    only."""

    def __init__(self, needles: Sequence[bytes], sparse: Sequence[bool] | None = None) -> None:
        lengths = ffi.new("uint32_t[]", [len(needle) for needle in needles])
        marks = bytes(sparse) if sparse is not None else bytes(len(needles))
        handle = lib.sweep_new(b"".join(needles), lengths, marks, len(needles))
        if handle == ffi.NULL:
            raise LimitError("swept strings must be 16 bytes to 1 MiB long, 1 GiB together")
        self._handle = ffi.gc(handle, lib.sweep_free)

    def find(self, space: Workspace, *, min_bytes: int) -> list[tuple[int, int, int, int]]:
        """Agreements of at least ``min_bytes`` as (needle, offset, offset in the needle, length)."""
        resume, mask = ffi.new("size_t *", 0), space.mask()
        flat = space.collect(
            4,
            lambda out, capacity: lib.sweep_find(
                self._handle, space.pointer, space.length, mask, min_bytes, out, capacity, resume
            ),
            lambda: bool(resume[0] >= space.length // 8),
        )
        return list(zip(flat[::4], flat[1::4], flat[2::4], flat[3::4], strict=True))
