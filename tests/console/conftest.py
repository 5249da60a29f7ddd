"""One world for the tests of a module, on a disk in memory: what is tested is not the disk."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from access.rooms import RAM

from .world import ConsoleWorld, Visitor


@pytest.fixture(scope="session")
def console_world() -> Iterator[ConsoleWorld]:
    """A console with two tenants."""
    top = Path(tempfile.mkdtemp(prefix="immure-console-", dir=RAM))
    world = ConsoleWorld(top)
    yield world
    world.room.door.close()
    shutil.rmtree(top)


@pytest.fixture(scope="module")
def client(console_world: ConsoleWorld) -> Iterator[TestClient]:
    """The console, running."""
    with console_world.client() as made:
        yield made


@pytest.fixture(scope="module")
def signed_in(console_world: ConsoleWorld, client: TestClient) -> Callable[[str], Visitor]:
    """Somebody who has signed in; the same each time."""
    known: dict[str, Visitor] = {}

    def visitor(account: str) -> Visitor:
        if account not in known:
            known[account] = Visitor(console_world, client)
        if known[account].get("/sign-in").headers.get("location") != "/":
            known[account].sign_in(account)
        return known[account]

    return visitor


@pytest.fixture
def nobody(console_world: ConsoleWorld, client: TestClient) -> Visitor:
    """Somebody who has not."""
    return Visitor(console_world, client)
