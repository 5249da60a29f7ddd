"""Opens the store of key records at a path.

>>> open_store("no/such/keys.toml")
Traceback (most recent call last):
...
immure.registry.errors.RegistryError: no/such/keys.toml: does not exist
"""

from __future__ import annotations

import os

from immure.registry.store import Store


def open_store(path: str | os.PathLike[str], *, create: bool = False) -> Store:
    """The store at a path: TOML if its name ends in ``.toml``, else SQLite.

    Raises:
        RegistryError: it does not exist (and ``create`` is false), or cannot be opened.
    """
    if os.fspath(path).endswith(".toml"):
        from immure.registry.toml_store import TomlStore

        return TomlStore(path, create=create)
    from immure.registry.sqlite_store import SqliteStore

    return SqliteStore(path, create=create)
