"""A world in memory for the real gate: files, a policy, a clock, a log, a destination, and an observer.

Everything the gate touches is a subclass of its own interfaces. The observer judges by itself, at the moment
at which bytes become visible, whether they may: it knows which bytes are clean, until when, and under which
policies, and asks nothing of the gate.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from immure.auditlog import Checkpoint, Entry
from immure.dumps.readers import BytesReader
from immure.errors import LogError, TransferError, UsageError, VaultError
from immure.transfer import Policy, parse_policy
from immure.transfer.destinations.interface import Destination, Placed, Stage, check_same
from immure.transfer.interfaces import Store
from immure.transfer.sources import Arrived, Source
from immure.transfer.wiring import EnvelopeVerifier
from immure.vault.records import Sealed

from .material import NOW, POLICY, clearance_json, envelope, sha256, signer

CLEAN = b"a clean dump; "
OTHER = b"another clean; "
DIRTY = b"THE PRIVATE KEY"
PIECE_BYTES = 8  # so that each of them is sent in two pieces
URL = "file:///out"
ALLOWED = POLICY.replace("{out}", "/out").encode()
#: Policies by what they allow of the two clean dumps.
STRICT = ALLOWED.replace(b'max_size = "4 MiB"', b"max_size = 3")
ELSEWHERE = ALLOWED.replace(b"file:///out", b"file:///elsewhere")
FOR_ONE = ALLOWED.replace(b'max_size = "4 MiB"', b"max_size = %d" % len(CLEAN))
BROKEN = b"version = 1\n[signers"
PERMITS = {
    ALLOWED: {sha256(CLEAN), sha256(OTHER)},
    FOR_ONE: {sha256(CLEAN)},
    STRICT: set(),
    ELSEWHERE: set(),
    BROKEN: set(),
}
EXPIRES = NOW + timedelta(hours=1)


class Crashed(BaseException):
    """Raised inside a process that is dead already: whatever it still tries has no effect."""


@dataclass
class Process:
    """A release that may die. ``held`` is the policy that it found when it took the lock on it."""

    dead: bool = False
    held: bytes | None = None

    def check(self) -> None:
        if self.dead:
            raise Crashed


@cache
def evidence() -> dict[str, bytes]:
    """Envelopes by name, really signed; and the public key of those who may sign."""
    with TemporaryDirectory() as name:
        top = Path(name)
        good, stranger = signer(top), signer(top, "stranger")
        return {
            "clean": envelope(clearance_json(CLEAN), CLEAN, good),
            "other": envelope(clearance_json(OTHER), OTHER, good),
            "forged": envelope(clearance_json(DIRTY), DIRTY, stranger),
            "key": (top / "release.pub").read_bytes(),
        }


@cache
def parsed(text: bytes) -> Policy:
    return parse_policy(text, "policy.toml", lambda path: evidence()["key"])


class Verifier(EnvelopeVerifier):
    """The real one; the same question twice gets the same answer."""

    answer = staticmethod(cache(EnvelopeVerifier().verify))

    def verify(self, envelope, signers, now):
        return self.answer(envelope, signers, _Fixed(now()))


@dataclass(frozen=True)
class _Fixed:
    moment: datetime

    def __call__(self) -> datetime:
        return self.moment


@dataclass
class World:
    """Everything that others may change, and what is visible at the destination.

    The observer judges by the policy as it is; none can be installed while a release holds it. An editor who
    knows of no lock can write all the same; what he writes during the last step of a release comes after it.
    """

    files: dict[str, bytes] = field(default_factory=lambda: {"app.core": CLEAN, "good": CLEAN, "bad": DIRTY})
    links: dict[str, str] = field(default_factory=dict)
    clearances: dict[str, bytes] = field(default_factory=lambda: {"app.core": evidence()["clean"]})
    policy: bytes = ALLOWED
    holds: int = 0
    now: datetime = NOW
    entries: list[Entry] = field(default_factory=list)
    log_fails: bool = False
    sealed: dict[str, bytes] = field(default_factory=dict)
    visible: dict[str, bytes] = field(default_factory=dict)
    gone: bool = False
    violations: list[str] = field(default_factory=list)

    def clock(self) -> datetime:
        return self.now

    def at(self, path: str) -> bytes:
        path = self.links.get(path, path)
        if path not in self.files:
            raise UsageError("cannot be opened: No such file or directory", path=path)
        return self.files[path]

    def show(self, name: str, data: bytes, process: Process) -> None:
        """Bytes become visible: the moment of truth."""
        self.visible[name] = data
        digest = sha256(data)
        if digest not in PERMITS[self.policy if process.held is None else process.held]:
            self.violations.append(f"{name}: visible, and not cleared under the policy in force")
        if self.now >= EXPIRES:
            self.violations.append(f"{name}: visible after its clearance had expired")
        if not any(self._allows(entry, digest) for entry in self.entries):
            self.violations.append(f"{name}: visible, and the log has not allowed it before")

    def _allows(self, entry: Entry, digest: str) -> bool:
        said = entry.body
        return (
            entry.kind == "release.allowed"
            and said["dump"]["sha256"] == digest
            and said["destination"] == URL
        )


class MemoryStore(Store):
    """A vault in memory."""

    def __init__(self, world: World, process: Process) -> None:
        self._world = world
        self._process = process

    def seal(self, pieces, *, name, clock):
        data = b"".join(iter(lambda: pieces.read(4), b""))
        self._process.check()
        self._world.sealed.setdefault(f"sha256:{sha256(data)}", data)
        return Sealed(f"sha256:{sha256(data)}", len(data), clock(), name)

    def get(self, identity):
        raise VaultError("is not in this vault", path=identity)

    def open_dump(self, identity):
        return BytesReader(self._world.sealed[identity])


class MemorySource(Source):
    """A file by its name."""

    def __init__(self, world: World, path: str) -> None:
        self.path = path
        self.world = world

    def seal_into(self, store, clock):
        sealed = store.seal(io.BytesIO(self.world.at(self.path)), name=self.path, clock=clock)
        return Arrived(sealed, NOW)


class MemoryClearance:
    """An envelope by its name."""

    def __init__(self, world: World, path: str) -> None:
        self.world = world
        self.path = path

    def read(self) -> bytes:
        return self.world.clearances[self.path]


class MemoryPolicies:
    """The policy of the world, with its lock."""

    def __init__(self, world: World, process: Process) -> None:
        self._world = world
        self._process = process

    def read(self) -> Policy:
        return parsed(self._world.policy)

    @contextmanager
    def held(self) -> Iterator[Policy]:
        world = self._world
        self._process.check()
        world.holds += 1
        self._process.held = world.policy
        try:
            yield parsed(world.policy)
        finally:  # the system takes the lock away when a process dies, too
            world.holds -= 1
            self._process.held = None


class MemoryLog:
    """A log in memory. Processes share it."""

    def __init__(self, world: World, process: Process) -> None:
        self._world = world
        self._process = process

    def append(self, kind, body):
        self._process.check()
        if self._world.log_fails:
            raise LogError("No space left on device", path="entries.jsonl")
        entry = Entry(len(self._world.entries), self._world.now, kind, body, b"")
        self._world.entries.append(entry)
        return entry

    def checkpoint(self) -> Checkpoint:
        return Checkpoint("logs.example/gate", len(self._world.entries), b"", b"")


class MemoryDestination(Destination):
    """A directory in memory; what is staged has no name."""

    def __init__(self, world: World, process: Process) -> None:
        self.url = URL
        self.world = world
        self.process = process

    def stage(self, name: str, size: int) -> Stage:
        if self.world.gone:
            raise TransferError("its directory was removed", path=name)
        return MemoryStage(self, name)

    def close(self) -> None:
        pass


class MemoryStage(Stage):
    def __init__(self, destination: MemoryDestination, name: str) -> None:
        self._world = destination.world
        self._process = destination.process
        self._name = name
        self._data = b""

    def write(self, piece: bytes) -> None:
        self._process.check()
        self._data += piece

    def prepare(self) -> None:
        self._process.check()

    def commit(self, sha256: str) -> Placed:
        self._process.check()
        if self._world.gone:
            raise TransferError("No such file or directory", path=self._name)
        if self._name in self._world.visible:
            return check_same([self._world.visible[self._name]], sha256, self._name)
        self._world.show(self._name, self._data, self._process)
        return "new"

    def abandon(self) -> None:
        self._data = b""
