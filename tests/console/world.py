"""A console and what is behind it: a room by which people sign in, and two tenants.

Tenant ``acme`` has dumps that were redacted, proved, cleared and released by the rooms themselves, and a
registry of keys; ``globex`` has the same kinds of things, and other people.
"""

from __future__ import annotations

import hashlib
import html
import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from starlette.testclient import TestClient

from access.authenticator import Authenticator, b64
from access.rooms import World as Room
from access.rooms import policy_text
from immure.access import HardwareKey
from immure.attest.from_record import clearance_of
from immure.attest.sign import sign_statement
from immure.auditlog import AuditLog
from immure.capture.crash import Crash
from immure.capture.keeping import Kept
from immure.capture.records import write_record
from immure.console.app import create_app
from immure.console.settings import Settings
from immure.custody.note_signer import NoteSigner
from immure.dumps.dump import Reader
from immure.errors import RefusedError
from immure.keymaterial.key import OkpNumbers, Origin, PublicKey
from immure.redact import RedactOptions, redact_view
from immure.registry.opening import open_store
from immure.registry.record import KeyRecord
from immure.registry.scope import KeyScope
from immure.registry.state import KeyState
from immure.scanning.options import ScanOptions
from immure.synth.elf import CoreThread, Segment, build_elf_core
from immure.synth.memory import ordinary_memory, plant
from immure.transfer import (
    ClearanceFile,
    EnvelopeVerifier,
    FileSource,
    Gate,
    PolicyFile,
    Request,
    open_destination,
)
from immure.vault import Vault
from scanning.material import private, public
from transfer.material import signer

ROOM_ORIGIN = "https://access.prod.example"
HOST = "console.access.prod.example"
ORIGIN = f"https://{HOST}"
NOW = datetime(2026, 11, 30, 9, 0, tzinfo=UTC)
HEAP, STACK, CODE, TEXT = 0x5581_4000_0000, 0x7FFC_1000_0000, 0x7F10_0000_0000, "/usr/lib/libssl.so.3"

POLICY = """
version = 1
[signers]
keys = ["release.pub"]
[dump]
formats = ["elf-core"]
max_size = "64 MiB"
max_age = "300d"
[clearance]
max_age = "30d"
[search]
mode = "exhaustive"
detectors = ["rsa"]
[findings]
max_residual = 0.25
[proof]
checks = ["scan", "residue", "bytes"]
[destinations]
allow = ["file://{out}"]
"""

#: Keys of the issuer of acme sign for twenty days, and are verified with for thirty more.
SIGNING = """
version = 1
registry = "keys.db"
state = "signing-state.db"
custody = "file+unsafe:private"
[ledger]
place = "ledger.db"
[issuers.login]
url = "https://login.acme.example"
audience_classes = ["enterprise"]
keys.algorithm = "ES256"
keys.lifetime_seconds = 1728000
keys.overlap_seconds = 2592000
"""

#: Of whom: role in acme, role in globex.
PEOPLE: Mapping[str, tuple[str | None, str | None]] = {
    "prd-ada": ("admin", None),
    "prd-grace": ("responder", None),
    "prd-edsger": ("viewer", "viewer"),
    "prd-barbara": (None, "approver"),
    "prd-alan": (None, "viewer"),
}


class BytesReader(Reader):
    def __init__(self, data: bytes) -> None:
        self.data, self.size = data, len(data)

    def read_into(self, offset: int, view: memoryview) -> int:
        piece = self.data[offset : offset + len(view)]
        view[: len(piece)] = piece
        return len(piece)


