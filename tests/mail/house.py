"""A whole house for mail: two issuers of a real signing service, our introspection, a real Dovecot."""

from __future__ import annotations

import base64
import imaplib
import json
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from immure.digest import signed_digest
from immure.keymaterial.key import b64url
from immure.mail.access import Access, decode_access
from immure.mail.follow import Follower
from immure.mail.running import LocalMail
from immure.mail.settings import Asking, Domain, Relay
from introspection.real.clients import sasl
from servers.program import Program, found, free_port
from servers.tls import Authority, Pair
from signing.house import SECRET, House

CONTOSO = "7ab8a5a2-4c4e-4b5c-8d7c-0b7a3c9d1e2f"
FABRIKAM = "11111111-2222-4333-8444-555555555555"
CONSUMERS = "9188040d-6c67-4c5b-b112-36a304b66dad"
MAIL, OUTLOOK = "https://mail.example", "https://outlook.example"
ADA, BOB, MALLORY = "ada@contoso.example", "bob@fabrikam.example", "mallory@outlook.example"
_PACKAGES = "Debian: dovecot-imapd dovecot-submissiond"

_SIGNING = """
version = 1
registry = "keys.db"
state = "state.db"
custody = "file+unsafe:private"

[ledger]
place = "ledger.db"
log = "ledger-log"
log_key = "file:log.key"

[listen]
port = {port}

[issuers.consumer]
url = "http://127.0.0.1:{port}/consumer"
audience_classes = ["consumer"]
tenants = ["{consumers}"]
keys.algorithm = "ES256"

[issuers.enterprise]
url = "http://127.0.0.1:{port}/enterprise"
audience_classes = ["enterprise"]
tenants = ["{contoso}", "{fabrikam}"]
keys.algorithm = "ES256"

[audiences."{mail}"]
class = "enterprise"
scopes = ["mail.read"]

[audiences."{outlook}"]
class = "consumer"
scopes = ["mail.read"]
"""
_CLIENT = """
[clients.{name}]
issuer = "{issuer}"
grants = ["client_credentials"]
audiences = ["{audience}"]
scopes = ["mail.read"]
tenant = "{tenant}"
secrets = ["sha256:{digest}"]
"""
_POLICY = """
version = 1
token_type = "at+jwt"

[sources.consumer]
file = "consumer.json"

[sources.enterprise]
file = "enterprise.json"

[issuers."{consumer}"]
source = "consumer"
audience_class = "consumer"
tenants = ["{consumers}"]

[issuers."{enterprise}"]
source = "enterprise"
audience_class = "enterprise"
tenants = ["{contoso}", "{fabrikam}"]

[audiences]
"{mail}" = ["enterprise"]
"{outlook}" = ["consumer"]
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
audiences = ["{mail}", "{outlook}"]
secrets = ["sha256:{digest}"]
"""
_NAMES: dict[str, Any] = {
    "mail": MAIL,
    "outlook": OUTLOOK,
    "consumers": CONSUMERS,
    "contoso": CONTOSO,
    "fabrikam": FABRIKAM,
}
#: Clients of the signing service; the subject of their tokens is their name.
_CLIENTS = {
    "ada": ("enterprise", MAIL, CONTOSO),
    "bob": ("enterprise", MAIL, FABRIKAM),
    "mallory": ("consumer", OUTLOOK, CONSUMERS),
}


def signing_house(directory: Path, port: int) -> House:
    """The directory of the signing service, with its first keys."""
    from immure.cli.signing import _first_keys

    digest = sha256(SECRET.encode()).hexdigest()
    text = _SIGNING.format(port=port, **_NAMES)
    for name, (issuer, audience, tenant) in _CLIENTS.items():
        text += _CLIENT.format(name=name, issuer=issuer, audience=audience, tenant=tenant, digest=digest)
    directory.mkdir(parents=True)
    house = House(directory, text)
    _first_keys(house.settings)
    return house


