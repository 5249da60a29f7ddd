"""The examples in docstrings of the rooms vault and transfer are right."""

from __future__ import annotations

import doctest
import importlib

import pytest


@pytest.mark.parametrize(
    "name",
    [
        "immure.transfer.destinations",
        "immure.transfer.places",
        "immure.transfer.rules",
        "immure.transfer.table",
        "immure.vault.wrapping",
    ],
)
def test_examples(name: str) -> None:
    result = doctest.testmod(importlib.import_module(name))
    assert result.attempted
    assert not result.failed
