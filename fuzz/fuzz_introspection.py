"""Feeds broken forms, certificates, credentials and settings to the readers of the introspection server."""

from __future__ import annotations

import base64
from pathlib import Path
from tempfile import mkdtemp
from urllib.parse import parse_qsl, quote

from driver import run

from immure.errors import UsageError
from immure.introspection.authenticate import Authenticator
from immure.introspection.certificate import certificate_of
from immure.introspection.errors import RequestError
from immure.introspection.forms import parse_form
from immure.introspection.forward import header_text
from immure.introspection.settings import Client, Settings
from immure.introspection.settings_file import parse_settings
from immure.tokens.policy import IssuerRule, Policy
from immure.tokens.policy_file import read_policy

PLACE = Path(mkdtemp(prefix="immure-fuzz-"))
POLICY = """version = 1
[sources.a]
file = "keys.json"
[issuers."https://a.example"]
source = "a"
audience_class = "enterprise"
[audiences]
"https://b.example" = ["enterprise"]
"""
SETTINGS = b"""version = 1
policy = "policy.toml"
[listen]
address = "127.0.0.1:8930"
[log]
directory = "accepted"
[clients.mail]
audiences = ["https://b.example"]
secrets = ["sha256:0000000000000000000000000000000000000000000000000000000000000000"]
[forward.web]
consumer = "nginx"
audience = "https://b.example"
scopes = ["a"]
headers = { subject = "Remote-User" }
"""
(PLACE / "policy.toml").write_text(POLICY)
(PLACE / "keys.json").write_text('{"keys": []}')
_READ = read_policy(PLACE / "policy.toml")
ASKING = Authenticator(
    Settings(
        Policy(
            {"https://a.example": IssuerRule(_READ.issuers["https://a.example"].source, "e")}, {"b": {"e"}}
        ),
        {"mail": Client(frozenset({"b"}), (bytes(32),))},
    )
)


def check(data: bytes) -> None:
    """Each reader gives what it promises, or one of our errors."""
    kind, rest = data[:1], data[1:]
    if kind == b"f":
        _check_form(rest)
    elif kind == b"c":
        der = certificate_of([rest])
        assert der is None or len(der) <= len(rest)
    elif kind == b"s":
        _check_settings(rest)
    else:
        _check_credentials(rest)


def _check_form(body: bytes) -> None:
    form = parse_form(body)
    assert len(form) <= 32
    assert list(form.items()) == parse_qsl(body.decode("ascii"), keep_blank_values=True, errors="strict")
    for value in form.values():
        assert all(0x21 <= ord(one) < 0x7F for one in header_text(value))


def _check_settings(text: bytes) -> None:
    made = parse_settings(text, str(PLACE / "introspection.toml"))
    assert made.clients or made.forward
    assert made.listen.is_local or made.listen.certificate or made.listen.behind_proxy


def _check_credentials(value: bytes) -> None:
    step = ASKING.client({"headers": [(b"authorization", value)]}, {"token": "x"})
    try:
        step.send(None)
    except StopIteration as done:
        raise AssertionError(f"let in: {done.value}") from None


def seeds() -> list[bytes]:
    """One good input of each kind."""
    der = b"\x30\x82\x01\x00" + bytes(256)
    pem = f"-----BEGIN CERTIFICATE-----\n{base64.encodebytes(der).decode()}-----END CERTIFICATE-----\n"
    return [
        b"ftoken=a.b.c&token_type_hint=x%20y+z",
        b"ftoken=%C3%A4&a=",
        b"c:" + base64.b64encode(der) + b":",
        b"c" + quote(pem).encode(),
        b"s" + SETTINGS,
        b"bBasic " + base64.b64encode(b"mail:secret"),
        b"bBasic " + base64.b64encode(b"m%61il:secret%20"),
    ]


if __name__ == "__main__":
    assert issubclass(RequestError, Exception)
    assert issubclass(UsageError, Exception)
    run(check, seeds())
