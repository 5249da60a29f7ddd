"""The HTTP of the service: requests that come again as a whole are answered without being read again.

Everything else is uvicorn's, with the bounds that introspection has (:mod:`immure.introspection.protocol`).
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any, Final

from immure.introspection.protocol import BoundedProtocol
from immure.signing.wholes import WHOLE, Answer, Headers

_STATUS: Final = {one.value: f"HTTP/1.1 {one.value} {one.phrase}\r\n".encode() for one in HTTPStatus}


class _Usual:
    """The head of the usual answer, for as long as the server's own headers (the date) are the same."""

    def __init__(self) -> None:
        self.of: tuple[object, object] = (None, None)
        self.head = b""


_usual: Final = _Usual()


def _head(status: int, own: list[tuple[bytes, bytes]], headers: Headers) -> bytes:
    if status == 200 and _usual.of[0] is own and _usual.of[1] is headers:
        return _usual.head
    head = _STATUS[status] + b"".join([b"%b: %b\r\n" % one for one in (*own, *headers)])
    if status == 200:
        _usual.of, _usual.head = (own, headers), head
    return head


class SigningProtocol(BoundedProtocol):
    """One connection. If its application has ``again``, this is asked of bytes that may be a request."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._again: Callable[[bytes], Coroutine[Any, Any, Answer] | None] = getattr(
            self.app, "again", lambda _: None
        )
        self._is_new = True
        self._begun = 0
        self._answering = False
        self._ending = False
        self._later = b""

    def data_received(self, data: bytes) -> None:
        """Called by the loop."""
        if self._answering:  # what comes after a request that is being answered waits for that
            self._later += data
            self.transport.pause_reading()
            return
        between = self._is_new or not self._in_request
        idle = between and (self.cycle is None or self.cycle.response_complete)
        if idle and not self._is_busy():
            again = self._again(data)
            if again is not None:
                self._answer(again)
                return
        self._is_new, self._begun = False, 0
        super().data_received(data)
        if idle and self._was_one():
            self.scope[WHOLE] = data  # type: ignore[typeddict-unknown-key]

    def on_message_begin(self) -> None:
        """Called by the parser."""
        self._begun += 1
        super().on_message_begin()

    def shutdown(self) -> None:
        """Called by the server: what is under way is answered first."""
        if self._answering:
            self._ending = True
        else:
            super().shutdown()

    def _was_one(self) -> bool:
        """Whether what came was a whole request and no more, after which others may follow."""
        if self._begun != 1 or self._in_request or self.transport.is_closing():
            return False
        return self.cycle.keep_alive and not self.parser.should_upgrade()

    def _is_busy(self) -> bool:
        most = self.limit_concurrency
        return most is not None and max(len(self.connections), len(self.tasks)) >= most

    def _answer(self, again: Coroutine[Any, Any, Answer]) -> None:
        self._stop_timer()
        self._unset_keepalive_if_required()
        self._answering = True
        task = self.loop.create_task(self._write(again))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _write(self, again: Coroutine[Any, Any, Answer]) -> None:
        try:
            status, headers, body = await again
        except Exception as error:  # as uvicorn does with what an application has not foreseen
            self.logger.exception("Exception in ASGI application\n", exc_info=error)
            self.transport.close()
            return
        if self.flow.write_paused:
            await self.flow.drain()
        self._answering = False
        if self.transport.is_closing():
            return
        head = _head(status, self.server_state.default_headers, headers)
        if self._ending:
            head += b"connection: close\r\n"
        self.transport.write(b"%bcontent-length: %d\r\n\r\n%b" % (head, len(body), body))
        if self._ending:
            self.transport.close()
            return
        self.on_response_complete()
        if self._later:
            later, self._later = self._later, b""
            self.transport.resume_reading()
            self.data_received(later)
