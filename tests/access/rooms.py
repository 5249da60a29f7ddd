"""Rooms for tests: a policy, a clock that can be set, founders with two keys each."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from access.authenticator import AAGUID, Authenticator, Twist, uuid, vendor
from immure.access import Ceremony, Done, Door
from immure.access.texts import spelled

START = datetime(2026, 11, 30, 9, tzinfo=UTC)
#: A disk in memory, if there is one: what is tested is not the disk.
RAM = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
HOUR = timedelta(hours=1)

POLICY = """version = 1
namespace = "prd-"
corporate_domains = ["corp.example"]

[relying_party]
id = "access.prod.example"
name = "Production room"
origins = ["https://access.prod.example"]

[people]
levels = ["basic", "enhanced"]

[[key]]
name = "Example Key 5"
aaguid = "{aaguid}"
roots = ['''{root}''']

[[rule]]
resources = ["room:*", "dump:*"]
actions = ["enter", "open", "release"]
level = "enhanced"
ticket = "INC-*"
hours = 8

[break_glass]
resources = ["room:*"]
hours = 1
alarms = ["http://127.0.0.1:9/alarm"]
"""


def policy_text(extra: str = "", **changes: str) -> str:
    text = POLICY.format(aaguid=uuid(AAGUID), root=vendor()[0].pem.strip())
    for before, after in changes.items():
        assert before in text, before
        text = text.replace(before, after)
    return text + extra


class Signer:
    """A key for the log."""

    name = "access.prod.example/room"

    def __init__(self) -> None:
        self._key = Ed25519PrivateKey.generate()
        self.public_key = self._key.public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        return self._key.sign(message)


class Clock:
    """A clock that stands until it is set."""

    def __init__(self, at: datetime = START) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at

    def pass_(self, **span: float) -> None:
        self.at += timedelta(**span)


def screening(at: datetime = START, **changes: Any) -> dict[str, Any]:
    record = {
        "attester": "Example Screening Ltd",
        "level": "enhanced",
        "screened": spelled(at - timedelta(days=30)),
        "expires": spelled(at + timedelta(days=365)),
        "reference": "case 4711",
    }
    return {**record, **changes}


_FOUNDED: list[World] = []


def founded(path: Path) -> World:
    """A copy of a room with four founders, which is made once: each event syncs files."""
    if not _FOUNDED:
        first = World(Path(tempfile.mkdtemp(dir=RAM)) / "room").found()
        first.door.close()
        atexit.register(shutil.rmtree, first.path.parent)
        _FOUNDED.append(first)
    first = _FOUNDED[0]
    shutil.copytree(first.path, path)
    world = World.__new__(World)
    world.path, world.signer, world.text, world.clock, world.heard = (
        path,
        first.signer,
        first.text,
        Clock(),
        [],
    )
    world.keys = {account: [key.copy() for key in keys] for account, keys in first.keys.items()}
    world.door = world.open()
    return world


@dataclass
class World:
    """A room and its people, each with the keys in their pockets."""

    path: Path
    signer: Signer = field(default_factory=Signer)
    clock: Clock = field(default_factory=Clock)
    text: str = field(default_factory=policy_text)
    keys: dict[str, list[Authenticator]] = field(default_factory=dict)
    heard: list[Any] = field(default_factory=list)
    door: Door = field(init=False)

    def __post_init__(self) -> None:
        door = Door.create(self.path, policy=self.text, signer=self.signer, clock=self.clock)
        door.close()
        self.door = self.open()

    def open(self, **options: Any) -> Door:
        options = {
            "signer": self.signer,
            "clock": self.clock,
            "sounders": [("pager", self.heard.append)],
            **options,
        }
        return Door.open(self.path, **options)

    def again(self, **options: Any) -> Door:
        """Close the door, and open it as another process would."""
        self.door.close()
        self.door = self.open(**options)
        return self.door

    # --- people ---

    def founder(self, account: str, person: str, **options: Any) -> None:
        record = screening(self.clock.at, **options.pop("screening", {}))
        self.door.name_founder(account, person, screening=record, **options)
        for _ in range(2):
            self.register(account)

    def register(
        self,
        account: str,
        request: str | None = None,
        key: Authenticator | None = None,
        twist: Twist | None = None,
    ) -> Done:
        key = key or Authenticator()
        self.keys.setdefault(account, []).append(key)
        ceremony = (
            self.door.begin_registration(account, request)
            if request
            else self.door.begin_registration(account)
        )
        return self.door.complete(key.create(ceremony.options, twist))

    def sign(self, ceremony: Ceremony, twist: Twist | None = None, key: Authenticator | None = None) -> Done:
        """Let the person whose ceremony it is touch a key of theirs."""
        return self.door.complete(self.touch(ceremony, twist, key))

    def touch(
        self, ceremony: Ceremony, twist: Twist | None = None, key: Authenticator | None = None
    ) -> dict[str, Any]:
        key = key or self.keys[str(ceremony.document["account"])][0]
        return key.get(ceremony.options, twist)

    # --- what is usual ---

    def found(self, *names: str) -> World:
        for name in names or ("ada", "grace", "edsger", "barbara"):
            self.founder(f"prd-{name}", f"P-{name}")
        for account in list(self.keys):
            self.sign(self.door.begin_founding(account))
        assert self.door.open_for_requests
        return self

    def ask(self, account: str = "prd-ada", **changes: Any) -> str:
        """A request for a grant; its id."""
        subject = {
            "resource": "room:debug",
            "actions": ["enter"],
            "purpose": "crash of the mailer",
            "ticket": "INC-12",
            "hours": 2,
            **changes,
        }
        return self.sign(self.door.request_grant(account, **subject)).id

    def approve(self, request: str, account: str, **options: Any) -> Done:
        return self.sign(self.door.begin_approval(account, request), **options)

    def granted(self, account: str = "prd-ada", **changes: Any) -> str:
        """A grant, approved by two; its id."""
        request = self.ask(account, **changes)
        others = [one for one in ("prd-grace", "prd-edsger", "prd-barbara") if one != account]
        self.approve(request, others[0])
        assert self.approve(request, others[1]).state == "done"
        return request
