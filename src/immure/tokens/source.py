"""Where the keys of one issuer come from.

A source answers for one set of keys and no other: two sources are never searched together, as a key that is
found in a pool may sign for everybody in it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from immure.registry.scope import ScopedKey


class KeySource(ABC):
    """Keys of one source, by their ids."""

    #: Whether the address is only learned when the keys are fetched, and may change.
    learns_address: ClassVar[bool] = False

    @property
    def address(self) -> str:
        """Where the keys lie, as far as is known: two sources of one address have the same keys."""
        return f"object:{id(self):x}"

    @abstractmethod
    def find(self, kid: str | None) -> ScopedKey:
        """The key with that id. Without an id: the only key that there is.

        Called for each token, so it answers from memory if it can; it may be called by several threads.

        Raises:
            UnknownKeyError: there is no such key, or more than one could be meant.
            KeySourceError: the source cannot be read now.
            TokenError: the key is there, and must not be used for signatures.
        """

    async def afind(self, kid: str | None) -> ScopedKey:
        """As :meth:`find`, for those who must not block; a source that waits for a network overrides it."""
        return self.find(kid)
