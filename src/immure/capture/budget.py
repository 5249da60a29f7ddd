"""So many bytes for all captures together: of memory, or of disk.

>>> memory = Budget(100)
>>> first, second = memory.up_to(70), memory.up_to(70)
>>> first.size, second.size, second.grow(1)
(70, 30, False)
>>> first.shrink(10)
>>> second.grow(60), memory.used
(True, 100)
"""

from __future__ import annotations

import threading


class Budget:
    """A number of bytes that are handed out and given back; safe to use from several threads."""

    def __init__(self, total: int) -> None:
        self.total = total
        self._used = 0
        self._peak = 0
        self._lock = threading.Lock()

    @property
    def used(self) -> int:
        """Bytes that are handed out."""
        return self._used

    @property
    def peak(self) -> int:
        """The most that ever were."""
        return self._peak

    def up_to(self, wanted: int) -> Grant:
        """As much of ``wanted`` as there is left, which may be nothing."""
        with self._lock:
            size = max(0, min(wanted, self.total - self._used))
            self._change(size)
        return Grant(self, size)

    def more(self, size: int) -> bool:
        """Hand out exactly so many bytes, or none."""
        with self._lock:
            if self._used + size > self.total:
                return False
            self._change(size)
            return True

    def back(self, size: int) -> None:
        """So many bytes are free again."""
        with self._lock:
            self._change(-size)

    def _change(self, size: int) -> None:
        self._used += size
        self._peak = max(self._peak, self._used)


class Grant:
    """What one capture has of a budget."""

    def __init__(self, budget: Budget, size: int) -> None:
        self._budget = budget
        self.size = size

    def grow(self, size: int) -> bool:
        """Take so many more bytes; False, and nothing is taken, if they are not there."""
        if not self._budget.more(size):
            return False
        self.size += size
        return True

    def shrink(self, size: int) -> None:
        """Keep only so many bytes."""
        if size < self.size:
            self._budget.back(self.size - size)
            self.size = size

    def release(self) -> None:
        """Give everything back. Idempotent."""
        self.shrink(0)
