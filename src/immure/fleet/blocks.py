"""Random access to an object by ranges of it: fetched in large blocks, ahead of the reader, each once as long
as there is room."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from typing import Final

from immure.dumps.dump import Reader
from immure.errors import ImmureError
from immure.fleet.errors import StoreError

#: Bytes of one request. A request costs some tens of milliseconds whatever it brings.
BLOCK_BYTES: Final = 8 << 20
#: Blocks asked for ahead of the one that is read.
AHEAD: Final = 3


class BlockReader(Reader):
    """Reads by ``fetch(start, stop)``, from any thread. The first error is kept in ``fault``: parsers of
    archives take every error for the archive's, but a store that failed must not look like that.

    Args:
        fetch: gives exactly these bytes, or raises :class:`ImmureError`.
        path: for error messages.
        size: of the object in bytes.
        memory_bytes: blocks kept, in bytes; at least those under way.
    """

    def __init__(
        self,
        fetch: Callable[[int, int], bytes],
        path: str,
        size: int,
        memory_bytes: int,
        block_bytes: int = BLOCK_BYTES,
    ) -> None:
        self.size: int | None = size
        self.fault: ImmureError | None = None
        self._fetch = fetch
        self._path = path
        self._length = size
        self._block_bytes = block_bytes
        self._most = max(AHEAD + 2, memory_bytes // block_bytes)
        self._blocks: OrderedDict[int, Future[bytes]] = OrderedDict()
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(AHEAD + 1, thread_name_prefix="immure-fetch")
        self._last = -2

    def read_into(self, offset: int, view: memoryview) -> int:
        """See :meth:`Reader.read_into`; but what the store does not give raises.

        Raises:
            StoreError: the store failed.
        """
        wanted = max(0, min(len(view), self._length - offset))
        filled = 0
        while filled < wanted:
            number, inside = divmod(offset + filled, self._block_bytes)
            block = self._block(number)
            piece = memoryview(block)[inside : inside + wanted - filled]
            view[filled : filled + len(piece)] = piece
            filled += len(piece)
        return wanted

    def _block(self, number: int) -> bytes:
        while True:
            future = self._asked_for(number)
            try:
                return future.result()
            except CancelledError:  # another thread needed the room before it was fetched
                continue
            except ImmureError as error:
                self.fault = self.fault or error
                raise

    def _asked_for(self, number: int) -> Future[bytes]:
        """The block, under way, and those behind it."""
        with self._lock:
            if self.fault is not None:
                raise self.fault
            future = self._want(number)
            # somebody who reads on is served ahead; somebody who jumps to and fro is not
            ahead = AHEAD if number in (self._last, self._last + 1) else 0
            self._last = number
            for later in range(number + 1, number + 1 + ahead):
                if later * self._block_bytes < self._length:
                    self._want(later)
            self._make_room(number)
        return future

    def _want(self, number: int) -> Future[bytes]:
        future = self._blocks.get(number)
        if future is None:
            future = self._blocks[number] = self._pool.submit(self._load, number)
        self._blocks.move_to_end(number)
        return future

    def _make_room(self, keep: int) -> None:
        while len(self._blocks) > self._most:
            oldest = next(iter(self._blocks))
            if oldest == keep:
                return
            self._blocks.pop(oldest).cancel()

    def _load(self, number: int) -> bytes:
        start = number * self._block_bytes
        stop = min(start + self._block_bytes, self._length)
        data = self._fetch(start, stop)
        if len(data) != stop - start:
            reason = f"the store gave {len(data)} of {stop - start} bytes"
            raise StoreError(reason, path=self._path, offset=start)
        return data

    def close(self) -> None:
        """See :meth:`Reader.close`."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._blocks.clear()
