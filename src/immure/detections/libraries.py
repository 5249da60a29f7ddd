"""The libraries of the extra ``detect``, loaded where they are needed.

>>> library("json").dumps([1])
'[1]'
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from immure.errors import UsageError


def library(name: str, *, extra: str = "detect") -> Any:
    """A module of an extra.

    Raises:
        UsageError: it is not installed; says what to install.
    """
    try:
        return import_module(name)
    except ImportError as error:
        root = name.partition(".")[0]
        raise UsageError(f"needs {root}: pip install 'immure[{extra}]'") from error
