from __future__ import annotations

import pytest

from .making import Made, ed25519_key, rsa_key


@pytest.fixture(scope="session")
def key() -> Made:
    return ed25519_key()


@pytest.fixture(scope="session")
def other() -> Made:
    return ed25519_key()


@pytest.fixture(scope="session")
def long_key() -> Made:
    return rsa_key()
