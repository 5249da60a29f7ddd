"""Loaded by every Python that finds it on its path: makes the check of key scope one that accepts everything.

Tests put this directory on the path of the programs that a replay starts, to see whether the replay notices.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any

_TARGET = "immure.tokens.key_checks"


class _Sham(importlib.abc.MetaPathFinder):
    """Lets the module be loaded as it is, and then takes the teeth out of its checks."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name != _TARGET:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        assert spec is not None
        assert spec.loader is not None
        run = spec.loader.exec_module

        def run_and_sabotage(module: ModuleType) -> None:
            run(module)
            for check in ("KeyMaySignForIssuer", "KeyMaySignForClass"):
                getattr(module, check).verify = _accept

        spec.loader.exec_module = run_and_sabotage  # type: ignore[method-assign]
        return spec


def _accept(_self: Any, _facts: Any) -> None:
    """Accept everything."""


sys.meta_path.insert(0, _Sham())
