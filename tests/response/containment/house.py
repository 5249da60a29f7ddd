"""A whole house for a containment: the real signing service, two relying parties and a real Dovecot behind
one of them, and a receiver of security events that is built on other libraries.

- ``mail``: our introspection server, in a process of its own, with a key set in a file and no list at first;
- ``dovecot``: a real Dovecot that asks it;
- ``calendar``: an ASGI application with our middleware, which fetches the key set and needs a list.
"""

from __future__ import annotations

import json
import secrets
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import click
import httpx
from click.testing import CliRunner

from immure.cli.main import run as run_cli
from immure.custody import open_signer
from immure.custody.generate import generate
from immure.integrations.asgi import Protect
from immure.integrations.bearer import Guard
from immure.introspection.deny_list import DenyListPage
from immure.mail.running import LocalMail
from immure.mail.settings import Asking, Domain
from immure.registry.opening import open_store
from immure.response.containment.settings import Containment
from immure.response.containment.settings_file import read_containment
from immure.response.incident import Finding, Incident
from immure.tokens.deny_list import pinned_keys
from immure.tokens.deny_list_guard import DenyListGuard
from immure.tokens.deny_list_store import DenyListStore
from immure.tokens.policy import IssuerRule, Policy
from immure.tokens.sources import HttpsPages, Timing, UrlSource
from immure.tokens.validator import Validator
from response.events.others import OtherReceiver, receiving, serving
from servers.program import Program, free_ports
from servers.tls import Authority
from signing.house import SECRET, House, cheap

CONTOSO = "7ab8a5a2-4c4e-4b5c-8d7c-0b7a3c9d1e2f"
MAIL, CALENDAR = "https://mail.example", "https://calendar.example"
LIST, EVENTS = "https://login.example/deny-list", "https://login.example/"
ADA = "ada@contoso.example"
_SIGNING = """
version = 1
registry = "{registry}"
state = "{state}"
custody = "file+unsafe:private"
users = "people.toml"
[ledger]
place = "{ledger}"
log = "ledger-log"
log_key = "file:log.key"
[listen]
port = {port}
[issuers.enterprise]
url = "http://127.0.0.1:{port}/enterprise"
audience_classes = ["enterprise"]
tenants = ["{contoso}"]
keys.algorithm = "ES256"
[audiences."{mail}"]
class = "enterprise"
[audiences."{calendar}"]
class = "enterprise"
[clients.ada]
issuer = "enterprise"
grants = ["client_credentials"]
audiences = ["{mail}"]
tenant = "{contoso}"
secrets = ["sha256:{digest}"]
[clients.agenda]
issuer = "enterprise"
grants = ["client_credentials"]
audiences = ["{calendar}"]
tenant = "{contoso}"
secrets = ["sha256:{digest}"]
[clients.web]
issuer = "enterprise"
grants = ["authorization_code", "refresh_token"]
audiences = ["{mail}"]
redirect_uris = ["https://app.example/back"]
secrets = ["sha256:{digest}"]
"""
_PEOPLE = """
[users.grace]
password = "{password}"
tenant = "{contoso}"
issuers = ["enterprise"]
"""
_POLICY = """
version = 1
token_type = "at+jwt"
[sources.enterprise]
file = "enterprise.json"
[issuers."{issuer}"]
source = "enterprise"
audience_class = "enterprise"
tenants = ["{contoso}"]
[audiences]
"{mail}" = ["enterprise"]
[deny_list]
name = "{list}"
keys = "../deny.key.pub"
state = "deny-list.jwt"
on_expiry = "keep"
"""
_INTROSPECTION = """
version = 1
policy = "policy.toml"
[listen]
address = "127.0.0.1:{port}"
[log]
directory = "accepted"
[introspection]
username = "sub"
[clients.dovecot]
audiences = ["{mail}"]
secrets = ["sha256:{digest}"]
"""
_CONTAIN = """
version = 1
signing = "signing/signing.toml"
owned = ["127.0.0.1"]
patience_seconds = 8
[deny_list]
name = "{list}"
key = "file:deny.key"
directory = "deny-list"
copies = ["www/deny-list.jwt"]
[events]
issuer = "{events}"
key = "file:events.key"
store = "events.db"
seconds = 2
[events.streams.partner]
endpoint = "{receiver}"
audience = "{mail}"
authorization_file = "partner.secret"
[caches.mail-keys]
command = {fetch}
[relying_parties.mail]
audience = "{mail}"
push = "http://127.0.0.1:{introspection}/deny-list"
accepted = "mail/accepted"
seconds = 10
[relying_parties.mail.probe]
url = "http://127.0.0.1:{introspection}/introspect"
introspection = true
client_id = "dovecot"
client_secret_file = "dovecot.secret"
[relying_parties.mail.witness]
client = "ada"
secret_file = "client.secret"
[relying_parties.calendar]
audience = "{calendar}"
push = "http://127.0.0.1:{calendar_port}/deny-list"
seconds = 10
[relying_parties.calendar.probe]
url = "http://127.0.0.1:{calendar_port}/today"
[relying_parties.calendar.witness]
client = "agenda"
secret_file = "client.secret"
"""
_DOVECOT = """
[relying_parties.dovecot]
audience = "{mail}"
[relying_parties.dovecot.probe]
url = "imaps://127.0.0.1:{imaps}"
user = "{ada}"
mechanism = "OAUTHBEARER"
ca_file = "{ca}"
[relying_parties.dovecot.witness]
client = "ada"
secret_file = "client.secret"
"""
#: How a relying party brings its file of keys up to date: what stands in many a crontab.
_FETCH = """
import os, sys, urllib.request
url, path = sys.argv[1:]
with urllib.request.urlopen(url, timeout=5) as answer:
    data = answer.read()
with open(path + ".new", "wb") as stream:
    stream.write(data)
os.replace(path + ".new", path)
"""


