"""Long lists, a page at a time.

>>> Paging.of(1234, "2")
Paging(total=1234, number=2, size=50)
>>> Paging.of(1234, "99").number, Paging.of(0, "x").number
(25, 1)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

T = TypeVar("T")
SIZE: Final = 50


@dataclass(frozen=True, slots=True)
class Paging:
    """Where one is in a list.

    Attributes:
        total: rows of the list.
        number: of the page, from 1.
        size: rows on a page.
    """

    total: int
    number: int
    size: int = SIZE

    @classmethod
    def of(cls, total: int, number: str | None, size: int = SIZE) -> Paging:
        """The page that somebody asks for, or the nearest that there is."""
        wanted = int(number) if number and number.isascii() and number.isdigit() and len(number) < 9 else 1
        return cls(total, min(max(wanted, 1), max(1, -(-total // size))), size)

    @property
    def pages(self) -> int:
        """How many there are; at least one."""
        return max(1, -(-self.total // self.size))

    @property
    def offset(self) -> int:
        """Rows before this page."""
        return (self.number - 1) * self.size

    @property
    def first(self) -> int:
        """The number of its first row, from 1; 0 if there is none."""
        return self.offset + 1 if self.total else 0

    @property
    def last(self) -> int:
        """The number of its last row."""
        return min(self.total, self.offset + self.size)

    def cut(self, rows: Sequence[T]) -> Sequence[T]:
        """The rows of this page."""
        return rows[self.offset : self.offset + self.size]
