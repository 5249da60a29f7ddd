"""What is not installed is said in one line, before anything is done."""

from __future__ import annotations

from importlib.util import find_spec

from immure.errors import UsageError

#: Modules of the extra ``detect``.
MODULES = ("duckdb", "msgspec", "pyarrow", "yaml")


def need_extra() -> None:
    """Raises UsageError if a library of the extra is missing."""
    missing = [name for name in MODULES if find_spec(name) is None]
    if missing:
        raise UsageError(f"needs {', '.join(missing)}: pip install 'immure[detect]'")
