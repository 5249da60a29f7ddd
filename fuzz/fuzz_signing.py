"""Feeds broken requests to the signing service, in this process: nothing but documented statuses comes out.

No exception, nothing of a key or password in an answer, and nothing at all of what was sent in the journal.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import io
import re
from collections.abc import Iterator
from pathlib import Path
from tempfile import mkdtemp
from typing import Any
from urllib.parse import urlencode

from driver import run

from immure.custody.generate import generate
from immure.errors import UsageError
from immure.signing.openapi import document
from immure.signing.service import Service, set_up
from immure.signing.settings_file import parse_settings

CANARY = "canary-of-the-fuzzer"
_SALT, _HASH = b"salt", hashlib.scrypt(CANARY.encode(), salt=b"salt", n=2, r=8, p=1, dklen=32)
SETTINGS = f"""version = 1
registry = "keys.db"
state = "state.db"
custody = "file+unsafe:private"
users = "users.toml"
[ledger]
place = "ledger.db"
[listen]
client_certificate_header = "Client-Cert"
[issuers.e]
url = "http://127.0.0.1:8940/e"
audience_classes = ["enterprise"]
keys.algorithm = "EdDSA"
[audiences."https://mail.example"]
class = "enterprise"
scopes = ["mail.read"]
[clients.a]
issuer = "e"
grants = ["client_credentials", "authorization_code", "refresh_token",
  "urn:ietf:params:oauth:grant-type:token-exchange", "urn:ietf:params:oauth:grant-type:jwt-bearer"]
