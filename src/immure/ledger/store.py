"""Where rows and batches are kept. One kind of store for each database; all keep the same promises."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import TracebackType
from typing import Final

from immure.ledger.batch import Batch
from immure.ledger.errors import LedgerError
from immure.ledger.gap import Gap
from immure.ledger.row import Issued

#: Issuers of one ledger: who can choose the names of issuers must not fill it with them.
MOST_ISSUERS: Final = 1000
_STRIDE: Final = 1_000_000
#: Is told how many rows are done, and of how many.
Told = Callable[[int, int], None]


def nobody(done: int, total: int) -> None:
    """Tells nobody."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How far the ledger of an issuer has come.

    Attributes:
        issuer: whose ledger it is.
        last: sequence number of its newest row, 0 if there is none.
        closed: up to which row batches reach.
        batches: how many there are.
        watermark: no row with an earlier ``iat`` is taken any more.
        forgotten: of rows with an earlier ``iat`` some were pruned; 0 if none was.
    """

    issuer: str
    last: int
    closed: int
    batches: int
    watermark: int
    forgotten: int = 0


class LedgerStore(ABC):
    """Rows in a sequence without gaps for each issuer, and the batches over them.

    Attributes:
        path: for messages; without a password.
    """

    path: str

    @abstractmethod
    def append(self, rows: Sequence[Issued]) -> list[int | LedgerError]:
        """Write rows down, in one transaction that is on the disk when this returns.

        Returns:
            For each row its sequence number, or why it is not taken; the others are.

        Raises:
            LedgerError: the store cannot be written: none is taken, as far as can be known.
        """

    @abstractmethod
    def rows(self, issuer: str, first: int, last: int) -> Iterator[tuple[int, Issued]]:
        """Rows ``first`` to ``last``, in order, as far as they are there; not all at once in memory.

        Raises:
            LedgerError: the store cannot be read.
        """

    @abstractmethod
    def matching(self, issuer: str, first: int, last: int, digest: bytes) -> list[tuple[int, Issued]]:
        """Those of the rows ``first`` to ``last`` that have a digest, 100 at most."""

    def find(
        self, digest: bytes, *, issuer: str | None = None, told: Told = nobody
    ) -> list[tuple[int, Issued]]:
        """Rows with that digest: of one token, so one at most, unless it was written twice.

        Goes through all rows, a million at a time: an index would make every append slower.

        Args:
            issuer: look among the rows of this one only.
            told: how many rows were looked at, and how many there are.
        """
        standings = [one for one in self.standings() if issuer in (None, one.issuer)]
        found, done, total = list[tuple[int, Issued]](), 0, sum(one.last for one in standings)
        for one in standings:
            for first in range(1, one.last + 1, _STRIDE):
                last = min(one.last, first + _STRIDE - 1)
                found += self.matching(one.issuer, first, last, digest)
                done += last - first + 1
                told(done, total)
        return found[:100]

    @abstractmethod
    def standings(self) -> list[Standing]:
        """How far each issuer's ledger has come, by issuer."""

    @abstractmethod
    def close_until(self, issuer: str, watermark: int) -> Standing:
        """From when this returns, no row of the issuer with ``iat`` before ``watermark`` is taken. A
        watermark never goes back: the greater one stays."""

    @abstractmethod
    def add_batch(self, batch: Batch) -> None:
        """Keep a batch; raises LedgerError if it does not follow the last one, or says more than the store
        does: rows that are not there, a watermark below which rows are still taken."""

    @abstractmethod
    def logged(self, batch: Batch, entry: int) -> None:
        """Note where in the log a batch is."""

    @abstractmethod
    def batches(self, issuer: str, start: int = 0) -> Iterator[Batch]:
        """The batches of an issuer, from number ``start``."""

    @abstractmethod
    def longest_life(self, issuer: str) -> int:
        """Seconds from ``iat`` to ``exp`` of that token of an issuer which lives longest, of those whose rows
        are there; 0 if there is none."""

    @abstractmethod
    def prune(self, issuer: str, last: int) -> int:
        """Forget rows up to ``last``, which must be in batches that the log has; returns how many. From then
        on :attr:`Standing.forgotten` is greater than the ``iat`` of each of them."""

    @abstractmethod
    def adopt(self, batches: Iterable[Batch]) -> None:
        """Keep batches that the log has and this store has lost; all or none. Their rows are not there, and
        the sequence goes on after them.

        Raises:
            LedgerError: one does not follow the one before.
        """

    @abstractmethod
    def add_gap(self, gap: Gap) -> None:
        """Keep a gap."""

    @abstractmethod
    def gaps(self, issuer: str) -> list[Gap]:
        """The gaps of an issuer."""

    @abstractmethod
    def sealing(self) -> AbstractContextManager[None]:
        """Keep every other process from closing batches meanwhile.

        Raises:
            SealingBusyError: one is about it.
        """

    @abstractmethod
    def close(self) -> None:
        """Let go of the database."""

    def standing(self, issuer: str) -> Standing:
        """How far the ledger of one issuer has come; raises LedgerError if there is none."""
        for one in self.standings():
            if one.issuer == issuer:
                return one
        raise LedgerError(f"no token of the issuer {issuer[:200]!r} was ever recorded", path=self.path)

    def __enter__(self) -> LedgerStore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def follows(batch: Batch, last: Batch | None) -> bool:
    """Whether a batch goes on where the last one ended."""
    if last is None:
        return batch.number == 0 and batch.first == 1 and batch.previous == bytes(len(batch.previous))
    return (
        batch.number == last.number + 1
        and batch.first == last.last + 1
        and batch.previous == last.digest
        and batch.watermark >= last.watermark
    )


def check_batch(batch: Batch, before: Batch | None, standing: Sequence[int], path: str) -> None:
    """Raise LedgerError unless a store may keep a batch; ``standing`` are its last row and watermark."""
    last, watermark = standing
    if not follows(batch, before):
        raise LedgerError(f"batch {batch.number} does not follow the last one", path=path)
    if batch.last > last or batch.watermark > watermark:
        raise LedgerError(f"batch {batch.number} says more than the ledger does", path=path)
