"""What is not installed is said in one line, before anything is done."""

from __future__ import annotations

from importlib.util import find_spec

from immure.errors import UsageError


def need_extra() -> None:
    """Raises UsageError if the library of the extra is missing."""
    if find_spec("fido2") is None:
        raise UsageError("needs fido2: pip install 'immure[access]'")