@dataclass(frozen=True)
class MailHouse:
    """All of it, running."""

    signing: House
    signing_port: int
    introspection_port: int
    secret: str
    accepted: Path
    authority: Authority
    certificate: Pair

    # --- tokens ---

    def issuer(self, name: str) -> str:
        """What the issuer of that name calls itself."""
        return _issuer(self.signing_port, name)

    def issued(self, name: str) -> str:
        """A token that the signing service gives to one of its clients."""
        url = f"{self.issuer(_CLIENTS[name][0])}/token"
        answer = httpx.post(url, data={"grant_type": "client_credentials"}, auth=(name, SECRET), timeout=20)
        answer.raise_for_status()
        return str(answer.json()["access_token"])

    def stolen(self, issuer: str, like: str, /, **claims: Any) -> str:
        """A token that a thief of that issuer's key makes after the pattern of another, with other claims."""
        [path] = (self.signing.directory / "private").glob(f"{issuer}-*.pem")
        key = load_pem_private_key(path.read_bytes(), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        head, payload, _ = like.split(".")
        header = {**_parsed(head), "kid": path.stem}
        said = {key: value for key, value in {**_parsed(payload), **claims}.items() if value is not None}
        signed = f"{_json(header)}.{_json(said)}"
        r, s = utils.decode_dss_signature(key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
        return f"{signed}.{b64url(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"

    # --- mail ---

    @property
    def domains(self) -> dict[str, Domain]:
        """Whose tokens open which domain."""
        return {
            "contoso.example": Domain(self.issuer("enterprise"), CONTOSO),
            "fabrikam.example": Domain(self.issuer("enterprise"), FABRIKAM),
            "outlook.example": Domain(self.issuer("consumer"), CONSUMERS),
        }

    @property
    def asking(self) -> Asking:
        """How Dovecot asks our server."""
        url = f"http://127.0.0.1:{self.introspection_port}/introspect"
        return Asking(url, "dovecot", self.secret)

    def mail(self, **more: Any) -> LocalMail:
        """A Dovecot that has not been started."""
        given = {"certificate": self.certificate.certificate, "key": self.certificate.key, **more}
        return LocalMail(self.domains, self.asking, **given)


@contextmanager
def mail_house(directory: Path) -> Iterator[MailHouse]:
    """The signing service and our server."""
    found("dovecot", _PACKAGES)
    authority = Authority(directory)
    own, port, secret = free_port(), free_port(), secrets.token_urlsafe(32)
    house = signing_house(directory / "signing", own)
    serve = [sys.executable, "-m", "immure", "serve"]
    command = [*serve, "signing", "--config", str(house.path)]
    with Program(command, log=directory / "signing.log") as signing:
        signing.wait_for(own)
        for name in ("consumer", "enterprise"):
            (directory / f"{name}.json").write_text(_key_set(own, name))
        path = _introspection_settings(directory, own, port, secret)
        command = [*serve, "introspection", "--config", str(path)]
        with Program(command, log=directory / "introspection.log") as program:
            program.wait_for(port)
            certificate = authority.issue("mail")
            yield MailHouse(house, own, port, secret, directory / "accepted", authority, certificate)


def _issuer(port: int, name: str) -> str:
    return f"http://127.0.0.1:{port}/{name}"


def _key_set(port: int, name: str) -> str:
    """Its public keys, as soon as the service has them."""
    end = time.monotonic() + 30
    while True:
        answer = httpx.get(f"{_issuer(port, name)}/jwks", timeout=20)
        if answer.status_code == 200 and answer.json()["keys"]:
            return answer.text
        assert time.monotonic() < end, answer.text
        time.sleep(0.05)


def _introspection_settings(directory: Path, signing: int, port: int, secret: str) -> Path:
    places = {
        **_NAMES,
        "consumer": _issuer(signing, "consumer"),
        "enterprise": _issuer(signing, "enterprise"),
    }
    (directory / "policy.toml").write_text(_POLICY.format(**places))
    path = directory / "introspection.toml"
    digest = sha256(secret.encode()).hexdigest()
    path.write_text(_INTROSPECTION.format(port=port, digest=digest, **_NAMES))
    return path


class Imap:
    """A mail program that reads by IMAP (Python's own)."""

    def __init__(self, house: MailHouse, mail: LocalMail) -> None:
        self._context, self._port = house.authority.context(), mail.ports["imaps"]

    def login(self, user: str, token: str, mechanism: str = "OAUTHBEARER") -> imaplib.IMAP4:
        """A session; raises imaplib.IMAP4.error if it is refused."""
        session = imaplib.IMAP4_SSL("127.0.0.1", self._port, ssl_context=self._context, timeout=20)
        asked: list[bytes] = []

        def answer(challenge: bytes) -> bytes:
            asked.append(challenge)
            return sasl(mechanism, user, token) if len(asked) == 1 else b"\x01"

        try:
            session.authenticate(mechanism, answer)
        except imaplib.IMAP4.error:
            session.shutdown()
            raise
        return session

    def gets_in(self, user: str, token: str, mechanism: str = "OAUTHBEARER") -> bool:
        """Whether the token opens that mailbox."""
        try:
            self.login(user, token, mechanism).logout()
        except imaplib.IMAP4.error as error:
            if "AUTHENTICATIONFAILED" not in str(error):
                raise  # it was not refused: something is broken
            return False
        return True


def curl(house: MailHouse, url: str, user: str, token: str, *more: str) -> subprocess.CompletedProcess[bytes]:
    """A mail program of other makers."""
    program = found("curl", "Debian: curl")
    ca_file = str(house.authority.certificate)
    command = [
        program,
        "-sS",
        "--max-time",
        "20",
        "--cacert",
        ca_file,
        "--oauth2-bearer",
        token,
        "-u",
        f"{user}:",
    ]
    return subprocess.run([*command, url, *more], capture_output=True, check=False)


def records(mail: LocalMail, directory: Path, done: Any) -> list[Access]:
    """The log's records as soon as ``done`` says that all are there; Dovecot writes events a moment later."""
    output = directory / "access.jsonl"
    end = time.monotonic() + 10
    while True:
        with Follower(mail.events, output) as follower:
            follower.catch_up()
        made = [decode_access(line) for line in output.read_bytes().splitlines()]
        if done(made):
            return made
        assert time.monotonic() < end, made
        time.sleep(0.05)


def digest_of(token: str) -> bytes:
    """The name of a token in every log."""
    return signed_digest(token.rpartition(".")[0].encode())


def relay_to(port: int) -> Relay:
    """Where submitted mail goes in a test."""
    return Relay(port=port)


def _parsed(part: str) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return value


def _json(value: dict[str, Any]) -> str:
    return b64url(json.dumps(value).encode())
