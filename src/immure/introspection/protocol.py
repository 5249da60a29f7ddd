"""The HTTP of uvicorn with bounds that it has not: on the size of a request's head, and on the time that a
request takes to come.

Without them, one connection could send headers for ever, and many could wait for ever in the middle of one.
"""

from __future__ import annotations

from asyncio import TimerHandle, Transport
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

#: Bytes of request line and headers: a token of 16 KiB, a certificate, and room for what proxies add.
MOST_BYTES: Final = 64 << 10
#: Seconds until a whole request must be there.
PATIENCE: Final = 10.0


class BoundedProtocol(HttpToolsProtocol):
    """One connection."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._in_head = self._in_request = True
        self._size = 0
        self._timer: TimerHandle | None = None

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """Called by the loop; the first request must come in time."""
        super().connection_made(transport)
        self._timer = self.loop.call_later(PATIENCE, self._abort)

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the loop."""
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Called by the loop; a head that is too long ends the connection."""
        self._size += len(data)
        if self._in_head and self._size - len(data) > MOST_BYTES:
            self._abort()
            return
        super().data_received(data)
        if not self._in_request:
            if self._timer is not None:
                self._stop_timer()
        elif self._timer is None and not self.transport.is_closing():
            self._timer = self.loop.call_later(PATIENCE, self._abort)

    def on_message_begin(self) -> None:
        """Called by the parser."""
        self._in_head = self._in_request = True
        self._size = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Called by the parser."""
        self._in_head = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Called by the parser."""
        self._in_request = False
        super().on_message_complete()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _abort(self) -> None:
        self._stop_timer()
        if not self.transport.is_closing():
            self.transport.abort()
