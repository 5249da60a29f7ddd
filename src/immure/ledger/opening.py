"""Opens the ledger at a place: a URL of PostgreSQL, or the path of an SQLite database."""

from __future__ import annotations

from immure.ledger.store import LedgerStore


def open_ledger(place: str, *, create: bool = False) -> LedgerStore:
    """The store of a ledger.

    Args:
        place: ``postgresql://…`` or a path.
        create: make it if it is not there.

    Raises:
        LedgerError: it is not there, or no ledger.
    """
    if place.startswith(("postgresql://", "postgres://")):
        from immure.ledger.postgres_store import PostgresLedger

        return PostgresLedger(place, create=create)
    from immure.ledger.sqlite_store import SqliteLedger

    return SqliteLedger(place, create=create)
