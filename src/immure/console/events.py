"""News by server-sent events (HTML, section 9.2): that a page would look different now, never what it shows.

Each tenant is looked at by one task, however many look on, and by none while nobody does.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from immure.console.pages import PAGES
from immure.console.sessions import Sessions
from immure.console.tenant import Tenant
from immure.errors import ImmureError

#: Streams at a time, and those of one person.
MOST: Final = 512
MOST_OF_ONE: Final = 12
#: Seconds after which a stream says that it is there, and asks whether the session is.
_BREATH: Final = 10.0
_BACKLOG: Final = 32


class Events:
    """Tells browsers that there is news.

    Args:
        tenants: by name.
        sessions: end streams when they end.
        pause: seconds between two looks.
    """

    def __init__(self, tenants: Mapping[str, Tenant], sessions: Sessions, pause: float) -> None:
        self._tenants, self._sessions, self._pause = tenants, sessions, pause
        self._listeners: dict[str, dict[asyncio.Queue[str | None], str]] = {name: {} for name in tenants}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Streams end when the server is asked to stop: it would wait for them."""
        handlers: dict[signal.Signals, Any] = {}
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                handlers[number] = signal.getsignal(number)
                signal.signal(number, self._stopping(asyncio.get_running_loop(), handlers[number]))
        try:
            yield
        finally:
            self._close()
            for number, handler in handlers.items():
                signal.signal(number, handler)

    def _stopping(self, loop: asyncio.AbstractEventLoop, then: Any) -> Any:
        def stop(number: int, frame: Any) -> None:
            loop.call_soon_threadsafe(self._close)
            if callable(then):
                then(number, frame)

        return stop

    def _close(self) -> None:
        for task in self._tasks.values():
            task.cancel()
        for listeners in self._listeners.values():
            for queue in listeners:
                _tell(queue, None)

    async def stream(self, request: Request) -> Response:
        """The endpoint of ``/t/TENANT/events``."""
        person, name = request.state.person, request.path_params["tenant"]
        tenant = self._tenants.get(name)
        if person is None:
            raise HTTPException(401, "nobody has signed in")
        role = tenant.role_of(person) if tenant else None
        if tenant is None or role is None:
            raise HTTPException(404, "there is no such page")
        everyone = [who for listeners in self._listeners.values() for who in listeners.values()]
        if len(everyone) >= MOST or everyone.count(person) >= MOST_OF_ONE:
            raise HTTPException(503, "too many look on at once")
        pages = {one.name for one in PAGES if one.is_there(tenant.settings) and role >= one.role}
        lines = self._lines(tenant, person, request.state.cookie, pages)
        return StreamingResponse(lines, media_type="text/event-stream", headers={"x-accel-buffering": "no"})

    async def _lines(
        self, tenant: Tenant, person: str, cookie: str | None, pages: set[str]
    ) -> AsyncIterator[str]:
        queue: asyncio.Queue[str | None] = asyncio.Queue(_BACKLOG)
        listeners = self._listeners[tenant.name]
        listeners[queue] = person
        if tenant.name not in self._tasks or self._tasks[tenant.name].done():
            self._tasks[tenant.name] = asyncio.create_task(self._look(tenant))
        try:
            yield "retry: 3000\n\n"
            while True:
                try:
                    page = await asyncio.wait_for(queue.get(), _BREATH)
                except TimeoutError:
                    if not await asyncio.to_thread(self._is_in, cookie):
                        yield "event: ended\ndata: {}\n\n"
                        return
                    yield ": here\n\n"
                    continue
                if page is None:
                    return
                if page in pages:
                    yield f"event: changed\ndata: {json.dumps({'page': page})}\n\n"
        finally:
            listeners.pop(queue, None)

    def _is_in(self, cookie: str | None) -> bool:
        try:
            return self._sessions.find(cookie, use=False) is not None
        except ImmureError:  # whoever vouches for people cannot be asked: then nobody is in
            return False

    async def _look(self, tenant: Tenant) -> None:
        pages = [one for one in PAGES if one.is_there(tenant.settings) and one.stamp]
        seen: dict[str, Any] = {}
        while self._listeners[tenant.name]:
            for page in pages:
                stamp = await asyncio.to_thread(_stamp, page.stamp, tenant)
                if seen.setdefault(page.name, stamp) != stamp:
                    seen[page.name] = stamp
                    for queue in list(self._listeners[tenant.name]):
                        _tell(queue, page.name)
            await asyncio.sleep(self._pause)


def _stamp(stamp: Any, tenant: Tenant) -> Any:
    """What cannot be read now is news, too: the page says so."""
    try:
        return stamp(tenant)
    except (ImmureError, OSError) as error:
        return str(error)


def _tell(queue: asyncio.Queue[str | None], page: str | None) -> None:
    """One who does not read misses nothing but the news that there is more news; the end they must hear."""
    while True:
        try:
            queue.put_nowait(page)
        except asyncio.QueueFull:
            if page is not None:
                return
            queue.get_nowait()
        else:
            return
