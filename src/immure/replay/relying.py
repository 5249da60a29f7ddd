"""The mail system's doorkeeper: the introspection server, which the mail server asks about each token.

With ``key-scope`` it is ``immure serve introspection`` as it is shipped. Without, it is the library of 2022:
everything is checked but what a key may sign for (:mod:`.unscoped_process`). What it
decides is in its log of acceptances.
"""

from __future__ import annotations

import hashlib
import secrets
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from immure.replay.issuers import ENTERPRISE, MAIL, Issuer
from immure.replay.program import LOOPBACK, Program, free_ports, immure
from immure.secret import Secret

CLIENT: Final = "mail-server"
#: The name of the list of keys that are burnt.
DENY_LIST: Final = "https://login.example/deny-list"
#: File beside the settings with a secret that is shared with those who sign.
SHARED: Final = "shared.secret"


@dataclass
class Doorkeeper:
    """One introspection server.

    Attributes:
        room: its directory.
        keys: file with the keys of the common endpoint.
        issuers: who signs: the policy knows all of them.
        checks_scope: whether a key is held to what it may sign for.
        tenants: of the organizations whose mail is here.
        deny_list: the public key that deny-lists are held against; None takes none.
        shared: a secret with which tokens may be signed, too, where scope is not checked.
    """

    room: Path
    keys: Path
    issuers: tuple[Issuer, ...]
    checks_scope: bool
    tenants: tuple[str, ...] = ()
    shared: Secret[bytes] | None = None
    deny_list: Path | None = None
    secret: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    port: int = field(default_factory=lambda: free_ports(1)[0])
    program: Program | None = None

    @property
    def url(self) -> str:
        """Where tokens are asked about."""
        return f"http://{LOOPBACK}:{self.port}/introspect"

    @property
    def deny_list_url(self) -> str:
        """Where a deny-list is pushed to."""
        return f"http://{LOOPBACK}:{self.port}/deny-list"

    @property
    def log(self) -> Path:
        """The log of acceptances."""
        return self.room / "accepted"

    @property
    def settings(self) -> Path:
        """The settings."""
        return self.room / "introspection.toml"

    def start(self) -> None:
        """Write policy and settings, and start."""
        (self.room / "policy.toml").write_text(self._policy(), encoding="utf-8")
        self.settings.write_text(self._settings(), encoding="utf-8")
        words = immure("serve", "introspection", "--config", self.settings.name)
        if self.shared is not None and not self.checks_scope:
            (self.room / SHARED).touch(mode=0o600)
            (self.room / SHARED).write_bytes(self.shared.reveal())
        if not self.checks_scope:
            words = [sys.executable, "-m", "immure.replay.unscoped_process", self.settings.name]
        self.program = Program(words, log=self.room / "doorkeeper.jsonl", directory=self.room)

    def wait(self) -> None:
        """Until it answers; raises ReplayError if it never does."""
        if self.program is not None:
            self.program.wait_for_page(f"http://{LOOPBACK}:{self.port}/readyz")

    def stop(self) -> None:
        """End it; its log is sealed then."""
        if self.program is not None:
            self.program.stop()

    def _policy(self) -> str:
        tenants = ", ".join(f'"{one}"' for one in self.tenants)
        rules = "".join(
            f'\n[issuers."{one.url}"]\nsource = "common"\naudience_class = "{one.kind}"\nexact_keys = true\n'
            f"tenants = [{tenants if one.kind == ENTERPRISE else ''}]\n"
            for one in self.issuers
        )
        denied = (
            ""
            if self.deny_list is None
            else f'\n[deny_list]\nname = "{DENY_LIST}"\nkeys = "{self.deny_list}"\n'
            'state = "deny-list.jwt"\non_expiry = "keep"\n'
        )
        return f"""version = 1
token_type = "at+jwt"

[sources.common]
file = "{self.keys}"
{rules}
[audiences]
"{MAIL}" = ["enterprise"]
{denied}"""

    def _settings(self) -> str:
        digest = hashlib.sha256(self.secret.encode()).hexdigest()
        return f"""version = 1
policy = "policy.toml"

[listen]
address = "{LOOPBACK}:{self.port}"

[log]
directory = "accepted"

[introspection]
username = "sub"

[clients.{CLIENT}]
audiences = ["{MAIL}"]
secrets = ["sha256:{digest}"]
"""
