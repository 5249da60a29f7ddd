"""A containment without a signing service: a registry, a key set, a relying party and a receiver."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from immure.custody import open_signer
from immure.custody.generate import generate
from immure.introspection.deny_list import DenyListPage
from immure.registry.record import KeyRecord
from immure.registry.scope import KeyScope
from immure.registry.sqlite_store import SqliteStore
from immure.registry.state import KeyState
from immure.response.containment.settings import Containment
from immure.response.containment.settings_file import read_containment
from immure.response.incident import Finding, Incident
from immure.tokens.deny_list import pinned_keys
from immure.tokens.deny_list_guard import DenyListGuard
from immure.tokens.deny_list_store import DenyListStore
from immure.tokens.keyset import KeySet
from response.events.others import OtherReceiver, receiving, serving
from tokens.minting import jwk

ISSUER, NAME, EVENTS = (
    "https://login.example/",
    "https://login.example/deny-list",
    "https://login.example/ssf",
)
KID = "ES256:burnt"
_CONTAIN = """
version = 1
registry = "keys.db"
key_set_files = ["jwks.json"]
owned = ["127.0.0.1"]
patience_seconds = 1
[deny_list]
name = "{name}"
key = "file:deny.key"
directory = "deny-list"
copies = ["copy.jwt"]
[events]
issuer = "{events}"
key = "file:deny.key"
store = "events.db"
seconds = 5
[events.streams.partner]
endpoint = "{receiver}"
[caches.edge]
command = ["/bin/sh", "-c", "echo x >> caches.txt"]
[relying_parties.mail]
push = "http://127.0.0.1:{port}/deny-list"
seconds = 5
"""


@dataclass
class Light:
    directory: Path
    receiver: OtherReceiver
    guard: DenyListGuard
    number: int = 0
    #: ``events`` or ``caches``: what has less time than a file of settings can give it.
    hurry: str = ""

    @property
    def config(self) -> Path:
        return self.directory / "contain.toml"

    @property
    def settings(self) -> Containment:
        found = read_containment(self.config)
        if self.hurry == "events" and found.events is not None:
            return replace(found, events=replace(found.events, seconds=0.2))
        if self.hurry == "caches":
            return replace(found, caches={"edge": replace(found.caches["edge"], seconds=0.2)})
        return found

    @property
    def key(self) -> str:
        return f"file:{self.directory / 'incident.key'}"

    def change(self, old: str, new: str) -> None:
        text = self.config.read_text()
        assert old in text
        self.config.write_text(text.replace(old, new))

    def fresh(self, state: KeyState = KeyState.ACTIVE) -> Path:
        """Another key, which signs, and an incident on it; the incident's directory."""
        self.number += 1
        name = f"{KID}-{self.number}"
        found = KeySet.from_jwks({"keys": [jwk(name, issuer=ISSUER)]}, "made").find(name)
        moment = datetime.now(UTC)
        scope = KeyScope(ISSUER, frozenset({"enterprise"}))
        record = KeyRecord.new(found.key, name, scope, by="test", at=moment)
        with SqliteStore(self.directory / "keys.db") as store:
            store.add([record])
            if state is not KeyState.PRE_ACTIVE:
                store.change_state(record.thumbprint, KeyState.ACTIVE, reason="test", by="test")
            if state not in (KeyState.PRE_ACTIVE, KeyState.ACTIVE):
                store.change_state(record.thumbprint, state, reason="test", by="test")
        keys = {"keys": [jwk("ES256:other", issuer=ISSUER), jwk(name, issuer=ISSUER)]}
        (self.directory / "jwks.json").write_text(json.dumps(keys))
        return self.open(f"incident-{self.number}", kid=name)

    @property
    def kid(self) -> str:
        return f"{KID}-{self.number}"

    def open(self, name: str, **changes: Any) -> Path:
        given: dict[str, Any] = {"kind": "key-in-dump", "kid": KID, "issuer": ISSUER} | changes
        with open_signer(self.key) as signer:
            finding = Finding(**given)
            Incident.open_new(self.directory / name, finding=finding, actor="ann", key=signer, name=name)
        return self.directory / name

    @contextmanager
    def incident(self, folder: Path) -> Iterator[Incident]:
        with open_signer(self.key) as signer:
            yield Incident.load(folder, key=signer)

    def state(self) -> str:
        with SqliteStore(self.directory / "keys.db") as store:
            return store.find(self.kid, ISSUER).state.value

    def caches(self) -> int:
        """How often the cache was emptied."""
        path = self.directory / "caches.txt"
        return len(path.read_text().splitlines()) if path.exists() else 0


@contextmanager
def light(directory: Path) -> Iterator[Light]:
    for name in ("deny", "incident"):
        generate(directory / f"{name}.key")
    SqliteStore(directory / "keys.db", create=True).close()
    pins = pinned_keys((directory / "deny.key.pub").read_bytes(), "deny.key.pub")
    guard = DenyListGuard(DenyListStore(directory / "mail.jwt", name=NAME, keys=pins))
    with ExitStack() as stack:
        keys = {"keys": [json.loads((directory / "deny.key.pub").read_text())]}
        receiver = stack.enter_context(receiving(OtherReceiver(keys, EVENTS, "partner")))
        page = DenyListPage(guard, {})

        async def app(scope: Any, receive: Any, send: Any) -> None:
            if scope["path"] == "/deny-list":
                return await page(scope, receive, send)
            await send({"type": "http.response.start", "status": 404, "headers": []})
            await send({"type": "http.response.body", "body": b"nothing"})
            return None

        port = stack.enter_context(serving(app))
        text = _CONTAIN.format(name=NAME, events=EVENTS, receiver=receiver.url, port=port)
        text = text.replace("caches.txt", str(directory / "caches.txt"))
        (directory / "contain.toml").write_text(text)
        yield Light(directory, receiver, guard)
