"""Real cores, made once."""

from __future__ import annotations

import pytest

from .readers.cores import RealCore, take


@pytest.fixture(scope="session")
def python_core(tmp_path_factory: pytest.TempPathFactory) -> RealCore:
    """A Python process that signed with an RSA, a P-256 and an Ed25519 key."""
    return take("python-cryptography", tmp_path_factory.mktemp("python"))
