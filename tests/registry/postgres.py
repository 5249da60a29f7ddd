"""A registry in a PostgreSQL of the tests."""

from __future__ import annotations

from immure.registry.opening import open_store
from immure.registry.scope import KeyScope
from immure.registry.state import KeyState
from servers.postgres import Postgres

from .material import ISSUER, record


def with_one_key(server: Postgres, name: str) -> str:
    """The name of this database, with a registry of one active key in it."""
    with open_store(server.url(database=name), create=True) as store:
        store.add([record(scope=KeyScope(ISSUER), state=KeyState.ACTIVE)])
    return name
