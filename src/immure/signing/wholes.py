"""Requests that come again as a whole, head and body, byte for byte: what they were answered by before.

Programs that keep their connection send the same bytes over and over. What these mean was found out when
they came first, so they need not be read again: how they are answered is here, under a digest of the bytes
with a key of this process. It ends with the settings by which it was granted, as in :mod:`.repeats`.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

#: Where the server notes in the scope of a request what all of it was, if that came at once.
WHOLE: Final = "immure.whole"
Headers = tuple[tuple[bytes, bytes], ...]
#: Status, headers and body of an answer.
Answer = tuple[int, Headers, bytes]
_MOST: Final = 1024
#: Bytes of the longest request that is remembered.
_LONGEST: Final = 8192


@dataclass(frozen=True, slots=True)
class Whole:
    """A request that is known.

    Attributes:
        path: of its endpoint.
        client: who asks, and proved it.
        answer: makes the body of the answer; raises what the endpoint raises.
    """

    path: str
    client: str
    answer: Callable[[], Awaitable[bytes]]


class Wholes:
    """Requests of all issuers, as the settings are now."""

    def __init__(self) -> None:
        self._key = os.urandom(32)
        self._kept: dict[bytes, Whole] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def find(self, data: bytes) -> Whole | None:
        """The request that these bytes are."""
        if len(data) > _LONGEST or not self._kept:
            return None
        return self._kept.get(self._name(data))

    def keep(self, data: bytes, whole: Whole) -> None:
        """Remember it. Those that have something new in each request, such as a trace, go as they came."""
        if len(data) > _LONGEST:
            return
        if len(self._kept) >= _MOST:
            self._kept = {}
        self._kept[self._name(data)] = whole

    def _name(self, data: bytes) -> bytes:
        return blake2b(data, digest_size=32, key=self._key).digest()
