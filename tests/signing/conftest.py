from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from immure.signing.service import Service
from servers.postgres import Postgres, running
from signing.house import House, client_of
from signing.sharing import Shared
from tokens.minting import jwk


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    """One service for all tests of a file that leave it as it was: ``shared(work)``."""
    keys = {"keys": [jwk("ES256", issuer=None)]}
    with Shared(House(tmp_path_factory.mktemp("shared"), idp=keys, signer=keys)) as shared:
        yield shared


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """One server for all tests here; each takes a database of its own."""
    with running() as server:
        yield server


@pytest.fixture
def run() -> Callable[..., Any]:
    """Runs ``work(client, service)`` against a service of its own."""

    def run(house: House, work: Callable[[httpx.AsyncClient, Service], Any], **options: Any) -> Any:
        async def inner() -> Any:
            options.setdefault("stream", None)
            service = await Service.start(house.settings, **options)
            try:
                async with client_of(service) as client:
                    return await work(client, service)
            finally:
                await service.stop()

        return asyncio.run(inner())

    return run
