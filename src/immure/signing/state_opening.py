"""Opens the state at a place: a URL of PostgreSQL, or the path of an SQLite file."""

from __future__ import annotations

import os

from immure.signing.state import State


def open_state(place: str | os.PathLike[str], *, create: bool = False) -> State:
    """The state at a place; an SQLite file is made if it is not there.

    Args:
        place: ``postgresql://…`` or a path.
        create: make the tables in PostgreSQL.

    Raises:
        StateError: it cannot be opened, or is something else.
    """
    text = os.fspath(place)
    if text.startswith(("postgresql://", "postgres://")):
        from immure.signing.postgres_state import PostgresState

        return PostgresState(text, create=create)
    from immure.signing.sqlite_state import SqliteState

    return SqliteState(text)
