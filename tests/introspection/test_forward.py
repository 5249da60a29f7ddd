"""Forward authentication: 200, 401 and 403, and the headers that go with them."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
from pathlib import Path
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from immure.errors import KeySourceError
from immure.introspection.forward import header_text
from immure.introspection.settings import Forward
from immure.keymaterial.key import b64url
from immure.registry.scope import ScopedKey
from immure.tokens.policy import IssuerRule, Policy
from immure.tokens.source import KeySource
from introspection.running import Running, running, settings
from tokens.minting import CHAT, CONSUMER_ISSUER, CONSUMERS, ISSUER, MAIL, TENANT, Mint, T

GOOD = Mint()
CHALLENGE = 'Bearer realm="immure"'
INVALID = f'{CHALLENGE}, error="invalid_token"'
MALFORMED = f'{CHALLENGE}, error="invalid_request"'


@pytest.mark.parametrize(
    "path", ["/auth/web", "/auth/web/", "/auth/web/a/b?c=d", "/auth/web/%2e%2e/x", "/auth/web//"]
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "OPTIONS", "PROPFIND", "HEAD"])
def test_any_method_and_path(server: Running, method: str, path: str):
    answer = server.ask(method, path, [("Authorization", f"Bearer {GOOD.token()}")])
    assert (answer.status, answer.body) == (200, b"")
    assert answer.header("x-immure-subject") == ["mailbox-7"]
    assert answer.header("cache-control") == ["no-store"]


def test_a_body_is_not_read(server: Running):
    """A proxy that passes on the client's body all the same may go on with its connection."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    for size in (10, 300_000, 0):
        header = {"Authorization": f"Bearer {GOOD.token()}"}
        connection.request("POST", "/auth/web/upload", b"x" * size, header)
        answer = connection.getresponse()
        assert (answer.status, answer.read()) == (200, b"")
    connection.close()


def test_who_it_is(server: Running):
    answer = server.forward(GOOD.token(azp="outlook", scp=["mail.read", "mail.send"], aud=[MAIL, CHAT]))
    found = {name: value for name, value in answer.headers if name.startswith("x-immure-")}
    assert found == {
        "x-immure-subject": "mailbox-7",
        "x-immure-issuer": ISSUER,
        "x-immure-tenant": TENANT,
        "x-immure-client": "outlook",
        "x-immure-audience": f"{MAIL} {CHAT}",
        "x-immure-scope": "mail.read mail.send",
        "x-immure-username": "",
    }
    row = server.rows()[-1]
    assert (row.verdict, row.relying_party, row.channel) == ("accepted", "web", "forward-auth")


def test_a_forged_header_is_not_given_back(server: Running):
    answer = server.forward(GOOD.token(), "/auth/web", ("X-Immure-Client", "admin"), ("X-Other", "admin"))
    assert answer.header("x-immure-client") == [""]  # empty, so that a proxy overwrites the forged one
    assert "admin" not in str(answer.headers)


@pytest.mark.parametrize(
    ("token", "challenge"),
    [
        (Mint(key="Ed25519:consumer").token(), INVALID),
        (Mint(key="Ed25519:consumer").token(iss=CONSUMER_ISSUER, tid=CONSUMERS), INVALID),
        (GOOD.token(exp=T - 3600), INVALID),
        (GOOD.token(aud=CHAT), INVALID),
        (GOOD.token(cnf={"x5t#S256": "x" * 43}), INVALID),
        ("x", INVALID),
        ("", MALFORMED),
        (None, CHALLENGE),
    ],
)
def test_who_is_not_let_in(server: Running, token: str | None, challenge: str):
    answer = server.forward(token)
    assert (answer.status, answer.body, answer.header("www-authenticate")) == (401, b"", [challenge])
    assert not [name for name, _ in answer.headers if name.startswith("x-immure")]


@pytest.mark.parametrize(
    ("values", "challenge"),
    [
        (["Basic YTpi"], CHALLENGE),
        (["Bearer"], MALFORMED),
        (["bearer x"], INVALID),
        (["Bearer x y"], INVALID),
        (["Bearer x", "Bearer x"], MALFORMED),
        (["Basic YTpi", "Bearer x"], MALFORMED),
        (["DPoP x"], CHALLENGE),
    ],
)
def test_other_authorization(server: Running, values: list[str], challenge: str):
    answer = server.ask("GET", "/auth/web", [("Authorization", value) for value in values])
    assert (answer.status, answer.header("www-authenticate")) == (401, [challenge])