@cache
def core(seed: int, kids: tuple[str, ...] = ("RSA-2048",)) -> bytes:
    """A core with heap, stack, code and a library's data, and keys on the heap."""
    heap = ordinary_memory(3 << 17, seed)
    for number, kid in enumerate(kids):
        key = private(kid)
        plant(heap, 70_000 + number * 90_000, key.p.reveal().to_bytes(128, "little"))
        plant(heap, 71_000 + number * 90_000, key.q.reveal().to_bytes(128, "big"))
    stack = ordinary_memory(1 << 16, seed + 1)
    if kids:
        plant(stack, 9_000, private(kids[0]).d.reveal().to_bytes(256, "little"))
    segments = [
        Segment(HEAP, bytes(heap)),
        Segment(CODE, bytes(ordinary_memory(1 << 17, seed + 2)), flags=5),
        Segment(CODE + (1 << 17), bytes(ordinary_memory(1 << 15, seed + 3)), flags=6),
        Segment(STACK, bytes(stack)),
    ]
    files = [(CODE, CODE + (1 << 17), TEXT), (CODE + (1 << 17), CODE + (1 << 17) + (1 << 15), TEXT)]
    threads = [CoreThread(4711, STACK + 8_000, CODE + 100, 11)]
    return build_elf_core(
        segments, threads=threads, files=files, process=(4711, "signer", "signer -c x")
    ).data


class TenantWorld:
    """What one tenant has."""

    def __init__(self, top: Path, clock: Callable[[], datetime]) -> None:
        self.top, self.clock = top, clock
        for name in ("records", "clearances", "out"):
            (top / name).mkdir(parents=True)
        self.vault = Vault.create(top / "vault")
        self.signer = signer(top)
        self.log_signer = NoteSigner("gate.example/log", signer(top, "log"))
        self.log = AuditLog.create(
            top / "gate-log", origin="gate.example/log", signer=self.log_signer, clock=clock
        )
        (top / "policy.toml").write_text(POLICY.replace("{out}", str(top / "out")))
        (top / "signing.toml").write_text(SIGNING)
        self.registry = open_store(top / "keys.db", create=True)

    # --- dumps ---

    def capture(self, number: int, *, kids: tuple[str, ...] = ("RSA-2048",), comm: str = "signer") -> Any:
        """A core is redacted, proved, sealed, and its record written; digest and record of the redaction."""
        crash = Crash(
            pid=4700 + number, comm=comm, executable=f"/usr/bin/{comm}", uid=996, signal=11,
            time=NOW - timedelta(hours=3 * number),
        )  # fmt: skip
        options = RedactOptions(scan=ScanOptions(mode="exhaustive", threads=1), debugger=False)
        keys = [public("RSA-2048")]
        record, view = redact_view(crash.label, BytesReader(core(number, kids)), keys=keys, options=options)
        sealed = self.vault.seal(_pieces(view), name=f"{crash.name}.redacted", clock=lambda: crash.time)
        redaction = record.to_json()
        write_record(self.top / "records", crash, Kept(sealed, sealed.size, 11, redaction=redaction))
        return sealed, redaction, crash

    def clear(self, captured: Any, *, issued: datetime, days: int = 7, by: Any = None) -> Path:
        """Sign a clearance of what was captured."""
        sealed, redaction, crash = captured
        clearance = clearance_of(redaction, issued, issued + timedelta(days=days))
        statement = clearance.statement(crash.name, sealed.digest)
        path = self.top / "clearances" / f"{crash.name}.intoto.json"
        path.write_bytes(sign_statement(statement, by or self.signer))
        return path

    def release(self, captured: Any, clearance: Path, *, to: str = "") -> bool:
        """Ask the gate; whether it has released."""
        sealed, _, crash = captured
        path = self.top / f"{crash.name}.core"
        reader = self.vault.open_dump(sealed.id)
        path.write_bytes(reader.read(0, reader.size))
        reader.close()
        gate = Gate(
            store=self.vault, policies=PolicyFile(self.top / "policy.toml"), verifier=EnvelopeVerifier(),
            log=self.log, clock=self.clock,
        )  # fmt: skip
        with open_destination(to or f"file://{self.top / 'out'}") as there:
            try:
                gate.release(
                    Request(FileSource(str(path)), ClearanceFile(str(clearance)), there, f"{crash.name}.core")
                )
            except RefusedError as error:
                self.refusal = error.reason
                return False
            finally:
                path.unlink()
        return True

    def fill(self) -> TenantWorld:
        """Dumps at every step of the way, and keys in every state."""
        captured = [self.capture(one) for one in range(4)] + [self.capture(4, kids=(), comm="indexer")]
        self.released = captured[0]
        assert self.release(captured[0], self.clear(captured[0], issued=NOW - timedelta(hours=1)))
        self.clear(captured[1], issued=NOW - timedelta(hours=1))
        self.clear(captured[2], issued=NOW - timedelta(days=20))
        stranger = signer(self.top, "stranger")
        assert not self.release(
            captured[3], self.clear(captured[3], issued=NOW - timedelta(hours=1), by=stranger)
        )
        self.sealed_alone = self.vault.seal([core(9)], name="by-hand.core", clock=lambda: NOW)
        (self.top / "records" / "core.broken.1.json").write_text('{"schema": "another"}')
        self.keys()
        return self

    # --- keys ---

    def keys(self) -> None:
        login, partner = "https://login.acme.example", "https://partner.example"
        states = [
            ("2026-11", login, ("enterprise",), KeyState.ACTIVE, 10),
            ("2026-10", login, ("enterprise",), KeyState.DEACTIVATED, 45),
            ("2026-12", login, ("enterprise",), KeyState.PRE_ACTIVE, 1),
            ("consumer-7", "https://consumer.example", ("consumer",), KeyState.COMPROMISED, 200),
            ("partner-1", partner, ("workload", "consumer"), KeyState.SUSPENDED, 70),
            ("legacy", None, (), KeyState.ACTIVE, 900),
        ]
        self.registry.add(
            record_of(kid, issuer, classes, state, NOW - timedelta(days=days))
            for kid, issuer, classes, state, days in states
        )


