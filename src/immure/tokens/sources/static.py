"""Keys that are given, and stay as they are."""

from __future__ import annotations

from immure.registry.scope import ScopedKey
from immure.tokens.keyset import KeySet
from immure.tokens.source import KeySource


class StaticSource(KeySource):
    """A key set as a source."""

    def __init__(self, keys: KeySet) -> None:
        self.keys = keys

    def find(self, kid: str | None) -> ScopedKey:
        """See :meth:`KeySource.find`."""
        return self.keys.find(kid)
