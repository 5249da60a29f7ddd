from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from immure.custody.keyholder import KeyHolder
from immure.custody.keyholder.launch import make_directory

from .making import CHEAP, PIN, rules

#: Kids by algorithm, of the keys that all tests share.
KIDS = {"RS256": "rs", "PS256": "ps", "ES256": "es", "ES384": "e3", "EdDSA": "ed"}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key file with a key of each algorithm, and no holder."""
    path = tmp_path_factory.mktemp("holder") / "own" / "keys.sealed"
    with KeyHolder.create(path, [PIN], **CHEAP) as made:
        for algorithm, kid in KIDS.items():
            made.generate(kid, rules(algorithm), bits=2048)
        made.generate("st", rules("ES256", purposes=frozenset({"statement", "note"})))
    return path


@pytest.fixture
def copied(store: Path, path: Path) -> Path:
    """A copy of that file, which nobody holds."""
    make_directory(path, None)
    shutil.copy(store, path)
    owner = path.parent.stat()
    os.chown(path, owner.st_uid, owner.st_gid)
    return path


@pytest.fixture(scope="module")
def holder(store: Path) -> Iterator[KeyHolder]:
    """A holder of it, to sign; whoever kills it starts it again."""
    with KeyHolder.start(store, [PIN], **CHEAP, restarts=100) as started:
        yield started


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a test may put a key file of its own."""
    return tmp_path / "own" / "keys.sealed"
