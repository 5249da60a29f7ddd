"""The server as an ASGI application.

    app = application(read_settings("introspection.toml"))        # for any ASGI server

Paths: ``/introspect``, ``/auth/NAME`` and all below it, ``/deny-list`` if the policy has one, ``/healthz``,
``/readyz``, ``/metrics``.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress

from immure import clock
from immure.introspection.asgi import JSON, NO_STORE, Receive, Scope, Send, answer, answer_error
from immure.introspection.authenticate import Authenticator
from immure.introspection.deciding import Desk
from immure.introspection.deny_list import DenyListPage
from immure.introspection.errors import NoSuchPageError, ReadMethodError, RequestError
from immure.introspection.forward import ForwardAuth
from immure.introspection.introspect import Introspection
from immure.introspection.journal import Journal
from immure.introspection.metrics import MEDIA_TYPE, Metrics
from immure.introspection.readiness import Readiness
from immure.introspection.settings import Settings
from immure.introspection.watch import Watch
from immure.tokens.acceptance.errors import AcceptanceLogError
from immure.tokens.acceptance.log import AcceptanceLog
from immure.tokens.deny_list_guard import DenyListGuard
from immure.tokens.source import KeySource

_Handler = Callable[[Scope, Receive, Send], Awaitable[None]]


def application(
    settings: Settings, *, journal: Journal | None = None, time: clock.Clock = clock.now
) -> IntrospectionApp:
    """The application.

    Args:
        settings: see :class:`Settings`.
        journal: where events go; standard error by default.
        time: where the time is from.

    Raises:
        AcceptanceLogError: the log cannot be opened.
    """
    return IntrospectionApp(settings, journal or Journal(sys.stderr), time)


class IntrospectionApp:
    """See :func:`application`. Its log is open from the beginning, and closed when the server stops."""

    def __init__(self, settings: Settings, journal: Journal, time: clock.Clock) -> None:
        self._journal = journal
        self.watch = Watch(Metrics(), journal, settings.journal)
        self.log = self._opened(settings, time)
        self._sources = _sources(settings)
        self.readiness = Readiness(self._sources, self.log, journal)
        self._waiting: asyncio.Task[None] | None = None
        self._pages: dict[bytes, _Handler] = {
            b"/introspect": self._introspection(settings, time),
            b"/healthz": self._healthz,
            b"/readyz": self._readyz,
        }
        guard = settings.policy.deny_list
        self._denies = guard if isinstance(guard, DenyListGuard) else None
        if self._denies is not None:
            self._pages[b"/deny-list"] = DenyListPage(self._denies, settings.policy.issuers, journal)
        if settings.metrics:
            self._pages[b"/metrics"] = self._metrics
        self._profiles = {
            name.encode("ascii"): ForwardAuth(
                one,
                settings,
                self._desk(
                    settings, frozenset({one.audience}), name, "forward-auth", time, scopes=one.scopes
                ),
            )
            for name, one in settings.forward.items()
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or the life of the server."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        try:
            path = scope.get("raw_path")
            if path is None:  # a server may leave it out
                path = scope["path"].encode("utf-8")
            await self._page(path)(scope, receive, send)
        except RequestError as error:
            await answer_error(send, error)

    def _page(self, path: bytes) -> _Handler:
        page = self._pages.get(path)
        if page is None and path.startswith(b"/auth/"):
            page = self._profiles.get(path[6:].partition(b"/")[0])
        if page is None:
            raise NoSuchPageError("there is nothing at this path")
        return page

    # --- what it is made of ---

    def _opened(self, settings: Settings, time: clock.Clock) -> AcceptanceLog | None:
        if settings.log_directory is None:
            return None
        log = AcceptanceLog(settings.log_directory, settings.keeping, notice=self.watch.log, time=time)
        for one in log.recovered:
            self._journal.write("log-recovered", path=str(one.path), torn_bytes=one.torn)
        return log

    def _introspection(self, settings: Settings, time: clock.Clock) -> Introspection:
        desks = {
            name: self._desk(
                settings, one.audiences, name, "introspection", time, checks_binding=one.checks_binding
            )
            for name, one in settings.clients.items()
        }
        return Introspection(settings, desks, Authenticator(settings, time=time), self.watch)

    def _desk(
        self,
        settings: Settings,
        audiences: frozenset[str],
        party: str,
        channel: str,
        time: clock.Clock,
        *,
        scopes: frozenset[str] = frozenset(),
        checks_binding: bool = False,
    ) -> Desk:
        return Desk(
            settings.policy,
            audiences,
            party,
            channel,
            self.log,
            self.watch,
            scopes=scopes,
            checks_binding=checks_binding,
            now=time,
        )

    # --- its life ---

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                self._waiting = asyncio.create_task(self.readiness.wait())
                if self._denies is not None:
                    self._denies.look()  # from now on it is fetched, and not only when a token comes
                self._journal.write("started")
                await send({"type": "lifespan.startup.complete"})
            else:
                await self._stop()
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _stop(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            with suppress(asyncio.CancelledError):
                await self._waiting
        if self.log is not None:
            try:
                await asyncio.to_thread(self.log.close)
            except AcceptanceLogError as error:
                self._journal.write("log-failed", reason=str(error))
        self.watch.metrics.close()
        self._journal.write("stopped")

    # --- for those who watch ---

    async def _healthz(self, scope: Scope, receive: Receive, send: Send) -> None:
        _only_reading(scope)
        await answer(send, 200, b'{"status":"ok"}', (JSON, NO_STORE))

    async def _readyz(self, scope: Scope, receive: Receive, send: Send) -> None:
        _only_reading(scope)
        lacking = self.readiness.lacking
        body = json.dumps({"ready": not lacking, "lacking": lacking}).encode("ascii")
        await answer(send, 503 if lacking else 200, body, (JSON, NO_STORE))

    async def _metrics(self, scope: Scope, receive: Receive, send: Send) -> None:
        _only_reading(scope)
        self.watch.metrics.sources(self._sources.items())
        text = self.watch.metrics.text()
        await answer(send, 200, text, ((b"content-type", MEDIA_TYPE.encode("ascii")), NO_STORE))


def _sources(settings: Settings) -> dict[str, KeySource]:
    """Those of issuers, and those of clients that sign assertions."""
    found = {issuer: rule.source for issuer, rule in settings.policy.issuers.items()}
    return found | {f"client {name}": one.keys for name, one in settings.clients.items() if one.keys}


def _only_reading(scope: Scope) -> None:
    if scope["method"] not in ("GET", "HEAD"):
        raise ReadMethodError("one can only read here")
