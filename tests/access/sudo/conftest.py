"""A host with sudo, and a room with a grant to use it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from access.rooms import RAM, Clock, World, policy_text
from access.sudo.machine import Machine, machine

POLICY = policy_text(**{'actions = ["enter", "open"': 'actions = ["enter", "sudo", "open"'})


class Now(Clock):
    """The clock that sudo has as well."""

    @property
    def at(self) -> datetime:
        return datetime.now(UTC).replace(microsecond=0)

    @at.setter
    def at(self, _: datetime) -> None:
        pass

    def __call__(self) -> datetime:
        return self.at


@pytest.fixture(scope="module")
def host() -> Iterator[Machine]:
    with machine() as made:
        yield made


@pytest.fixture(scope="module")
def shared() -> Iterator[World]:
    """A room of now, with a grant of ada's to sudo."""
    base = Path(tempfile.mkdtemp(dir=RAM))
    made = World(base / "room", text=POLICY, clock=Now()).found()
    made.granted(actions=["enter", "sudo"])
    yield made
    made.door.close()
    shutil.rmtree(base)