def record_of(
    kid: str, issuer: str | None, classes: tuple[str, ...], state: KeyState, at: datetime
) -> KeyRecord:
    """A record of a key that is made of its name, in a state."""
    key = named_key(f"{issuer}/{kid}")
    scope = None if issuer is None else KeyScope(issuer, frozenset(classes))
    record = KeyRecord.new(key, kid, scope, by="rotation", at=at, reason="made")
    steps = {
        KeyState.PRE_ACTIVE: (),
        KeyState.ACTIVE: (KeyState.ACTIVE,),
        KeyState.SUSPENDED: (KeyState.ACTIVE, KeyState.SUSPENDED),
        KeyState.DEACTIVATED: (KeyState.ACTIVE, KeyState.DEACTIVATED),
        KeyState.COMPROMISED: (KeyState.ACTIVE, KeyState.COMPROMISED),
    }[state]
    for number, step in enumerate(steps):
        since = at + timedelta(hours=2) if step is KeyState.COMPROMISED else None
        record = record.become(
            step, reason="found in a dump" if since else "its turn", by="rotation",
            at=at + timedelta(hours=1 + 24 * number), since=since,
        )  # fmt: skip
    return record


def named_key(name: str) -> PublicKey:
    """A public key that is made of a name; nobody needs the private half."""
    seed = hashlib.sha256(name.encode()).digest()
    half = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    return PublicKey(OkpNumbers("Ed25519", half), Origin(name))


SETTINGS = """
version = 1
origin = "{origin}"
state = "state"
poll_seconds = 1

[sign_in.room]
directory = "room"
key = "file:room.key"
page = "{room}"

[tenants.acme]
title = "Acme mail"
records = "acme/records"
vault = "acme/vault"
clearances = "acme/clearances"
policy = "acme/policy.toml"
gate_log = "acme/gate-log"
registry = "acme/keys.db"
signing = "acme/signing.toml"
{acme}
[tenants.acme.roles]
{acme_roles}

[tenants.globex]
title = "Globex"
records = "globex/records"
vault = "globex/vault"
registry = "globex/keys.db"
{globex}
[tenants.globex.roles]
{globex_roles}
"""


