"""Takes one core from the kernel into a spool, within the bounds that all captures share.

The spool (:class:`~immure.dumps.spool.SpoolReader`) keeps the first part in memory and the rest in a file
without a name, encrypted under a key that only this process has: if it is killed, nothing readable is left.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass
from typing import Final, Literal

from immure.capture.budget import Budget
from immure.capture.channel import Channel, StalledError
from immure.capture.crash import Crash
from immure.capture.incoming import PIECE_BYTES, Incoming
from immure.dumps.limits import GIB, MIB, TIB, Limits
from immure.dumps.spool import SpoolReader
from immure.dumps.spool_file import BLOCK
from immure.errors import CaptureError, LimitError

#: Why a core that was being read was given up.
IntakeReason = Literal["size", "disk-limit", "disk", "stalled", "broken", "empty"]

#: By how much a capture's share of the disk grows at a time.
_STEP: Final = 64 * MIB
#: Blocks of 64 KiB are kept whole: more than the process had resident, where its memory is scattered.
_SLACK_BYTES: Final = 4 * MIB
_SMALL: Final = 64 * MIB


@dataclass(frozen=True, slots=True)
class Resources:
    """What all captures share.

    Attributes:
        memory, disk: bytes of spools.
        max_size: bytes of the largest core that is taken, zeros included.
        spool_directory: where the encrypted files are made.
        disk_margin_bytes: free space that is left on that file system.
    """

    memory: Budget
    disk: Budget
    max_size: int = 256 * GIB
    spool_directory: str | None = None
    disk_margin_bytes: int = GIB


class Intake:
    """A core on its way into its spool; begins at once, in threads of its own.

    Args:
        crash: whose core it is.
        channel: where it comes from; closed as soon as the last byte was read, unless it is to be held.
        resources: what it may take.
        on_read: called once, from another thread, when nothing more is to come.
        piece_bytes: of the buffers.
    """

    def __init__(
        self,
        crash: Crash,
        channel: Channel,
        resources: Resources,
        on_read: Callable[[], None],
        *,
        piece_bytes: int = PIECE_BYTES,
    ) -> None:
        self.crash = crash
        self.channel = channel
        self.began = time.monotonic()
        self.fault: IntakeReason | None = None
        self._resources = resources
        self._on_read = on_read
        self._memory = resources.memory.up_to(_likely_bytes(crash, resources.memory))
        self._disk = resources.disk.up_to(0)
        self._incoming = Incoming(channel, piece_bytes=piece_bytes)
        self._made = threading.Event()
        self._done = threading.Event()
        limits = Limits(
            max_apparent_bytes=TIB,
            max_stored_bytes=TIB,
            spool_memory_bytes=self._memory.size,
            disk_margin_bytes=resources.disk_margin_bytes,
            spool_directory=resources.spool_directory,
        )
        self._stream = self._pieces()
        try:
            self.spool = SpoolReader(self._stream, crash.label, limits, self._ended)
        except BaseException:  # no thread to be had, say
            self._memory.release()
            raise
        self._made.set()

    @property
    def is_in_memory(self) -> bool:
        """Whether the core will probably need no disk. If it does, whoever reads it had better wait for its
        end: to use the disk for two purposes at once costs the crashed process more than it gains us."""
        return self._memory.size >= _likely_bytes(self.crash, self._resources.memory)

    @property
    def is_small(self) -> bool:
        """Whether it will be here in no time."""
        return (self.crash.resident_bytes or _SMALL + 1) <= _SMALL

    def reason(self) -> tuple[IntakeReason, str] | None:
        """Wait until the core was read; why it could not be, if so: for counting, and in words."""
        self._done.wait()
        faults = self.spool.faults()
        if faults:
            return self.fault or "disk", faults[0].reason
        return None if self.spool.size else ("empty", "the kernel sent nothing")

    def close(self) -> None:
        """Forget the core and its key, and give back what it took; the process goes, if it has not gone."""
        self.spool.close()
        self.channel.stop()
        self._done.wait()
        self.channel.close()
        self._memory.release()
        self._disk.release()

    def _pieces(self) -> Generator[bytes]:
        self._made.wait()
        size = 0
        try:
            with closing(self._incoming.pieces()) as pieces:
                for piece in pieces:
                    size += len(piece)
                    self._check(size, len(piece))
                    yield piece
        except StalledError:
            self.fault = "stalled"
            raise
        except LimitError:
            raise
        except Exception:
            self.fault = "broken"
            raise

    def _check(self, size: int, length: int) -> None:
        """Whether the next piece may be stored.

        Raises:
            LimitError: it may not.
        """
        if size > self._resources.max_size:
            self.fault = "size"
            raise LimitError(f"the core is larger than {self._resources.max_size} bytes")
        stored = self.spool.stored_bytes + length + BLOCK - self._memory.size
        needed = stored - self._disk.size
        # less than a step may be left, and be enough
        if needed > 0 and not self._disk.grow(max(needed, _STEP)) and not self._disk.grow(needed):
            self.fault = "disk-limit"
            raise LimitError(f"the spools may take {self._resources.disk.total} bytes of disk, and do")

    def _ended(self) -> None:
        self._stream.close()  # if the spool has given up, whoever reads ahead is told so, and awaited
        stored = self.spool.stored_bytes
        self._disk.shrink(max(0, stored - self._memory.size))
        self._memory.shrink(min(stored, self._memory.size))
        self._done.set()
        self._on_read()


def _words(error: CaptureError | OSError) -> str:
    return error.reason if isinstance(error, CaptureError) else error.strerror or str(error)


def _likely_bytes(crash: Crash, memory: Budget) -> int:
    """How much memory to ask for: what the process had resident, or half of all if that is not known."""
    resident = crash.resident_bytes
    wanted = memory.total // 2 if resident is None else resident + resident // 8 + _SLACK_BYTES
    return -(-wanted // BLOCK) * BLOCK
