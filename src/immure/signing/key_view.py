"""What the registry says just now, for an event loop: read in a thread, by one for all who ask meanwhile.

It is believed for a quarter of a second. A registry that cannot be read is no reason to go on with what it
said before: a key in it may have been burnt since.
"""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import Final

from immure.registry.record import KeyRecord
from immure.registry.store import Store
from immure.signing.rotation import signing_key

#: Seconds for which it is believed what was read.
FRESH: Final = 0.25
Records = tuple[KeyRecord, ...]


class KeyView:
    """The records of a registry.

    Args:
        registry: with the keys of all issuers.
    """

    def __init__(self, registry: Store) -> None:
        self._registry = registry
        self._stamp: tuple[int, ...] | None = None
        self._records: Records = ()
        self._until = 0.0
        self._reading: asyncio.Task[Records] | None = None
        self._signing: dict[str, KeyRecord] = {}

    async def records(self) -> Records:
        """All of them; the same object until something was changed.

        Raises:
            RegistryError: they cannot be read.
        """
        if monotonic() < self._until:
            return self._records
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._refresh())
        # whoever gives up must not take the others' answer along
        return await asyncio.shield(self._reading)

    def known(self, issuer: str) -> KeyRecord | None:
        """The key that signs for an issuer, if that was read just now and is still believed."""
        return self._signing.get(issuer) if monotonic() < self._until else None

    async def signing(self, issuer: str) -> KeyRecord:
        """The key that signs for an issuer now.

        Raises:
            NoKeyError: there is none.
            RegistryError: nobody knows.
        """
        found = self.known(issuer)
        if found is None:
            found = self._signing[issuer] = signing_key(await self.records(), issuer)
        return found

    def forget(self) -> None:
        """Read again before the next answer."""
        self._until = 0.0

    async def _refresh(self) -> Records:
        begun = monotonic()
        stamp, records = await asyncio.to_thread(self._read)
        if records is not self._records:
            self._signing = {}
        self._stamp, self._records, self._until = stamp, records, begun + FRESH
        return records

    def _read(self) -> tuple[tuple[int, ...], Records]:
        stamp = self._registry.stamp()  # before the records: what changes in between is seen the next time
        if stamp == self._stamp:
            return stamp, self._records
        return stamp, tuple(self._registry.records())