class ConsoleWorld:
    """Everything, in a directory. ``more`` are further members of a tenant's table, by its name."""

    def __init__(self, top: Path, *, more: Mapping[str, str] | None = None, **changes: str) -> None:
        self.top = top
        text = policy_text(**{f'origins = ["{ROOM_ORIGIN}"]': f'origins = ["{ROOM_ORIGIN}", "{ORIGIN}"]'})
        self.room = Room(top / "room", text=text).found(*(one.removeprefix("prd-") for one in PEOPLE))
        self.room.clock.at = NOW
        self.acme = TenantWorld(top / "acme", self.room.clock).fill()
        self.globex = TenantWorld(top / "globex", self.room.clock)
        self.globex.capture(7, comm="globex-signer")
        self.globex.keys()
        self.path = top / "console.toml"
        given = {"acme": "", "globex": "", **(more or {})}
        self.path.write_text(
            SETTINGS.format(
                origin=ORIGIN, room=ROOM_ORIGIN, acme_roles=_roles(0), globex_roles=_roles(1), **given
            )
        )
        self.told: list[tuple[str, dict[str, Any]]] = []

    @property
    def settings(self) -> Settings:
        return Settings.read(self.path)

    def app(self, **parts: Any) -> Any:
        return create_app(
            self.settings, door=self.room.door, clock=self.room.clock,
            told=lambda event, **facts: self.told.append((event, facts)), **parts,
        )  # fmt: skip

    @contextmanager
    def client(self) -> Iterator[TestClient]:
        """A browser of nobody, for a console that runs for this block."""
        with TestClient(self.app(), base_url=ORIGIN, follow_redirects=False) as client:
            yield client

    def key(self, account: str) -> Authenticator:
        """The person's key, counting from where the room has seen it last."""
        key = self.room.keys[account][0]
        key.origin = ORIGIN
        for record in self.room.door.records(HardwareKey, about=account):
            for credential in key.credentials.values():
                if b64(credential.id) == record.id:
                    credential.counter = record.counter
        return key


class Visitor:
    """Somebody with a browser that has no screen; each has cookies of their own."""

    def __init__(self, world: ConsoleWorld, client: TestClient) -> None:
        self.world = world
        self._client = client
        self.cookies: dict[str, str] = {}

    def get(self, path: str, **options: Any) -> Any:
        return self._send("GET", path, **options)

    def post(self, path: str, data: Mapping[str, str] | None = None, **options: Any) -> Any:
        headers = {"origin": ORIGIN, **options.pop("headers", {})}
        return self._send("POST", path, data=data or {}, headers=headers, **options)

    def _send(self, method: str, path: str, **options: Any) -> Any:
        headers = dict(options.pop("headers", {}))
        if self.cookies:
            headers["cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        answer = self._client.request(method, path, headers=headers, **options)
        self._client.cookies.clear()
        for line in answer.headers.get_list("set-cookie"):
            name, _, value = line.partition(";")[0].partition("=")
            self.cookies[name] = value
            if "Max-Age=0" in line:
                del self.cookies[name]
        return answer

    def token(self, page: str = "/sign-in") -> str:
        found = re.search(r'name="token" value="([^"]+)"', self.get(page).text)
        assert found
        return found[1]

    def sign_in(self, account: str) -> Visitor:
        asked = self.post("/sign-in/key", {"token": self.token(), "account": account})
        assert asked.status_code == 200, asked.text
        options = json.loads(html.unescape(re.search(r'data-options="([^"]*)"', asked.text)[1]))  # type: ignore[index]
        response = self.world.key(account).get(options)
        done = self.post("/sign-in/complete", {"token": self.token(), "response": json.dumps(response)})
        assert done.status_code == 303, done.text
        return self


def _roles(number: int) -> str:
    given: dict[str, list[str]] = {}
    for person, roles in PEOPLE.items():
        if (role := roles[number]) is not None:
            given.setdefault(role, []).append(person)
    return "\n".join(f"{role} = {json.dumps(people)}" for role, people in given.items())


def _pieces(reader: Reader) -> Iterator[bytes]:
    offset = 0
    while piece := reader.read(offset, 1 << 20):
        yield piece
        offset += len(piece)
