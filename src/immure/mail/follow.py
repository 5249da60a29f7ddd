"""Follow Dovecot's events and write the mail-access log: each event once, whatever happens in between.

    with Follower(Path("events.jsonl"), Path("access.jsonl")) as follower:
        follower.catch_up()

Records are written and synced, and then the checkpoint; who was killed in between cuts the log back to the
checkpoint and reads again.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event as Flag
from types import TracebackType
from typing import Final

from immure import clock
from immure.mail.access import ID_BYTES, Access
from immure.mail.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from immure.mail.errors import FollowError
from immure.mail.output import Output
from immure.mail.sessions import Sessions
from immure.mail.tail import Tail
from immure.mail.translate import Translator

#: Seconds from one look to the next, and from one checkpoint to the next while there is always more.
PAUSE: Final = 0.5
_BETWEEN: Final = 5.0


class Follower:
    """Reads the events from where it was before.

    Args:
        events: the file that Dovecot writes.
        output: the log.
        checkpoint: where it is remembered how far it has read; beside the log by default.
        now: the time, for gaps.

    Attributes:
        written: records since it was opened.
        gaps: how many of them are gaps, but for the one with which a log begins.

    Raises:
        FollowError: a file cannot be used; one of them says which.
    """

    def __init__(
        self, events: Path, output: Path, checkpoint: Path | None = None, *, now: clock.Clock = clock.now
    ) -> None:
        self._checkpoint = checkpoint or output.with_name(f"{output.name}.checkpoint")
        self._now = now
        self._gaps: list[str] = []
        self._tail = Tail(events, self._gaps.append)
        self.written = self.gaps = 0
        self._output = Output(output)
        try:
            self._translator = Translator(self._resume())
        except BaseException:
            self._output.__exit__(None, None, None)
            raise
        self._kept = time.monotonic()

    @property
    def passed(self) -> int:
        """Events that make no record, since it was opened."""
        return self._translator.passed

    def __enter__(self) -> Follower:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._tail.close()
        self._output.__exit__(kind, error, trace)

    def catch_up(self, progress: Callable[[int], object] | None = None) -> int:
        """Read what is there now; how many records were written.

        Args:
            progress: is told how many records there are so far.
        """
        before = self.written
        self._write([])
        for lines in self._tail.batches():
            self._write(self._translator.records(lines))
            if progress is not None:
                progress(self.written)
            if time.monotonic() - self._kept > _BETWEEN:
                self._keep()
        self._write([])
        if self.written != before:
            self._keep()
        return self.written - before

    def follow(self, stop: Flag, *, pause: float = PAUSE) -> None:
        """Read what comes, until ``stop`` is set."""
        while not stop.is_set():
            self.catch_up()
            stop.wait(pause)
        self.catch_up()

    def _resume(self) -> Sessions:
        sessions = Sessions()
        known = read_checkpoint(self._checkpoint)
        if known is None:
            if self._output.size:
                raise FollowError("is missing, and the log has records", path=str(self._checkpoint))
            self._gaps.append("begin")
            self._tail.begin()
            self._write([])
            self._keep(sessions)
            return sessions
        try:
            sessions.from_json(known.sessions)
        except ValueError as error:
            raise FollowError(f"is no checkpoint: {error}", path=str(self._checkpoint)) from error
        if known.output_inode == self._output.inode:
            self._output.cut(known.output_size)
        elif self._output.size:
            raise FollowError("is of another log, and this one has records", path=str(self._checkpoint))
        if known.inode:
            self._tail.resume(known.inode, known.offset, known.head, known.head_bytes)
        else:  # there was no file of events yet
            self._tail.begin()
        return sessions

    def _write(self, records: list[Access]) -> None:
        gaps, self._gaps[:] = list(self._gaps), []
        every = [self._gap(reason) for reason in gaps] + records
        if every:
            self._output.append(every)
            self.written += len(every)
            self.gaps += sum(one.action == "gap" and one.reason != "begin" for one in every)

    def _gap(self, reason: str) -> Access:
        moment = self._now().timestamp()
        name = f"{reason} {moment} {self._tail.inode} {self._tail.offset}"
        identity = hashlib.sha256(name.encode()).digest()[:ID_BYTES]
        return Access(id=identity, time=moment, action="gap", reason=reason)

    def _keep(self, sessions: Sessions | None = None) -> None:
        known = self._translator.sessions if sessions is None else sessions
        self._output.sync()
        tail, output = self._tail, self._output
        made = Checkpoint(
            tail.inode,
            tail.offset,
            output.size,
            output.inode,
            tail.head,
            tail.head_bytes,
            known.to_json(),
        )
        write_checkpoint(self._checkpoint, made)
        self._kept = time.monotonic()