@dataclass
class Contained:
    """The house, running."""

    directory: Path
    issuer: str
    receiver: OtherReceiver
    ports: dict[str, int]
    mail: LocalMail | None = None
    programs: dict[str, Program] = field(default_factory=dict)
    log_key: str = ""

    @property
    def config(self) -> Path:
        return self.directory / "contain.toml"

    @property
    def settings(self) -> Containment:
        return read_containment(self.config)

    @property
    def key(self) -> str:
        return f"file:{self.directory / 'incident.key'}"

    def open(self, name: str = "incident", **changes: Any) -> Path:
        """An incident on the key that signs now; its directory."""
        given: dict[str, Any] = {"kind": "key-in-dump", "kid": self.signs(), "issuer": self.issuer} | changes
        folder = self.directory / name
        with open_signer(self.key) as signer:
            Incident.open_new(folder, finding=Finding(**given), actor="ann", key=signer)
        return folder

    @contextmanager
    def incident(self, folder: Path) -> Iterator[Incident]:
        with open_signer(self.key) as signer:
            yield Incident.load(folder, key=signer)

    def states(self) -> dict[str, str]:
        with open_store(self.settings.registry) as store:
            return {one.kid: one.state.value for one in store.records()}

    def signs(self) -> str:
        """The kid that signs now, as soon as there is one."""
        end = time.monotonic() + 20
        while True:
            active = [kid for kid, state in self.states().items() if state == "active"]
            if active:
                return active[0]
            assert time.monotonic() < end, self.states()
            time.sleep(0.02)

    def token(self, client: str = "ada") -> str:
        data = {"grant_type": "client_credentials"}
        answer = httpx.post(f"{self.issuer}/token", data=data, auth=(client, SECRET), timeout=20)
        answer.raise_for_status()
        return str(answer.json()["access_token"])

    def jwks(self) -> set[str]:
        return {key["kid"] for key in httpx.get(f"{self.issuer}/jwks", timeout=20).json()["keys"]}

    def takes(self, party: str, token: str) -> bool:
        """Whether a relying party takes a token."""
        port = self.ports[party]
        if party == "mail":
            secret = (self.directory / "dovecot.secret").read_text()
            url = f"http://127.0.0.1:{port}/introspect"
            answer = httpx.post(url, data={"token": token}, auth=("dovecot", secret), timeout=20)
            assert answer.status_code == 200, answer.text
            return bool(answer.json()["active"])
        headers = {"Authorization": f"Bearer {token}"}
        return httpx.get(f"http://127.0.0.1:{port}/today", headers=headers, timeout=20).status_code == 200

    def list_at(self, party: str) -> int | None:
        """The number of the list that is in force there."""
        found = httpx.get(f"http://127.0.0.1:{self.ports[party]}/deny-list", timeout=20).json()["sequence"]
        return None if found is None else int(found)


@contextmanager
def contained(
    directory: Path, *, dovecot: bool = False, places: Mapping[str, str] | None = None
) -> Iterator[Contained]:
    """The house in a directory. ``places`` are those of registry, state and ledger; SQLite by default."""
    ports = dict(zip(("signing", "mail", "calendar"), free_ports(3), strict=True))
    issuer = f"http://127.0.0.1:{ports['signing']}/enterprise"
    names = {
        "registry": "keys.db", "state": "state.db", "ledger": "ledger.db", **(places or {}),
        "contoso": CONTOSO, "mail": MAIL, "calendar": CALENDAR, "list": LIST, "events": EVENTS,
        "issuer": issuer, "ada": ADA,
    }  # fmt: skip
    for name in ("deny", "events", "incident"):
        generate(directory / f"{name}.key")
    secret = secrets.token_urlsafe(16)
    for name, value in (("dovecot", secret), ("client", SECRET), ("partner", "Bearer of the partner")):
        (directory / f"{name}.secret").write_text(value)
        (directory / f"{name}.secret").chmod(0o600)
    (directory / "www").mkdir()
    with ExitStack() as stack:
        run = _Runner(directory, names, ports, stack)
        made = run.all(issuer, secret)
        if dovecot:
            authority = Authority(directory)
            pair = authority.issue("mail")
            asking = Asking(f"http://127.0.0.1:{ports['mail']}/introspect", "dovecot", secret)
            domains = {"contoso.example": Domain(issuer, CONTOSO)}
            made.mail = stack.enter_context(
                LocalMail(domains, asking, certificate=pair.certificate, key=pair.key)
            )
            places_of = {**names, "imaps": made.mail.ports["imaps"], "ca": authority.certificate}
            with made.config.open("a") as stream:
                stream.write(_DOVECOT.format(**places_of))
        yield made


