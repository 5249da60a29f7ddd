"""Random bytes for names of tokens, fetched from the kernel for many tokens at once.

A system call for each would let go of Python's lock, and wait for it again behind the thread that writes the
ledger: that took longer than all else that a token needs but its signature.
"""

from __future__ import annotations

import os
from base64 import urlsafe_b64encode
from typing import Final

_SIZE: Final = 16
_AT_ONCE: Final = 256


class Names:
    """Names of 128 random bits in base64url; none is given out twice, whichever thread or process asks."""

    def __init__(self) -> None:
        self._names: list[str] = []
        os.register_at_fork(after_in_child=self._names.clear)

    def next(self) -> str:
        """A new name."""
        try:
            return self._names.pop()  # which no two threads do at once
        except IndexError:
            self._names += _some()
            return self._names.pop()


def _some() -> list[str]:
    pool = os.urandom(_SIZE * _AT_ONCE)
    return [
        urlsafe_b64encode(pool[at : at + _SIZE])[:22].decode("ascii") for at in range(0, len(pool), _SIZE)
    ]
