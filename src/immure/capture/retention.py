"""How much of the vault's disk captures may take, and what goes when that is full.

By default nothing goes: what is sealed is evidence, and whoever can crash programs could otherwise push it
out. With ``rotate`` the oldest captures are destroyed first. Dumps that were sealed otherwise are never
touched.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Final, Protocol, TypeVar

from immure.capture.keeping import GivenUpError, SealedDump
from immure.dumps.limits import GIB

#: What the names of captured dumps begin with (:attr:`immure.capture.crash.Crash.name`).
PREFIX: Final = "core."


class StoredDump(SealedDump, Protocol):
    """A dump in the vault, with its name and when it was sealed."""

    @property
    def name(self) -> str:
        """What it was called."""

    @property
    def sealed_at(self) -> datetime:
        """When it was sealed."""


D = TypeVar("D", bound=StoredDump, covariant=True)


class Store(Protocol[D]):
    """A vault, as far as it matters here."""

    def seal(self, pieces: Iterable[bytes], *, name: str) -> D:
        """Seal a stream."""

    def list(self) -> Iterable[D]:
        """All dumps."""

    def destroy(self, identity: str) -> object:
        """Destroy one."""


class BoundedVault:
    """A vault in which captures take so much and no more.

    Args:
        store: the vault.
        directory: where it is: free space is looked at there.
        limit: bytes of all captures in it; None for no bound but the free space.
        rotate: destroy the oldest rather than refuse a new one.
        margin: free bytes that are left on the file system.
        destroyed: told of each dump that had to go.
    """

    def __init__(
        self,
        store: Store[StoredDump],
        directory: str,
        *,
        limit: int | None = None,
        rotate: bool = False,
        margin: int = GIB,
        destroyed: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._store = store
        self._directory = directory
        self._limit = limit
        self._rotate = rotate
        self._margin = margin
        self._destroyed = destroyed
        self._incoming = 0
        self._stored: list[StoredDump] = []
        self._lock = threading.Lock()

    def seal(self, pieces: Iterable[bytes], *, name: str) -> StoredDump:
        """Seal a stream, as :meth:`immure.vault.Vault.seal`.

        Raises:
            GivenUpError: there is no room for it.
            VaultError: it cannot be sealed.
        """
        with self._lock:
            ours = [dump for dump in self._store.list() if dump.name.startswith(PREFIX)]
            self._stored = sorted(ours, key=lambda dump: (dump.sealed_at, dump.id))
        taken = [0]
        try:
            return self._store.seal(self._counted(pieces, taken), name=name)
        finally:
            with self._lock:
                self._incoming -= taken[0]

    def _counted(self, pieces: Iterable[bytes], taken: list[int]) -> Iterator[bytes]:
        """The pieces, as long as there is room for them; ``taken`` is what they count for."""
        for piece in pieces:
            with self._lock:
                taken[0] += len(piece)
                self._incoming += len(piece)
                self._make_room()
            yield piece

    def _make_room(self) -> None:
        space = os.statvfs(self._directory)
        if space.f_bavail * space.f_frsize < self._margin:
            raise GivenUpError("disk", "the vault's file system is nearly full", path=self._directory)
        if self._limit is None:
            return
        going = oldest_to_go([dump.size for dump in self._stored], self._incoming, self._limit)
        if going is None or (going and not self._rotate):
            raise GivenUpError("vault-full", f"captures may take {self._limit} bytes of the vault, and do")
        for dump in self._stored[:going]:
            self._store.destroy(dump.id)
            self._destroyed(dump.id)
        del self._stored[:going]


def oldest_to_go(sizes: list[int], incoming: int, limit: int) -> int | None:
    """How many of the oldest (first) dumps have to go so that ``incoming`` bytes fit; None if they cannot.

    >>> [oldest_to_go([10, 20, 30], incoming, 100) for incoming in (25, 60, 101)]
    [0, 2, None]
    """
    if incoming > limit:
        return None
    excess = sum(sizes) + incoming - limit
    count = 0
    while excess > 0:
        excess -= sizes[count]
        count += 1
    return count
