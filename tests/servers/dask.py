"""A Dask scheduler and workers on the loopback interface, each a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

_SCHEDULER = """
import asyncio, sys
from distributed import Scheduler
from distributed.security import Security
security = Security(**eval(sys.argv[1])) if sys.argv[1] else None
async def main():
    protocol = "tls" if security else "tcp"
    options = {"protocol": protocol, "security": security, "dashboard": False}
    async with Scheduler(host="127.0.0.1", port=0, **options) as one:
        print(one.address, flush=True)
        await one.finished()
asyncio.run(main())
"""
_WORKER = """
import asyncio, sys
from distributed import Worker
from distributed.security import Security
security = Security(**eval(sys.argv[3])) if sys.argv[3] else None
async def main():
    async with Worker(sys.argv[1], nthreads=int(sys.argv[2]), host="127.0.0.1", dashboard=False,
                      security=security) as one:
        print(one.address, flush=True)
        await one.finished()
asyncio.run(main())
"""


@dataclass
class DaskCluster:
    """Processes; ``kill`` ends a worker as the kernel's out-of-memory killer does."""

    address: str
    security: str = ""
    workers: dict[str, subprocess.Popen[str]] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    scheduler: subprocess.Popen[str] | None = None

    @property
    def engine(self) -> str:
        """As ``--engine`` has it."""
        return self.address.replace("tcp://", "dask://").replace("tls://", "dask://")

    def add_worker(self, threads: int = 1) -> str:
        return self.add_workers(1, threads)[0]

    def add_workers(self, count: int, threads: int = 1) -> list[str]:
        begun = [_python(_WORKER, [self.address, str(threads), self.security], self.environment)
                 for _ in range(count)]  # fmt: skip
        addresses = [_first_line(process) for process in begun]
        self.workers.update(zip(addresses, begun, strict=True))
        return addresses

    def kill(self, address: str, number: int = signal.SIGKILL) -> None:
        process = self.workers[address]
        process.send_signal(number)
        if number == signal.SIGKILL:
            process.wait()


@contextmanager
def dask_cluster(
    workers: int = 2, threads: int = 1, *, security: str = "", environment: dict[str, str] | None = None
) -> Iterator[DaskCluster]:
    """A scheduler and so many workers."""
    scheduler = _python(_SCHEDULER, [security], {})
    cluster = DaskCluster("", security, {}, environment or {})
    try:
        cluster.address, cluster.scheduler = _first_line(scheduler), scheduler
        cluster.add_workers(workers, threads)
        yield cluster
    finally:
        for process in (*cluster.workers.values(), scheduler):
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait()


def _python(code: str, arguments: Sequence[str], environment: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, **environment},
    )


def _first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    began = time.monotonic()
    line = process.stdout.readline().strip()
    assert line.startswith("t"), f"no address after {time.monotonic() - began:.1f} s"
    return line