class _Runner:
    def __init__(
        self, directory: Path, names: dict[str, Any], ports: dict[str, int], stack: ExitStack
    ) -> None:
        self.directory, self.names, self.ports, self.stack = directory, names, ports, stack

    def all(self, issuer: str, secret: str) -> Contained:
        programs = {"signing": self._signing(issuer)}
        programs["mail"] = self._mail(issuer, secret)
        self._calendar(issuer)
        keys = {"keys": [json.loads((self.directory / "events.key.pub").read_text())]}
        receiver = OtherReceiver(keys, EVENTS, MAIL, "Bearer of the partner")
        self.stack.enter_context(receiving(receiver))
        (self.directory / "fetch.py").write_text(_FETCH)
        fetch = [sys.executable, str(self.directory / "fetch.py"), f"{issuer}/jwks"]
        text = _CONTAIN.format(
            **self.names | {"calendar_port": self.ports["calendar"], "introspection": self.ports["mail"]},
            receiver=receiver.url,
            fetch=json.dumps([*fetch, str(self.directory / "mail" / "enterprise.json")]),
        )
        (self.directory / "contain.toml").write_text(text)
        return Contained(
            self.directory, issuer, receiver, self.ports, programs=programs, log_key=self.log_key
        )

    def _signing(self, issuer: str) -> Program:
        room = self.directory / "signing"
        room.mkdir()
        digest = sha256(SECRET.encode()).hexdigest()
        (room / "people.toml").write_text(_PEOPLE.format(password=cheap("hopper"), contoso=CONTOSO))
        text = _SIGNING.format(port=self.ports["signing"], digest=digest, **self.names)
        house = House(room, text)
        self.log_key = str(house.log_key)
        command = [sys.executable, "-m", "immure", "serve", "signing", "--config", str(house.path)]
        program = self.stack.enter_context(Program(command, log=self.directory / "signing.log"))
        program.wait_for(self.ports["signing"])
        return program

    def _mail(self, issuer: str, secret: str) -> Program:
        room = self.directory / "mail"
        room.mkdir()
        (room / "enterprise.json").write_text(key_set(issuer))
        (room / "policy.toml").write_text(_POLICY.format(**self.names))
        digest = sha256(secret.encode()).hexdigest()
        path = room / "introspection.toml"
        path.write_text(_INTROSPECTION.format(port=self.ports["mail"], digest=digest, **self.names))
        command = [sys.executable, "-m", "immure", "serve", "introspection", "--config", str(path)]
        program = self.stack.enter_context(Program(command, log=self.directory / "mail.log"))
        program.wait_for(self.ports["mail"])
        return program

    def _calendar(self, issuer: str) -> None:
        pins = pinned_keys((self.directory / "deny.key.pub").read_bytes(), "deny.key.pub")
        store = DenyListStore(self.directory / "calendar.jwt", name=LIST, keys=pins)
        denies = DenyListGuard(store)
        pages = HttpsPages(allow_loopback=True)
        source = UrlSource(f"{issuer}/jwks", fetcher=pages, timing=Timing(cooldown=0.2))
        policy = Policy(
            {issuer: IssuerRule(source, "enterprise")},
            {CALENDAR: frozenset({"enterprise"})},
            token_type="at+jwt",
            deny_list=denies,
        )
        page = DenyListPage(denies, policy.issuers)
        inner = Protect(_today, Guard(Validator(policy), audience=CALENDAR))

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await (page if scope["path"] == "/deny-list" else inner)(scope, receive, send)

        self.stack.enter_context(serving(app, self.ports["calendar"]))


async def _today(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"nothing today"})


def key_set(issuer: str) -> str:
    """Its public keys, as soon as the service has them."""
    end = time.monotonic() + 30
    while True:
        answer = httpx.get(f"{issuer}/jwks", timeout=20)
        if answer.status_code == 200 and answer.json()["keys"]:
            return answer.text
        assert time.monotonic() < end, answer.text
        time.sleep(0.02)


def immure(*arguments: str | Path, code: int | tuple[int, ...] = 0) -> str:
    """The command line, in this process; what it writes to standard output."""

    @click.command()
    @click.pass_context
    def program(context: click.Context) -> None:
        context.exit(run_cli(list(map(str, arguments))))

    done = CliRunner().invoke(program, [])
    wanted = (code,) if isinstance(code, int) else code
    assert done.exit_code in wanted, f"{done.exit_code}\n{done.output}"
    return done.stdout
