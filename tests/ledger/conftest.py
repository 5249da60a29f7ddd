from __future__ import annotations

from collections.abc import Iterator

import pytest

from servers.postgres import Postgres, running


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL for this run; each test takes a database of its own from it."""
    with running() as server:
        yield server
