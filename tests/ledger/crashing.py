"""Front ends that are killed at random moments, many a second: forked, so that each is at work at once.

A front end says into a pipe which token it is about to record ("s") and which it released ("r"), as the
service does: sign, record, release. Some also close batches. A pipe keeps what was said when its writer is
killed, so that nothing which was released can be missed here.
"""

from __future__ import annotations

import os
import random
import select
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from immure.auditlog import AuditLog, Checkpoint, verify_log
from immure.errors import ImmureError
from immure.ledger.errors import LedgerError
from immure.ledger.ledger import Ledger
from immure.ledger.opening import open_ledger
from immure.ledger.row import Issued
from immure.ledger.sealing import Sealer
from immure.ledger.verify import verify_ledger
from ledger.making import ISSUER, OTHER, NoteKeyPair, make_log

_MARK = 17
#: Requests that a front end has in hand at once.
_AT_ONCE = 6
#: Tokens that it is given time for, before it is killed, at most.
_MOST_RELEASED = 20


def issue(ledger: Ledger, pipe: int, issuer: str, chance: random.Random) -> None:
    """Tokens for one request after the other, until somebody kills us."""
    while True:
        digest = chance.randbytes(16)
        now = int(time.time())
        os.write(pipe, b"s" + digest)
        try:
            ledger.record(Issued(digest, issuer, "k1", now, now + 600))
        except LedgerError:
            continue  # not certain: the token does not leave
        os.write(pipe, b"r" + digest)


def front_end(place: str, logs: Path, signer: NoteKeyPair, pipe: int, seals: bool) -> None:
    """A front end with several requests in hand, which also closes batches if it shall."""
    ledger = Ledger(open_ledger(place))
    for number in range(_AT_ONCE):
        issuer = (ISSUER, OTHER)[number % 2]
        chance = random.Random(os.urandom(16))
        threading.Thread(target=issue, args=(ledger, pipe, issuer, chance), daemon=True).start()
    if not seals:
        signal.pause()
    log = AuditLog.open(logs, signer=signer, check=False)
    # each batch is closed with a watermark of this very second, which is as narrow as it gets
    sealer = Sealer(open_ledger(place), log, slack=0, quiet=0)
    while True:
        with suppress(ImmureError):  # another front end is at it
            sealer.seal_all()
        time.sleep(0.001)


@dataclass
class Crashes:
    """A ledger whose front ends are killed again and again.

    Attributes:
        signed, released: digests of all tokens so far.
        unreleased: rows of tokens that were not released, because their front end was killed in between.
        count: how many front ends were killed.
        sealed: how many of them closed batches.
        seen: the last checkpoint that was looked at, which the next one must continue.
    """

    place: str
    logs: Path
    signer: NoteKeyPair = field(default_factory=NoteKeyPair)
    signed: set[bytes] = field(default_factory=set)
    released: set[bytes] = field(default_factory=set)
    unreleased: int = 0
    count: int = 0
    sealed: int = 0
    seen: Checkpoint | None = None

    def __post_init__(self) -> None:
        open_ledger(self.place, create=True).close()
        make_log(self.logs, self.signer)

    def crash(
        self, chance: random.Random, *, together: int = 1, during: Callable[[], None] = lambda: None
    ) -> None:
        """Start front ends, do something while they are at work, and kill each at a moment of its own."""
        started = []
        for number in range(together):
            seals = number == 0 and chance.random() < 0.7
            self.sealed += seals
            started.append(self._start(seals))
        heard = {pipe: b"" for _, pipe in started}
        for pipe in heard:  # all of them are at work
            heard[pipe] += os.read(pipe, _MARK)
        during()
        for pid, pipe in chance.sample(started, together):
            heard[pipe] += _listen(pipe, chance.randrange(_MOST_RELEASED))
            time.sleep(chance.random() ** 2 * 0.01)
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            self._hear(heard[pipe], pipe)
            self.count += 1

    def _start(self, seals: bool) -> tuple[int, int]:
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                os.close(reading)
                front_end(self.place, self.logs, self.signer, writing, seals)
            finally:  # never back into the test
                os._exit(1)
        os.close(writing)
        return pid, reading

    def _hear(self, said: bytes, pipe: int) -> None:
        with os.fdopen(pipe, "rb") as stream:
            said += stream.read()
        for start in range(0, len(said) // _MARK * _MARK, _MARK):
            mark = said[start : start + _MARK]
            (self.signed if mark[:1] == b"s" else self.released).add(mark[1:])
        assert len(said) % _MARK == 0

    def check(self) -> dict[str, int]:
        """Nothing released is lost, nothing is there that was not signed, no number is left out; the log
        verifies, and the next one who closes batches can go on. Returns rows of each issuer."""
        verified = verify_log(self.logs, public_key=self.signer.public_key, known=self.seen)
        self.seen = verified.checkpoint
        counts = {}
        with open_ledger(self.place) as store:
            recorded: list[bytes] = []
            for standing in store.standings():
                rows = list(store.rows(standing.issuer, 1, standing.last + 10))
                assert [sequence for sequence, _ in rows] == list(range(1, standing.last + 1))
                recorded += [one.digest for _, one in rows]
                counts[standing.issuer] = len(rows)
            assert len(recorded) == len(set(recorded))
            assert self.released <= set(recorded) <= self.signed
            self.unreleased = len(recorded) - len(self.released)
            log = AuditLog.open(self.logs, signer=self.signer)
            sealer = Sealer(store, log, slack=0, quiet=0)
            sealer.check()
            sealer.seal_all()
            for checked in verify_ledger(store, AuditLog.open(self.logs).entries()):
                assert checked.rows == counts[checked.issuer]
                assert (checked.open, checked.lost, checked.gaps) == (0, 0, [])
        return counts


def _listen(pipe: int, count: int) -> bytes:
    """What a front end says until it has released so many tokens, or for some seconds: so it is killed in the
    middle of its work, however fast or slow the machine is."""
    said, end = b"", time.monotonic() + 20
    while said[::_MARK].count(b"r") < count and time.monotonic() < end:
        if select.select([pipe], [], [], 1)[0]:
            said += os.read(pipe, _MARK)
    return said


def crash_often(
    crashes: Crashes,
    count: int,
    *,
    together: int = 1,
    every: int = 20,
    during: Callable[[int], None] = lambda number: None,
) -> None:
    """Kill ``count`` front ends, and look at the ledger now and then.

    Args:
        together: how many are at work at once.
        every: after how many rounds the ledger is looked at.
        during: is called with the number of each round while front ends are at work.
    """
    chance = random.Random(count)
    rounds = 0
    while crashes.count < count:
        rounds += 1
        crashes.crash(chance, together=together, during=partial(during, rounds))
        if rounds % every == 0:
            crashes.check()
    crashes.check()
