from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest

from immure.signing.service import Service
from signing.house import House, client_of

T = TypeVar("T")


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


@pytest.fixture
def run() -> Callable[..., Any]:
    """Runs ``work(client, service)`` against a service of its own."""
    import asyncio

    def run(house: House, work: Callable[[httpx.AsyncClient, Service], Any], **options: Any) -> Any:
        async def inner() -> Any:
            service = await Service.start(house.settings, stream=None, **options)
            try:
                async with client_of(service) as client:
                    return await work(client, service)
            finally:
                await service.stop()

        return asyncio.run(inner())

    return run
