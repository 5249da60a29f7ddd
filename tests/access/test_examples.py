"""The examples in the docstrings of the room."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import immure.access

MODULES = sorted(module.name for module in pkgutil.walk_packages(immure.access.__path__, "immure.access."))


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name), raise_on_error=False).failed == 0


def test_there_are_some() -> None:
    found = [doctest.DocTestFinder().find(importlib.import_module(name)) for name in MODULES]
    assert sum(len(test.examples) for tests in found for test in tests) >= 10


def test_looking_needs_no_fido2() -> None:
    """A gate that only asks is small: ``fido2`` is for registering keys."""
    import subprocess
    import sys

    code = "import sys, immure.access; print([name for name in sys.modules if name.startswith('fido2')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
