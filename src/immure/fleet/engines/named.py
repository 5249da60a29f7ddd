"""From what a user names to an engine."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from immure.fleet.engine import Engine
from immure.fleet.engines.options import EngineOptions
from immure.fleet.errors import EngineError

MOST_WORKERS: Final = 1024
_LOCAL: Final = re.compile(r"(processes|threads)(?::([0-9]{1,6}))?")


@contextmanager
def open_engine(name: str, options: EngineOptions | None = None) -> Iterator[Engine]:
    """``processes``, ``processes:N``, ``threads:N`` or ``dask://HOST:PORT``.

    Raises:
        EngineError: there is no such engine, or its link would not be protected.
        FleetError: it cannot be reached.
    """
    local = _LOCAL.fullmatch(name)
    if local is not None:
        engine = _local(local[1], int(local[2]) if local[2] else len(os.sched_getaffinity(0)))
    elif name.startswith("dask://"):
        from immure.fleet.engines.dask import DaskEngine

        engine = DaskEngine(name, options or EngineOptions())
    else:
        raise EngineError("there are processes[:N], threads[:N] and dask://HOST:PORT", path=name[:200])
    try:
        yield engine
    finally:
        engine.close()


def _local(kind: str, count: int) -> Engine:
    if not 1 <= count <= MOST_WORKERS:
        raise EngineError(f"there may be 1 to {MOST_WORKERS} workers", path=f"{kind}:{count}")
    if kind == "threads":
        from immure.fleet.engines.threads import ThreadEngine

        return ThreadEngine(count)
    from immure.fleet.engines.processes import ProcessEngine

    return ProcessEngine(count)
