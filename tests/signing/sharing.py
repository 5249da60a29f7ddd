"""A service that several tests have in common, in a loop of its own thread."""

from __future__ import annotations

import asyncio
import io
import threading
from collections.abc import Callable
from typing import Any

import httpx

from immure.signing.service import Service
from signing.house import House, client_of


class Shared:
    """``shared(work)`` runs ``work(client, service)`` with a client of its own."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.journal = io.StringIO()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Shared:
        self._thread.start()
        self.service = self.wait(Service.start(self.house.settings, stream=self.journal))
        return self

    def __exit__(self, *_: object) -> None:
        self.wait(self.service.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def __call__(self, work: Callable[[httpx.AsyncClient, Service], Any]) -> Any:
        async def inner() -> Any:
            async with client_of(self.service) as client:
                return await work(client, self.service)

        return self.wait(inner())

    def wait(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)