audiences = ["https://mail.example"]
scopes = ["mail.read"]
redirect_uris = ["https://app.example/back"]
logout_uris = ["https://app.example/bye"]
secrets = ["sha256:{hashlib.sha256(CANARY.encode()).hexdigest()}"]
[clients.p]
issuer = "e"
grants = ["authorization_code"]
audiences = ["https://mail.example"]
redirect_uris = ["http://127.0.0.1/back", "https://spa.example/back"]
public = true
"""
_USERS = f"""[users.ada]
password = "scrypt:2:8:1:{base64.b64encode(_SALT).decode()}:{base64.b64encode(_HASH).decode()}"
issuers = ["e"]
"""
_BASIC = b"Basic " + base64.b64encode(f"a:{CANARY}".encode())
_FORM = b"application/x-www-form-urlencoded"
#: Endpoints by the first byte of an input, and the rest of what is fixed.
ENDS = {
    b"t": ("POST", "/e/token", "body"),
    b"r": ("POST", "/e/revoke", "body"),
    b"i": ("POST", "/e/introspect", "body"),
    b"a": ("GET", "/e/authorize", "query"),
    b"A": ("POST", "/e/authorize", "body"),
    b"s": ("POST", "/e/sign-in", "body"),
    b"e": ("GET", "/e/end-session", "query"),
    b"h": ("POST", "/e/token", "headers"),
    b"H": ("GET", "/e/authorize", "headers"),
    b"j": ("GET", "/e/jwks", "headers"),
}
_SECRETS = re.compile(rb"PRIVATE KEY|scrypt:|Traceback|" + CANARY.encode())


class Target:
    """A service without a network."""

    def __init__(self) -> None:
        place = Path(mkdtemp(prefix="immure-fuzz-"))
        self.path = str(place / "signing.toml")
        generate(place / "log.key")
        (place / "users.toml").write_text(_USERS)
        settings = parse_settings(SETTINGS.encode(), self.path)
        set_up(settings, origin="fuzz/ledger")
        self.journal = io.StringIO()
        self.loop = asyncio.new_event_loop()
        self.service = self.loop.run_until_complete(Service.start(settings, stream=self.journal))
        self.paths: dict[str, Any] = document(settings)["paths"]

    def ask(self, method: str, path: str, query: bytes, headers: list[Any], body: bytes) -> tuple[int, bytes]:
        """Status and body of an answer; asserts that the document knows it."""
        scope = {"type": "http", "method": method, "path": path, "query_string": query, "headers": headers}
        messages: list[Any] = []

        async def receive() -> Any:
            return {"type": "http.request", "body": body}

        async def send(message: Any) -> None:
            messages.append(message)

        self.loop.run_until_complete(self.service.app(scope, receive, send))
        begun, *rest = messages
        for name, value in begun["headers"]:
            assert re.fullmatch(rb"[a-z0-9-]+", name), name
            assert re.fullmatch(rb"[\x20-\x7e]*", value), value
        assert begun["status"] < 500, begun["status"]  # nothing is wrong with the service
        assert str(begun["status"]) in self.paths[path][method.lower()]["responses"], begun["status"]
        return begun["status"], b"".join(one["body"] for one in rest)


TARGET = Target()


def check(data: bytes) -> None:
    """One request, or the settings."""
    kind, rest = data[:1], data[1:]
    if kind == b"S":
        parse_settings(rest, TARGET.path)
        return
    method, path, where = ENDS.get(kind, ENDS[b"t"])
    headers = [(b"content-type", _FORM), (b"authorization", _BASIC), (b"cookie", b"immure-guard-e=g")]
    query, body = b"", b""
    if where == "headers":
        headers = [(b"content-type", _FORM), *_headers(rest)]
        query = body = _GOOD
    elif where == "query":
        query = rest
    else:
        body = rest
    before = TARGET.journal.tell()
    _, answer = TARGET.ask(method, path, query, headers, body)
    if CANARY.encode() not in body + query:  # a form comes back with what was asked for
        assert not _SECRETS.search(answer), answer
    TARGET.journal.seek(before)
    assert CANARY not in TARGET.journal.read()
    for one in TARGET.service.fetches.drain():  # what relying parties say of themselves is shown to people
        assert re.fullmatch(r"[\x20-\x7e]{1,150}", one.party), one.party


def _headers(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    for line in data.split(b"\n")[:20]:
        name, _, value = line.partition(b":")
        yield name.lower(), value.strip()


_ASKED = {
    "response_type": "code",
    "client_id": "a",
    "redirect_uri": "https://app.example/back",
    "scope": "openid mail.read",
    "state": "x",
    "code_challenge": "a" * 43,
    "code_challenge_method": "S256",
}
_GOOD = urlencode({"grant_type": "client_credentials", **_ASKED}).encode()


def seeds() -> list[bytes]:
    """One good input of each kind."""
    asked = urlencode(_ASKED).encode()
    form = {"request": asked.decode(), "guard": "g", "name": "ada", "password": CANARY}
    token = (
        base64.urlsafe_b64encode(b'{"alg":"EdDSA","kid":"e-0001","typ":"at+jwt"}').rstrip(b"=") + b".e30.AA"
    )
    exchange = {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "subject_token": token.decode(),
        "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
    }
    assertion = {"client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}
    return [
        b"tgrant_type=client_credentials&scope=mail.read&resource=https%3A%2F%2Fmail.example",
        b"t" + urlencode(exchange).encode(),
        b"tgrant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=" + token,
        b"tgrant_type=authorization_code&code=x&code_verifier=" + b"v" * 43,
        b"tgrant_type=refresh_token&refresh_token=x&scope=mail.read",
        b"rtoken=" + token + b"&token_type_hint=access_token",
        b"itoken=" + token,
        b"a" + asked + b"&prompt=none&max_age=1&nonce=n",
        b"A" + asked,
        b"a" + urlencode({**_ASKED, "client_id": "p", "redirect_uri": "http://127.0.0.1:9/back"}).encode(),
        b"s" + urlencode(form).encode(),
        b"eid_token_hint="
        + token
        + b"&post_logout_redirect_uri=https%3A%2F%2Fapp.example%2Fbye&client_id=a&state=s",
        b"hauthorization: " + _BASIC + b"\ndpop: " + token + b"\nclient-cert: :MIIB:",
        b"h" + urlencode({**assertion, "client_assertion": token.decode()}).encode(),
        b"Hcookie: immure-session-e=x; immure-guard-e=y\norigin: https://spa.example",
        b"juser-agent: guard/1 (mail)",
        b"S" + SETTINGS.encode(),
    ]


if __name__ == "__main__":
    assert issubclass(UsageError, Exception)
    run(check, seeds())
