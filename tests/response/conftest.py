from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from immure.custody.signer import Signer
from immure.response.incident import Incident
from response.house import make_key, opened
from response.tsa import Tsa, tsa_server


@pytest.fixture(autouse=True)
def unsynced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing waits for the disk here: a process that is killed takes nothing with it of what the kernel has.
    That files are synced, and in which order, is tested where they are written (tests/auditlog)."""
    monkeypatch.setattr(os, "fsync", lambda handle: None)


@pytest.fixture
def key(tmp_path: Path) -> Signer:
    return make_key(tmp_path)


@pytest.fixture
def incident(tmp_path: Path, key: Signer) -> Incident:
    return opened(tmp_path / "incident", key)


@pytest.fixture(scope="session")
def tsa(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tsa]:
    with tsa_server(tmp_path_factory.mktemp("tsa")) as made:
        yield made
