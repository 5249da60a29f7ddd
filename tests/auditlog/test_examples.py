"""Examples in docstrings run."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import immure.auditlog

MODULES = [
    "immure.auditlog",
    *(f"immure.auditlog.{found.name}" for found in pkgutil.iter_modules(immure.auditlog.__path__)),
]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_the_library_opens_with_an_example() -> None:
    assert doctest.testmod(immure.auditlog).attempted > 8
