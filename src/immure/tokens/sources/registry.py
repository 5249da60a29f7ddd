"""Keys of a registry: what it says of a key's scope and state holds within a second."""

from __future__ import annotations

from typing import Any

from immure.registry.store import Store
from immure.tokens.keyset import KeySet
from immure.tokens.sources.watched import WatchedSource


class RegistrySource(WatchedSource):
    """The keys of one issuer in a registry, each with its scope and state.

    A registry that cannot be read any more takes the keys with it after ten minutes: nobody could tell us
    meanwhile that one is burnt.

    Args:
        store: the registry; not closed here.
        issuer: the issuer, or template of issuers, exactly as the scopes of its keys name it.
        limit: seconds until the keys are gone if the registry cannot be read.
        options: the others of :class:`~immure.tokens.sources.watched.WatchedSource`.

    Raises:
        RegistryError: the registry cannot be read.
        DuplicateKeyError: an id means two keys of this issuer.
    """

    def __init__(self, store: Store, issuer: str, *, limit: float = 600.0, **options: Any) -> None:
        self.issuer = issuer
        self._store = store
        self._stamp: tuple[int, ...] | None = None
        super().__init__(store.path, limit=limit, **options)

    def _changed(self) -> bool:
        stamp, self._stamp = self._stamp, None
        now = self._store.stamp()
        self._stamp = stamp
        return now != stamp

    def _read(self) -> KeySet:
        self._stamp = None
        stamp = self._store.stamp()  # before the records: what changes in between is seen the next time
        records = self._store.records()
        keys = KeySet((one.scoped for one in records if one.issuer == self.issuer), self.name)
        self._stamp = stamp
        return keys
