"""The two signing services: the consumers', which will crash, and the enterprises', which nothing happens to.

They share nothing: each has its own process, keys, registry and ledger. The consumers' is set up with the
custody and the rotation that the controls say; the enterprises' always as Immure ships it.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import socket
import sys
import urllib.error
import urllib.parse
import urllib.request
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal

from immure.auditlog.note import NoteKey, parse_vkey
from immure.errors import ImmureError
from immure.replay.errors import ReplayError
from immure.replay.identity import Directory
from immure.replay.networks import Network
from immure.replay.program import LOOPBACK, Program, children, immure, runs
from immure.replay.scenario import Organization
from immure.replay.soft_token import WORDS as TOKEN_WORDS
from immure.replay.soft_token import SoftToken
from immure.signing.service import set_up
from immure.signing.settings import Settings
from immure.signing.settings_file import read_settings

#: What has the private keys: files that the front end reads, the key holder, or a PKCS#11 token.
Custody = Literal["file", "keyholder", "pkcs11"]
CUSTODIES: Final[dict[Custody, str]] = {
    "file": "the key is in files, and in the memory of the front end",
    "keyholder": "the key holder, a process of its own, has the key",
    "pkcs11": f"a PKCS#11 token has the key: {TOKEN_WORDS}",
}
CONSUMER: Final = "consumer"
ENTERPRISE: Final = "enterprise"
CHAT: Final = "https://chat.example"
MAIL: Final = "https://mail.example"
#: The mail program that people use.
PROGRAM: Final = "desk-mail"
_BACKLOG: Final = 2048
_BEARER: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_AUDIENCES: Final = {CONSUMER: CHAT, ENTERPRISE: MAIL}
#: A key that signs for ten years, and one whose month is two seconds long.
_NEVER: Final = "keys.lifetime_seconds = 315360000"
_OFTEN: Final = "keys.lifetime_seconds = 2\nkeys.announce_seconds = 1\nkeys.overlap_seconds = 1"
_HOLDER: Final = "keyholder:holder/keys.sealed?pin-source=pin"
_SHORT: Final = "access_token_seconds = 1\nid_token_seconds = 1"


@dataclass
class Issuer:
    """One signing service, and what its clients need to know.

    Attributes:
        kind: whose it is: consumers' or enterprises'.
        room: its directory.
        port: where it listens.
        custody: what has its keys.
        rotates: whether keys are replaced on time.
        may_dump: whether its front end may leave a core.
        network: that of its room, from which it can call nobody; None if that is the machine's.
        log_key: with which the log of its ledger is verified; there once it is prepared.
    """

    kind: str
    room: Path
    port: int
    custody: Custody = "keyholder"
    rotates: bool = False
    may_dump: bool = False
    network: Network | None = None
    secret: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    program: Program | None = None
    soft_token: SoftToken | None = None
    log_key: NoteKey | None = None

    @property
    def url(self) -> str:
        """Its ``iss``."""
        return f"http://{LOOPBACK}:{self.port}/{self.kind}"

    @property
    def first_kid(self) -> str:
        """The name of the first key that it has."""
        return f"{self.kind}-0001"

    @property
    def ledger(self) -> Path:
        """What it has issued."""
        return self.room / "ledger.db"

    @property
    def ledger_log(self) -> Path:
        """The signed log of that."""
        return self.room / "ledger-log"

    @property
    def registry(self) -> Path:
        """Its keys, and what they may sign for."""
        return self.room / "keys.db"

    def prepare(self, organizations: Sequence[Organization] = ()) -> None:
        """Make keys, registry and ledger; for enterprises, everybody's identity provider is trusted.

        Raises:
            ReplayError: something cannot be made.
        """
        from immure.custody.generate import generate

        try:
            (self.room / "pin").touch(mode=0o600)
            (self.room / "pin").write_text(secrets.token_urlsafe(18) + "\n", encoding="ascii")
            generate(self.room / "log.key", "EdDSA")
            if self.custody == "pkcs11":
                self.soft_token = SoftToken(self.room, self.room / "pin")
                self.soft_token.start()
            (self.room / "signing.toml").write_text(self._settings(organizations), encoding="utf-8")
            settings = read_settings(self.room / "signing.toml")
            vkey = set_up(settings, origin=f"replay.example/{self.kind}")
            self.log_key = None if vkey is None else parse_vkey(vkey)
            if self.custody == "keyholder":
                _first_key(settings, self.room)
        except (ImmureError, OSError) as error:
            raise ReplayError(f"the {self.kind} issuer cannot be set up: {error}") from error

    def start(self) -> None:
        """Start serving; :meth:`wait` says when it does."""
        words = immure("serve", "signing", "--config", "signing.toml")
        if self.may_dump:
            words = [words[0], "-m", "immure.replay.signer_process", "signing.toml"]
        known = {} if self.soft_token is None else self.soft_token.environment
        self.program = self._started(words, known)

    def wait(self) -> None:
        """Until it gives out tokens; raises ReplayError if it never does."""
        self._running().wait_for_page(f"http://{LOOPBACK}:{self.port}/readyz")

    def stop(self) -> None:
        """End it."""
        if self.program is not None:
            self.program.stop()
        if self.soft_token is not None:
            self.soft_token.stop()

    def front_end(self, not_pid: int = 0) -> int:
        """The process that speaks with clients; 0 if there is none just now."""
        pids = children(self._running().process.pid)
        return next((pid for pid in pids if pid != not_pid and runs(pid, b"spawn_main")), 0)

    # --- what its clients do ---

    def token(self, **form: str) -> str:
        """A token for the client of this issuer; raises ReplayError if there is none."""
        body = urllib.parse.urlencode({"grant_type": "client_credentials", **form}).encode()
        request = urllib.request.Request(f"{self.url}/token", body)  # noqa: S310 - our own http
        request.add_header(
            "Authorization", "Basic " + b64encode(f"{PROGRAM}:{self.secret}".encode()).decode()
        )
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310 - our own http
                return str(json.load(answer)["access_token"])
        except urllib.error.HTTPError as error:
            raise ReplayError(f"the {self.kind} issuer gave no token: {error.read(300)!r}") from error
        except (OSError, ValueError) as error:
            raise ReplayError(f"the {self.kind} issuer gave no token: {error}") from error

    def token_for(self, organization: Organization, directory: Directory) -> str:
        """A token for somebody whom their organization's own identity provider has signed in (RFC 7523)."""
        return self.token(grant_type=_BEARER, assertion=directory.assertion(organization, self.url))

    def jwks(self) -> dict[str, Any]:
        """Its public keys, as anybody can read them.

        Raises:
            ReplayError: it does not answer.
        """
        try:
            with urllib.request.urlopen(f"{self.url}/jwks", timeout=20) as answer:  # noqa: S310 - our own http
                found: dict[str, Any] = json.load(answer)
                return found
        except (OSError, ValueError) as error:
            raise ReplayError(f"the {self.kind} issuer does not publish its keys: {error}") from error

    # --- how it is set up ---

    def _started(self, words: list[str], known: Mapping[str, str]) -> Program:
        start = partial(Program, log=self.room / "journal.jsonl", directory=self.room, environment=known)
        if self.network is None:
            return start(words)
        with socket.create_server((LOOPBACK, self.port), backlog=_BACKLOG) as outside:
            given = (self.network.descriptor, outside.fileno())
            entering = [sys.executable, "-m", "immure.replay.entering", *map(str, given), *words]
            return start(entering, descriptors=given)

    @property
    def _custody(self) -> str:
        if self.soft_token is not None:
            return self.soft_token.custody
        return "file+unsafe:custody" if self.custody == "file" else _HOLDER

    def _settings(self, organizations: Sequence[Organization]) -> str:
        digest = hashlib.sha256(self.secret.encode()).hexdigest()
        trusted = "".join(
            f"""
[issuers.{self.kind}.trusted."https://id.{one.domain}"]
jwks_file = "../directory/{one.domain}.json"
tenant = "{one.tenant}"
"""
            for one in organizations
        )
        grants = f'"client_credentials", "{_BEARER}"' if organizations else '"client_credentials"'
        return f"""version = 1
registry = "keys.db"
state = "state.db"
custody = "{self._custody}"
ledger.place = "ledger.db"
ledger.log = "ledger-log"
ledger.log_key = "file:log.key"
listen.port = {self.port}
listen.inherited = {"false" if self.network is None else "true"}
audiences."{_AUDIENCES[self.kind]}".class = "{self.kind}"

[clients.{PROGRAM}]
issuer = "{self.kind}"
grants = [{grants}]
audiences = ["{_AUDIENCES[self.kind]}"]
secrets = ["sha256:{digest}"]

[issuers.{self.kind}]
url = "{self.url}"
audience_classes = ["{self.kind}"]
{_SHORT if self.rotates else ""}
{_OFTEN if self.rotates else _NEVER}
{trusted}"""

    def _running(self) -> Program:
        if self.program is None:
            raise ReplayError(f"the {self.kind} issuer was not started")
        return self.program


def _first_key(settings: Settings, room: Path) -> None:
    """As ``immure signing init`` makes it."""
    from immure.custody.keyholder import KeyHolder
    from immure.custody.keyholder.held_key import ANY_AUDIENCE, Rules

    with KeyHolder.create(room / "holder" / "keys.sealed", [room / "pin"]) as holder:
        for issuer in settings.issuers.values():
            audiences = {name: frozenset({one.audience_class}) for name, one in settings.audiences.items()}
            audiences[ANY_AUDIENCE] = issuer.scope.audience_classes
            most = max(issuer.access_seconds, issuer.id_seconds)
            rules = Rules(issuer.plan.algorithm, issuer.scope, audiences, most_seconds=most)  # type: ignore[arg-type]
            holder.generate(f"{issuer.plan.prefix}-0001", rules, bits=issuer.plan.bits)