@pytest.mark.parametrize(
    "path", ["/auth/other", "/auth/", "/auth", "/authweb", "/auth/web2", "/", "/AUTH/web", "/auth%2Fweb"]
)
def test_other_paths(server: Running, path: str):
    assert server.ask("GET", path, [("Authorization", f"Bearer {GOOD.token()}")]).status == 404


def test_scopes_and_names_of_headers(tmp_path: Path):
    profile = Forward(
        "traefik", MAIL, frozenset({"mail.read", "mail.send"}), "the mail",
        {"subject": "Remote-User", "scope": "X-S"},
    )  # fmt: skip
    with running(settings(tmp_path / "log", forward={"web": profile})) as up:
        good = up.forward(GOOD.token(scope="mail.send x mail.read"))
        assert [one for one in good.headers if one[0] in ("remote-user", "x-s", "x-immure-subject")] == [
            ("remote-user", "mailbox-7"), ("x-s", "mail.send x mail.read"),
        ]  # fmt: skip
        for scope in ("mail.read", None, ["mail.read mail.send"], "mail.read,mail.send"):
            poor = up.forward(GOOD.token(scope=scope))
            words = 'Bearer realm="the mail", error="insufficient_scope", scope="mail.read mail.send"'
            assert (poor.status, poor.header("www-authenticate")) == (403, [words])
            row = up.rows()[-1]
            assert (row.verdict, row.rule) == ("refused", "scope-missing")
            assert (
                row.thumbprint is not None
            )  # its signature did hold, which a search for forgeries wants to know


class Silent(KeySource):
    """Has no keys now."""

    def find(self, kid: str | None) -> ScopedKey:
        raise KeySourceError("no answer in time", path="https://keys.example")


@pytest.mark.parametrize(
    ("consumer", "said", "status"),
    [
        ("nginx", None, 503),
        ("traefik", None, 503),
        ("caddy", None, 503),
        ("envoy", None, 403),
        ("envoy", 503, 503),
        ("nginx", 403, 403),
    ],
)
def test_no_verdict(tmp_path: Path, consumer: str, said: int | None, status: int):
    policy = Policy({ISSUER: IssuerRule(Silent(), "enterprise")}, {MAIL: frozenset({"enterprise"})})
    profile = Forward(consumer, MAIL, unavailable=said)  # type: ignore[arg-type]
    given = settings(tmp_path / "log", policy=policy, clients={}, forward={"web": profile})
    with running(given) as up:
        answer = up.forward(GOOD.token())
        assert (answer.status, answer.body, answer.header("x-immure-subject")) == (status, b"", [])
        assert up.rows() == []


def test_a_token_that_is_bound_to_a_certificate(tmp_path: Path):
    der = b"\x30\x82\x01\x00" + bytes(256)
    bound = GOOD.token(cnf={"x5t#S256": b64url(hashlib.sha256(der).digest())})
    header = ("Client-Cert", f":{base64.b64encode(der).decode()}:")
    other = ("Client-Cert", f":{base64.b64encode(der[:-1] + b'x').decode()}:")
    profile = Forward("caddy", MAIL, client_certificate=True)
    plain = Forward("caddy", MAIL)
    given = settings(
        tmp_path / "log", forward={"web": profile, "plain": plain}, certificate_header="client-cert"
    )
    with running(given) as up:
        assert up.forward(bound, "/auth/web", header).status == 200
        assert up.forward(GOOD.token(), "/auth/web", header).status == 200
        for more in ([], [other], [header, header], [("Client-Cert", "x")]):
            assert up.forward(bound, "/auth/web", *more).status == 401
        for value in ("x", ":AAAA:", f":{base64.b64encode(der[:-1]).decode()}:"):  # malformed, for any token
            assert up.forward(GOOD.token(), "/auth/web", ("Client-Cert", value)).status == 401
        assert up.forward(bound, "/auth/plain", header).status == 401  # this profile does not believe it


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_value_is_one_that_a_header_can_carry(value: str):
    text = header_text(value)
    assert all(0x21 <= ord(one) < 0x7F for one in text)
    assert unquote(text, errors="strict") == value  # and no other value looks the same


def test_hostile_values_reach_nobody(server: Running):
    sub = 'ada\r\nX-Admin: 1\x00 é"; %0A'
    answer = server.forward(GOOD.token(sub=sub, client_id="\u202eevil"))
    [text] = answer.header("x-immure-subject")
    assert (unquote(text), answer.header("x-admin")) == (sub, [])
    assert answer.header("x-immure-client") == ["%E2%80%AEevil"]
    assert json.dumps(text).isascii()
