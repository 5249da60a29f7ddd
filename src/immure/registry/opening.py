"""Opens the store of key records at a path or URL.

>>> open_store("no/such/keys.toml")
Traceback (most recent call last):
...
immure.registry.errors.RegistryError: no/such/keys.toml: does not exist
"""

from __future__ import annotations

import os

from immure.registry.errors import RegistryError
from immure.registry.sql_url import is_url
from immure.registry.store import Store


def open_store(path: str | os.PathLike[str], *, create: bool = False) -> Store:
    """The store at a path: TOML if its name ends in ``.toml``, PostgreSQL for a URL, else SQLite.

    Raises:
        RegistryError: it does not exist (and ``create`` is false), or cannot be opened.
    """
    text = os.fspath(path)
    if is_url(text):
        return _open_url(text, create=create)
    if text.endswith(".toml"):
        from immure.registry.toml_store import TomlStore

        return TomlStore(path, create=create)
    from immure.registry.sqlite_store import SqliteStore

    return SqliteStore(path, create=create)


def migrate_store(path: str | os.PathLike[str]) -> None:
    """Make the registry at a path or URL if it is not there, and bring an older layout up to date.

    Raises:
        RegistryError: it cannot be done, or the layout is a newer one.
    """
    text = os.fspath(path)
    if not is_url(text):
        open_store(path, create=True).close()
        return
    try:
        from immure.registry.sql_store import migrate

        migrate(text)
    except ImportError as error:
        raise _incomplete(text) from error


def _open_url(url: str, *, create: bool) -> Store:
    try:
        from immure.registry.sql_store import SqlStore

        return SqlStore(url, create=create)
    except ImportError as error:
        raise _incomplete(url) from error


def _incomplete(url: str) -> RegistryError:
    # the URL itself is not shown: without SQLAlchemy nobody has looked yet where its password is
    path = f"{url.partition(':')[0]}://…"
    return RegistryError("needs SQLAlchemy, Alembic and psycopg: pip install 'immure[postgresql]'", path=path)
