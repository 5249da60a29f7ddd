"""A vendor with two TPMs, and a room whose policy takes them."""

from __future__ import annotations

import atexit
import copy
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from access.rooms import RAM, Clock, World, policy_text
from access.tpm.swtpm import Vendor, vendor


@dataclass(frozen=True)
class Makers:
    """A vendor, and the sockets of two TPMs of it."""

    vendor: Vendor
    one: Path
    other: Path


@pytest.fixture(scope="session")
def makers() -> Iterator[Makers]:
    with vendor() as made, made.tpm("one") as one, made.tpm("other") as other:
        yield Makers(made, one, other)


def rules(mode: str, *roots: str) -> str:
    """A policy that takes TPMs."""
    listed = ", ".join(f"'''{root}'''" for root in roots)
    return policy_text(f'\n[workstations]\ntpm = "{mode}"\ntpm_roots = [{listed}]\n')


_FOUNDED: dict[str, World] = {}


def made_room(place: Path, text: str) -> World:
    """A room of now, founded: the certificates of the TPMs were just made. What is alike is made once, and
    copied: each event syncs files."""
    if text not in _FOUNDED:
        path = Path(tempfile.mkdtemp(dir=RAM)) / "room"
        atexit.register(shutil.rmtree, path.parent)
        clock = Clock(datetime.now(UTC).replace(microsecond=0))
        _FOUNDED[text] = World(path, text=text, clock=clock).found()
        _FOUNDED[text].door.close()
    first = _FOUNDED[text]
    made = copy.copy(first)
    made.path, made.clock, made.heard = place / "room", Clock(first.clock.at), []
    shutil.copytree(first.path, made.path)
    made.keys = {account: [key.copy() for key in keys] for account, keys in first.keys.items()}
    made.door = made.open()
    return made


@pytest.fixture
def room(place: Path, makers: Makers) -> Iterator[World]:
    """A room that demands that keys of workstations are in TPMs."""
    made = made_room(place, rules("required", makers.vendor.root))
    yield made
    made.door.close()
