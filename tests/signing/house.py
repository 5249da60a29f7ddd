"""A whole signing service with two issuers, for the tests: real keys, a real ledger, a real log."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import httpx

from immure.custody.generate import generate
from immure.signing.service import Service, set_up
from immure.signing.settings import Settings
from immure.signing.settings_file import read_settings
from immure.signing.users import hash_password

HERE = "http://127.0.0.1:8940"
CONSUMER, ENTERPRISE = f"{HERE}/consumer", f"{HERE}/enterprise"
MAIL, OUTLOOK, CALENDAR = "https://mail.example", "https://outlook.example", "https://calendar.example"
SECRET = "a secret of 256 bits, as it were"
CONTOSO = "7ab8a5a2-4c4e-4b5c-8d7c-0b7a3c9d1e2f"
FABRIKAM = "11111111-2222-4333-8444-555555555555"
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
ACCESS = "urn:ietf:params:oauth:token-type:access_token"
DIGEST = f"sha256:{hashlib.sha256(SECRET.encode()).hexdigest()}"
BACK = "https://app.example/back"

SETTINGS = f"""
version = 1
registry = "keys.db"
state = "state.db"
custody = "file+unsafe:private"
users = "users.toml"

[ledger]
place = "ledger.db"
log = "ledger-log"
log_key = "file:log.key"

[listen]
client_certificate_header = "Client-Cert"

[issuers.consumer]
url = "{CONSUMER}"
audience_classes = ["consumer"]
keys.algorithm = "ES256"

[issuers.enterprise]
url = "{ENTERPRISE}"
audience_classes = ["enterprise"]
tenants = ["{CONTOSO}", "{FABRIKAM}"]
keys.algorithm = "EdDSA"

[issuers.enterprise.trusted."https://idp.contoso.example"]
jwks_file = "idp.json"
subjects = ["ada"]
tenant = "{CONTOSO}"

[audiences."{MAIL}"]
class = "enterprise"
scopes = ["mail.read", "mail.send"]

[audiences."{CALENDAR}"]
class = "enterprise"
scopes = ["calendar.read", "mail.read"]

[audiences."{OUTLOOK}"]
class = "consumer"
scopes = ["mail.read"]

[clients.daemon]
issuer = "enterprise"
grants = ["client_credentials", "{EXCHANGE}", "{BEARER}"]
audiences = ["{MAIL}", "{CALENDAR}"]
scopes = ["mail.read", "calendar.read"]
tenant = "{CONTOSO}"
serves = ["{CALENDAR}"]
secrets = ["{DIGEST}"]

[clients.signer]
issuer = "enterprise"
grants = ["client_credentials"]
audiences = ["{MAIL}"]
scopes = ["mail.read"]
tenant = "{CONTOSO}"
jwks_file = "signer.json"

[clients.bound]
issuer = "enterprise"
grants = ["client_credentials"]
audiences = ["{MAIL}"]
tenant = "{CONTOSO}"
bound = "dpop"
secrets = ["{DIGEST}"]

[clients.gateway]
issuer = "enterprise"
grants = ["{EXCHANGE}"]
audiences = ["{CALENDAR}"]
scopes = ["mail.read", "calendar.read"]
serves = ["{MAIL}"]
secrets = ["{DIGEST}"]

[clients.web]
issuer = "enterprise"
grants = ["authorization_code", "refresh_token"]
audiences = ["{MAIL}"]
scopes = ["mail.read", "mail.send"]
redirect_uris = ["{BACK}"]
logout_uris = ["https://app.example/bye"]
secrets = ["{DIGEST}"]

[clients.native]
issuer = "consumer"
grants = ["authorization_code", "refresh_token"]
audiences = ["{OUTLOOK}"]
scopes = ["mail.read"]
redirect_uris = ["http://127.0.0.1/back", "https://spa.example/back"]
public = true

[clients.phone]
issuer = "consumer"
grants = ["client_credentials"]
audiences = ["{OUTLOOK}"]
secrets = ["{DIGEST}"]
"""


@cache
def cheap(password: str) -> str:
    """A hash that takes no time: a real one takes a tenth of a second, each time that somebody signs in."""
    return hash_password(password, cost=(16, 8, 1))


class House:
    """A directory with all that the settings name."""

    def __init__(self, directory: Path, settings: str = SETTINGS, **files: Mapping[str, Any]) -> None:
        self.directory = directory
        generate(directory / "log.key")
        for name in ("idp", "signer"):
            keys = files.get(name, {"keys": []})
            (directory / f"{name}.json").write_text(json.dumps(keys))
        (directory / "users.toml").write_text(
            f"""
[users.ada]
password = "{cheap("lovelace")}"
tenant = "{CONTOSO}"
issuers = ["enterprise"]
[users.mallory]
password = "{cheap("mallory")}"
issuers = ["consumer"]
"""
        )
        self.path = directory / "signing.toml"
        self.path.write_text(settings)
        self.log_key = set_up(self.settings, origin="login.example/ledger")

    @property
    def settings(self) -> Settings:
        return read_settings(self.path)


def client_of(service: Service) -> httpx.AsyncClient:
    """A client that calls the application without a network."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=service.app), base_url=HERE)


def claims_of(token: str) -> dict[str, Any]:
    """What a token says; its signature is not looked at."""
    part = token.split(".")[1]
    plain: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return plain
