"""Where rows and batches are kept. One kind of store for each database; all keep the same promises."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import TracebackType

from immure.ledger.batch import Batch
from immure.ledger.errors import LedgerError
from immure.ledger.row import Issued


@dataclass(frozen=True, slots=True)
class Standing:
    """How far the ledger of an issuer has come.

    Attributes:
        issuer: whose ledger it is.
        last: sequence number of its newest row, 0 if there is none.
        closed: up to which row batches reach.
        batches: how many there are.
        watermark: no row with an earlier ``iat`` is taken any more.
    """

    issuer: str
    last: int
    closed: int
    batches: int
    watermark: int


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
    def find(self, digest: bytes) -> list[tuple[int, Issued]]:
        """Rows with that digest: of one token, so one at most, unless it was written twice."""

    @abstractmethod
    def standings(self) -> list[Standing]:
        """How far each issuer's ledger has come, by issuer."""

    @abstractmethod
    def close_until(self, issuer: str, watermark: int) -> Standing:
        """From when this returns, no row of the issuer with ``iat`` before ``watermark`` is taken. A
        watermark never goes back: the greater one stays."""

    @abstractmethod
    def add_batch(self, batch: Batch) -> None:
        """Keep a batch; raises LedgerError if it does not follow the last one."""

    @abstractmethod
    def logged(self, batch: Batch, entry: int) -> None:
        """Note where in the log a batch is."""

    @abstractmethod
    def batches(self, issuer: str, start: int = 0) -> Iterator[Batch]:
        """The batches of an issuer, from number ``start``."""

    @abstractmethod
    def prune(self, issuer: str, last: int) -> int:
        """Forget rows up to ``last``, which must be in batches that the log has; returns how many."""

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
