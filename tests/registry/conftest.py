from __future__ import annotations

from collections.abc import Iterator

import pytest

from servers.postgres import Postgres, running
from servers.program import directory
from servers.tls import Authority

from .postgres import with_one_key


@pytest.fixture(scope="session")
def authority() -> Iterator[Authority]:
    """Signs the certificate of the PostgreSQL for this run."""
    with directory() as place:
        yield Authority(place)


@pytest.fixture(scope="session")
def cluster(authority: Authority) -> Iterator[Postgres]:
    """A PostgreSQL for this run."""
    with running(tls=authority.issue("server")) as server:
        yield server


@pytest.fixture
def postgres(cluster: Postgres) -> Iterator[Postgres]:
    """The same; what a test borrows of it, the next one gets empty."""
    yield cluster
    cluster.recycle()


@pytest.fixture
def name(postgres: Postgres) -> str:
    """A database with a registry of one key."""
    return with_one_key(postgres, postgres.lend())
