"""The log of acceptances: a row is in it before its token is accepted.

    with AcceptanceLog("/var/lib/immure/accepted") as log:
        log.record(decision)             # from threads; await log.arecord(decision) from asyncio

``record`` returns when the row lasts: with ``durable="write"`` when the system has it (a crash of this
program takes nothing away; one of the machine may take what was written within ``sync_every``), with
``durable="fsync"`` when the disk has it, many rows at a time. If it raises, the token must not be accepted: a
row that is missing is a forged token that nobody will find.

A segment that is long or old enough is sealed, and another begun. Writers do not share segments: each process
has a log of its own in the same directory.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import Final

from immure import clock
from immure.tokens.acceptance.decision import Decision
from immure.tokens.acceptance.errors import AcceptanceLogError
from immure.tokens.acceptance.keeping import Keeping
from immure.tokens.acceptance.recovery import Recovered, recover
from immure.tokens.acceptance.rows import MOST_BYTES, to_line
from immure.tokens.acceptance.segment import Segment

_CLOSED: Final = "the log is closed"


class AcceptanceLog:
    """See the module. What a killed writer left in the directory is repaired and sealed first.

    Args:
        directory: made if it is not there; its parent must be.
        keeping: how rows are kept.
        notice: told when the log fails and when it works again; called from any thread.
        time: where the time is from.

    Attributes:
        recovered: what was repaired.
        rows: written since the log was opened.
        syncs: ``fsync`` calls since then.
        error: why the last row could not be written; None if it could.

    Raises:
        AcceptanceLogError: it cannot be opened.
    """

    def __init__(
        self,
        directory: str | os.PathLike[str],
        keeping: Keeping | None = None,
        *,
        notice: Callable[[AcceptanceLogError | None], None] | None = None,
        time: clock.Clock = clock.now,
    ) -> None:
        self.directory = Path(directory)
        self.keeping = keeping or Keeping()
        self.rows = self.syncs = 0
        self.error: AcceptanceLogError | None = None
        self._notice, self._time = notice, time
        self._lock = threading.Lock()
        self._broken: AcceptanceLogError | None = None  # for good
        self._closed = False
        self._synced = 0
        self._waiting: list[Future[None]] = []
        self._stop, self._wanted = threading.Event(), threading.Event()
        try:
            self.directory.mkdir(mode=0o750, exist_ok=True)
        except OSError as error:
            raise AcceptanceLogError(f"cannot be made: {error.strerror}", path=str(directory)) from error
        self.recovered: list[Recovered] = recover(self.directory)
        self._segment = Segment(self.directory, self._now())
        self._segment.begin(None)
        self._thread = threading.Thread(target=self._keep, name="immure acceptance log", daemon=True)
        self._thread.start()

    def record(self, row: Decision) -> None:
        """Write a row; returns when it lasts (see the module). May be called by any thread.

        Raises:
            AcceptanceLogError: it does not: the token must not be accepted.
        """
        waited = self._append(to_line(row))
        if waited is not None:
            waited.result()

    async def arecord(self, row: Decision) -> None:
        """As :meth:`record`; the event loop goes on while the disk works."""
        waited = self._append(to_line(row))
        if waited is not None:
            await asyncio.wrap_future(waited)

    def _append(self, line: bytes) -> Future[None] | None:
        """Write a line; with ``durable="fsync"`` what is done when the disk has it."""
        if len(line) > MOST_BYTES:
            raise AcceptanceLogError(f"a row of {len(line)} bytes; {MOST_BYTES} are taken")
        try:
            with self._lock:
                if self._broken is not None or self._closed:
                    raise _again(self._broken or AcceptanceLogError(_CLOSED, path=str(self.directory)))
                waited = self._wait()
                self._segment.append(line)
                self.rows += 1
                if waited is not None:
                    self._waiting.append(waited)
        except AcceptanceLogError as error:
            self._tell(error)
            raise
        if self.error is not None:
            self._tell(None)
        if waited is not None:
            self._wanted.set()
        return waited

    def _wait(self) -> Future[None] | None:
        if self.keeping.durable == "write":
            return None
        if len(self._waiting) >= self.keeping.most_waiting:
            raise AcceptanceLogError(f"{len(self._waiting)} rows wait for the disk", path=str(self.directory))
        waited: Future[None] = Future()
        waited.set_running_or_notify_cancel()  # the row is written, whoever gives up waiting
        return waited

    def _tell(self, error: AcceptanceLogError | None) -> None:
        """Once for each change, so that a full disk does not fill the other log."""
        before, self.error = self.error, error
        if self._notice is not None and (before is None) != (error is None):
            self._notice(error)

    # --- the thread that has the disk keep rows, and begins segments ---

    def _keep(self) -> None:
        try:
            while not self._stop.is_set():
                self._rest()
                self._sync()
                if self._broken is None:
                    self._rotate()
        finally:  # whatever ends this thread, nobody waits for it any more
            if not self._stop.is_set():
                self._break(AcceptanceLogError("its thread has ended", path=str(self.directory)))
            self._sync()

    def _rest(self) -> None:
        """Until it is time for the next ``fsync``."""
        if self.keeping.durable == "write":
            self._stop.wait(self.keeping.sync_every)
        else:  # who comes while the disk works waits for the next one, together with others
            self._wanted.wait(1.0)

    def _sync(self) -> None:
        """Have the disk keep what was written, and let those go on who wait for it."""
        with self._lock:
            segment, rows, waiting = self._taken()
        try:
            if rows != self._synced and self._broken is None:
                segment.sync()
        except AcceptanceLogError as error:
            self._break(error)
        self._release(rows, waiting)

    def _taken(self) -> tuple[Segment, int, list[Future[None]]]:
        self._wanted.clear()
        waiting, self._waiting = self._waiting, []
        return self._segment, self.rows, waiting

    def _release(self, rows: int, waiting: list[Future[None]]) -> None:
        error = self._broken
        if error is None and rows != self._synced:
            self._synced = rows
            self.syncs += 1
        for one in waiting:
            if error is None:
                one.set_result(None)
            else:
                one.set_exception(_again(error))

    def _break(self, error: AcceptanceLogError) -> None:
        """After a failed ``fsync`` the system may forget what it held, and say nothing the next time."""
        self._broken = error
        self._tell(error)

    def _rotate(self) -> None:
        segment, keeping = self._segment, self.keeping
        old = self._now() - segment.began >= keeping.segment_seconds
        if not segment.rows or not (old or segment.size >= keeping.segment_bytes):
            return
        try:
            following = Segment(self.directory, self._now())
            with self._lock:
                following.begin(segment.digest)
                _, rows, waiting = self._taken()
                self._segment = following
        except AcceptanceLogError as error:  # the old one goes on; we try again at the next turn
            self._tell(error)
            return
        self._finish(segment, rows, waiting)

    def _finish(self, segment: Segment, rows: int, waiting: list[Future[None]]) -> None:
        """Have the disk keep the last rows of a segment, and seal it.

        If only the seal fails, as on a full disk, the segment is left to the next writer in the directory.
        """
        try:
            segment.sync()
        except AcceptanceLogError as error:
            self._break(error)
        self._release(rows, waiting)
        if self._broken is not None:
            segment.close()
            return
        try:
            segment.seal()
        except AcceptanceLogError as error:
            self._tell(error)

    def _now(self) -> float:
        return self._time().timestamp()

    # --- the end ---

    def close(self) -> None:
        """Have the disk keep everything, and seal the segment; those who come later are refused.

        Raises:
            AcceptanceLogError: the disk did not take all of it.
        """
        self._stop.set()
        self._wanted.set()
        self._thread.join()
        with self._lock:
            segment, rows, waiting = self._taken()
            closed, self._closed = self._closed, True
        if not closed and segment.rows:
            self._finish(segment, rows, waiting)
        elif not closed:
            segment.abandon()
        if self._broken is not None:
            raise _again(self._broken)

    def __enter__(self) -> AcceptanceLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _again(error: AcceptanceLogError) -> AcceptanceLogError:
    """The same for one more caller; an error that is raised again and again grows by a traceback each."""
    return AcceptanceLogError(error.reason, path=error.path)
