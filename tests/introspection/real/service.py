"""Our server in a process of its own: ``immure serve introspection`` with the settings of the page."""

from __future__ import annotations

import json
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from immure.tokens.acceptance.decision import Decision
from immure.tokens.acceptance.reader import read_decisions
from introspection.real.cases import CONSUMER_KEY, ENTERPRISE_KEY, digest
from introspection.real.page import shown
from servers.program import Program, directory, free_port
from tokens.minting import CONSUMER_ISSUER, MAIL, jwk

_SERVE = [sys.executable, "-m", "immure", "serve"]

#: For :func:`serving`: beside each proxy's profile another, ``…-scoped``, that asks for a scope.
SCOPED = {
    f"[forward.{name}]": f'[forward.{name}-scoped]\nconsumer = "{name}"\naudience = "{MAIL}"\n'
    f'scopes = ["Mail.Read"]\n\n[forward.{name}]'
    for name in ("nginx", "envoy", "caddy")
}
#: For :func:`serving`: a policy whose keys nobody can get.
NO_KEYS = {'file = "keys.json"': 'url = "https://127.0.0.1:9/keys"'}


@dataclass(frozen=True)
class Service:
    """Where it listens, what Dovecot proves itself with, where its log is."""

    port: int
    log: Path
    program: Program
    secret: str = field(repr=False)

    def rows(self) -> list[Decision]:
        """Every decision so far: a row is there before the relying party hears of it."""
        return list(read_decisions(self.log))

    def row(self, token: str) -> Decision:
        """The one about that token."""
        [found] = [row for row in self.rows() if row.digest == digest(token)]
        return found

    def refusals(self, token: str, since: float) -> list[tuple[str, str]]:
        """Rule and relying party of every row about that token; what has no form of one has no name."""
        found = [row for row in self.rows() if row.digest == digest(token) and row.time >= since]
        return [(row.rule, row.relying_party) for row in found]


@contextmanager
def serving(
    settings: dict[str, str] | None = None,
    *,
    policy: dict[str, str] | None = None,
    port: int | None = None,
    secret: str | None = None,
) -> Iterator[Service]:
    """The server of the page, with words of its settings and policy replaced; ``secret`` is Dovecot's."""
    port, secret = port or free_port(), secret or secrets.token_urlsafe(32)
    with directory() as base:
        shared = [jwk(ENTERPRISE_KEY), jwk(CONSUMER_KEY, issuer=CONSUMER_ISSUER)]
        (base / "keys.json").write_text(json.dumps({"keys": shared}), encoding="ascii")
        (base / "policy.toml").write_text(shown("policy.toml", policy or {}))
        places = {
            "127.0.0.1:8930": f"127.0.0.1:{port}",
            "sha256:DIGEST": f"sha256:{sha256(secret.encode()).hexdigest()}",
        }
        path = base / "introspection.toml"
        path.write_text(shown("introspection.toml", places | (settings or {})), encoding="ascii")
        with Program([*_SERVE, "introspection", "--config", str(path)], log=base / "output") as program:
            program.wait_for(port)
            yield Service(port, base / "accepted", program, secret)
