"""The service that is crashed: two issuers; one keeps its key, the other replaces it all the time."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from immure.custody.algorithms import Algorithm
from immure.keymaterial.key import PublicKey
from immure.registry.opening import open_store
from immure.signing.settings import Settings
from immure.signing.settings_file import read_settings

URL: Final = "http://127.0.0.1"
AUDIENCE: Final = "https://api.example"
CLIENT: Final = "load"
STEADY, TURNING = "steady", "turning"
#: Seconds in which the second issuer's key is made, announced, used, retired and destroyed.
_KEYS: Final = "keys.lifetime_seconds = 20\nkeys.announce_seconds = 5\nkeys.overlap_seconds = 2"


@dataclass(frozen=True)
class House:
    """Where the service is; ``steady`` and ``turning`` say how the keys of its issuers sign."""

    directory: Path
    steady: Algorithm
    turning: Algorithm
    secret: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)

    @property
    def config(self) -> Path:
        """The settings."""
        return self.directory / "signing.toml"

    @property
    def socket(self) -> Path:
        """Where it listens."""
        return self.directory / "http"

    @property
    def first(self) -> str:
        """The name of the key that stays."""
        return f"{STEADY}-0001"

    def write(self, custody: str) -> Settings:
        """Write the settings, and read them."""
        self.config.write_text(self._text(custody), encoding="utf-8")
        return read_settings(self.config)

    def publics(self) -> list[PublicKey]:
        """Every key that the service has had, as the registry knows them now; raises RegistryError."""
        with open_store(str(self.directory / "keys.db")) as store:
            return [record.key for record in store.records()]

    def _text(self, custody: str) -> str:
        digest = hashlib.sha256(self.secret.encode()).hexdigest()
        issuers = "".join(
            f"""
[issuers.{name}]
url = "{URL}/{name}"
audience_classes = ["drill"]
access_token_seconds = 1
id_token_seconds = 1
keys.algorithm = "{algorithm}"
{more}
[clients.{CLIENT}-{name}]
issuer = "{name}"
grants = ["client_credentials"]
audiences = ["{AUDIENCE}"]
secrets = ["sha256:{digest}"]
"""
            for name, algorithm, more in ((STEADY, self.steady, ""), (TURNING, self.turning, _KEYS))
        )
        return f"""version = 1
registry = "keys.db"
state = "state.db"
custody = "{custody}"
ledger.place = "ledger.db"
listen.unix = "{self.socket.name}"
audiences."{AUDIENCE}".class = "drill"
{issuers}"""
