"""Random bytes for names of tokens, fetched from the kernel for many tokens at once.

A system call for each would let go of Python's lock, and wait for it again behind the thread that writes the
ledger: that took longer than all else that a token needs but its signature.
"""

from __future__ import annotations

import os
import threading
from base64 import urlsafe_b64encode
from typing import Final

_POOL: Final = 4096
_SIZE: Final = 16


class Names:
    """Names of 128 random bits in base64url; none is given out twice, whichever thread or process asks."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pool = b""
        self._at = 0
        os.register_at_fork(after_in_child=self._forget)

    def next(self) -> str:
        """A new name."""
        with self._lock:
            if self._at >= len(self._pool):
                self._pool, self._at = os.urandom(_POOL), 0
            raw = self._pool[self._at : self._at + _SIZE]
            self._at += _SIZE
        return urlsafe_b64encode(raw)[:22].decode("ascii")

    def _forget(self) -> None:
        self._lock = threading.Lock()
        self._pool, self._at = b"", 0
