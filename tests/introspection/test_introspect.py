"""``POST /introspect``: what is answered to whom, and that nothing else is."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlencode

import pytest

from immure.errors import KeySourceError
from immure.introspection.settings import Client
from immure.registry.scope import ScopedKey
from immure.tokens.policy import IssuerRule, Policy
from immure.tokens.source import KeySource
from introspection.running import FORM, SECRET, Running, basic, digest, running, settings
from tokens.minting import CHAT, CONSUMER_ISSUER, CONSUMERS, ISSUER, MAIL, NOW, TENANT, Mint, T, policy

INACTIVE = b'{"active":false}'
GOOD = Mint()
CONSUMER = Mint(key="Ed25519:consumer")
ASK = [basic("mail", SECRET), ("Content-Type", FORM)]


def test_an_active_token(server: Running):
    token = GOOD.token(client_id="outlook", scope="mail.read mail.send", jti="7")
    answer = server.introspect(token)
    assert answer.status == 200
    assert answer.header("content-type") == ["application/json"]
    assert answer.header("cache-control") == ["no-store"]
    assert answer.json == {
        "active": True, "iss": ISSUER, "sub": "mailbox-7", "aud": MAIL, "tenant": TENANT, "jti": "7",
        "exp": T + 3600, "iat": T - 60, "nbf": T - 60, "client_id": "outlook", "scope": "mail.read mail.send",
    }  # fmt: skip
    row = server.rows()[-1]
    assert (row.verdict, row.relying_party, row.channel) == ("accepted", "mail", "introspection")
    assert (row.time, row.subject) == (NOW.timestamp(), "mailbox-7")


@pytest.mark.parametrize(
    ("token", "client", "rule"),
    [
        (CONSUMER.token(), "mail", "key-issuer"),  # the incident
        (CONSUMER.token(iss=CONSUMER_ISSUER, tid=CONSUMERS), "mail", "token-audience-class"),
        (CONSUMER.token(iss=CONSUMER_ISSUER, tid=CONSUMERS), "chat", "token-audience"),
        (GOOD.token(exp=T - 3600), "mail", "token-expired"),
        (GOOD.token(aud="https://elsewhere.example"), "mail", "token-audience"),
        (GOOD.token(), "chat", "token-audience"),  # it may not ask about the mail's tokens
        (GOOD.token(aud=CHAT), "mail", "token-audience"),
        (GOOD.token(cnf={"jkt": "x" * 43}), "mail", "token-confirmation"),
        (GOOD.token() + "x", "mail", "token-base64"),
        ("", "mail", "token-form"),
        ("no token at all", "mail", "token-form"),
        ("ä.ö.ü", "mail", "token-form"),
        ("x" * 20_000, "mail", "token-size"),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 30 else "",
)
def test_a_token_that_is_not_active(server: Running, token: str, client: str, rule: str):
    secret = SECRET if client == "mail" else "chat-secret-of-the-tests"
    answer = server.introspect(token, client, secret)
    assert (answer.status, answer.body) == (200, INACTIVE)
    assert answer.header("cache-control") == ["no-store"]
    row = server.rows()[-1]
    assert (row.verdict, row.rule, row.relying_party) == ("refused", rule, client)


@pytest.mark.parametrize(
    ("said", "answered"),
    [
        (MAIL, MAIL),
        ([MAIL], MAIL),
        ([MAIL, CHAT], MAIL),  # of the others the client is told nothing
        ([MAIL, MAIL], [MAIL, MAIL]),
        (["https://elsewhere.example", MAIL], MAIL),
    ],
)
def test_the_audience_is_a_plain_text_where_there_is_one(server: Running, said: object, answered: object):
    assert server.introspect(GOOD.token(aud=said)).json["aud"] == answered


def test_an_audience_that_is_named_by_client_id(tmp_path: Path):
    """As access tokens of AWS Cognito have it."""
    given = policy(audience_claim="client_id")
    with running(settings(tmp_path / "log", policy=given)) as up:
        answer = up.introspect(GOOD.token(aud=None, client_id=MAIL)).json
        assert (answer["aud"], answer["client_id"]) == (MAIL, MAIL)
        web = up.forward(GOOD.token(aud=None, client_id=MAIL))
        assert (web.status, web.header("x-immure-audience")) == (200, [MAIL])
        assert up.introspect(GOOD.token(aud=None, client_id=CHAT)).body == INACTIVE


@pytest.mark.parametrize(
    ("claims", "scope"),
    [
        ({"scope": "a b"}, "a b"),
        ({"scope": ["a", "b"]}, "a b"),
        ({"scp": "a b"}, "a b"),
        ({"scp": ["a", "b"]}, "a b"),
        ({"scope": "a", "scp": "b"}, "a"),
        ({"scp": [1]}, None),
        ({"scp": ["a b"]}, None),
        ({}, None),
    ],
)
def test_scopes_are_one_text(server: Running, claims: dict[str, object], scope: str | None):
    assert server.introspect(GOOD.token(**claims)).json.get("scope") == scope


def test_the_hint_is_not_looked_at(server: Running):
    assert server.introspect(GOOD.token(), token_type_hint="refresh_token").json["active"] is True


@pytest.mark.parametrize(
    ("body", "headers", "status", "error"),
    [
        (b"", ASK, 400, "invalid_request"),
        (b"token_type_hint=access_token", ASK, 400, "invalid_request"),
        (b"token=a&token=b", ASK, 400, "invalid_request"),
        (b"token=a&t%6Fken=b", ASK, 400, "invalid_request"),
        (b"token=%zz", ASK, 400, "invalid_request"),
        (b"token=%ff", ASK, 400, "invalid_request"),
        (b"\xfftoken=a", ASK, 400, "invalid_request"),
        (b"&".join(b"p%d=1" % number for number in range(40)), ASK, 400, "invalid_request"),
        (b'{"token":"a"}', [ASK[0], ("Content-Type", "application/json")], 415, "invalid_request"),
        (b"token=a", [ASK[0]], 415, "invalid_request"),
        (b"token=a", [*ASK, ASK[1]], 415, "invalid_request"),
        (b"token=" + b"x" * (32 << 10), ASK, 413, "invalid_request"),
        (b"token=a", [ASK[1]], 401, "invalid_client"),
    ],
)
def test_a_request_that_is_none(
    server: Running, body: bytes, headers: list[tuple[str, str]], status: int, error: str
):
    before = len(server.rows())
    answer = server.ask("POST", "/introspect", headers, body)
    assert (answer.status, answer.json["error"]) == (status, error)
    assert answer.header("cache-control") == ["no-store"]
    assert len(answer.header("www-authenticate")) == (status == 401)
    assert len(server.rows()) == before


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD", "OPTIONS"])
def test_other_methods(server: Running, method: str):
    answer = server.ask(method, f"/introspect?token={GOOD.token()}", ASK)
    assert (answer.status, answer.header("allow")) == (405, ["POST"])


def test_a_body_in_chunks(server: Running):
    token = GOOD.token()
    parts = [f"token={token[:40]}".encode(), token[40:].encode()]
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
    assert _raw(server, chunks).startswith(b"HTTP/1.1 200")
    big = b"8000\r\n" + b"x" * 0x8000 + b"\r\n"
    assert _raw(server, b"6\r\ntoken=\r\n" + big + b"0\r\n\r\n").startswith(b"HTTP/1.1 413")


def _raw(server: Running, chunks: bytes) -> bytes:
    import socket

    head = f"POST /introspect HTTP/1.1\r\nHost: a\r\n{ASK[0][0]}: {ASK[0][1]}\r\nContent-Type: {FORM}\r\n"
    with socket.create_connection(("127.0.0.1", server.port), 20) as connection:
        connection.sendall(
            head.encode() + b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n" + chunks
        )
        came = b""
        while part := connection.recv(65536):
            came += part
        return came


def test_a_type_with_parameters_is_the_type(server: Running):
    body = urlencode({"token": GOOD.token()}).encode()
    headers = [ASK[0], ("Content-Type", f"{FORM.upper()}; charset=UTF-8")]
    assert server.ask("POST", "/introspect", headers, body).json["active"] is True


def test_username_and_other_claims(tmp_path: Path):
    with running(settings(tmp_path / "log", username="upn", claims=("roles", "ver"))) as up:
        answer = up.introspect(GOOD.token(upn="ada@mail.example", roles=["reader"])).json
        assert (answer["username"], answer["roles"], "ver" in answer) == (
            "ada@mail.example",
            ["reader"],
            False,
        )
        assert "username" not in up.introspect(GOOD.token(upn=["ada"])).json
        assert "username" not in up.introspect(GOOD.token()).json


BOUND = {"cnf": {"x5t#S256": "x" * 43}}


@pytest.mark.parametrize(
    ("confirmation", "claims", "rule"),
    [
        ("if-bound", BOUND, ""),
        ("if-bound", {}, ""),
        ("if-bound", {"cnf": "x"}, "claim-type"),
        ("if-bound", {"cnf": {}}, "claim-type"),
        ("required", BOUND, ""),
        ("required", {}, "token-confirmation"),
        ("ignored", {}, ""),
    ],
)
def test_a_client_that_checks_the_binding(
    tmp_path: Path, confirmation: str, claims: dict[str, object], rule: str
):
    client = Client(frozenset({MAIL}), (digest(SECRET),), checks_binding=True)
    given = settings(
        tmp_path / "log", clients={"mail": client}, policy=policy(confirmation=confirmation), forward={}
    )
    with running(given) as up:
        answer = up.introspect(GOOD.token(**claims))
        assert up.rows()[-1].rule == rule
        if rule:
            assert answer.body == INACTIVE
        else:
            assert answer.json.get("cnf") == claims.get("cnf")


class Silent(KeySource):
    """Has no keys now."""

    def find(self, kid: str | None) -> ScopedKey:
        raise KeySourceError("no answer in time", path="https://keys.example")


class Broken(KeySource):
    """Has a bug, whose message has in it what nobody is to see."""

    def find(self, kid: str | None) -> ScopedKey:
        raise ZeroDivisionError("the token was eyJ")


@pytest.mark.parametrize(("source", "code"), [(Silent(), "key-source"), (Broken(), "bug")])
def test_without_keys_there_is_no_verdict(tmp_path: Path, source: KeySource, code: str):
    broken = Policy({ISSUER: IssuerRule(source, "enterprise")}, {MAIL: frozenset({"enterprise"})})
    client = {"mail": Client(frozenset({MAIL}), (digest(SECRET),))}
    with running(settings(tmp_path / "log", policy=broken, clients=client)) as up:
        answer = up.introspect(GOOD.token())
        assert (answer.status, answer.json["error"]) == (503, "temporarily_unavailable")
        assert answer.header("retry-after") == ["5"]
        assert up.rows() == []
        [event] = [one for one in up.events() if one["event"] == "undecided"]
        assert event["code"] == code
        assert "eyJ" not in up.journal.getvalue()
        assert b"eyJ" not in answer.body


def test_a_log_that_cannot_be_written_is_no_verdict(tmp_path: Path):
    with running(settings(tmp_path / "log")) as up:
        assert up.introspect(GOOD.token()).json["active"] is True
        assert up.app.log is not None
        up.app.log.close()
        answer = up.introspect(GOOD.token())
        assert answer.status == 503
        assert up.forward(GOOD.token()).status == 503
        assert up.ask("GET", "/readyz").json == {"ready": False, "lacking": ["acceptance log"]}
        assert up.ask("GET", "/healthz").status == 200
        assert [one["event"] for one in up.events() if "log" in one["event"]] == ["log-failed"]
        assert b"immure_acceptance_log_works 0.0" in up.ask("GET", "/metrics").body


def test_no_two_clients_see_the_same(tmp_path: Path):
    """What one client's desk remembers of keys and headers means nothing for another's."""
    both = GOOD.token(aud=[MAIL, CHAT])
    given = settings(tmp_path / "log")
    narrow = replace(given.clients["chat"], audiences=frozenset({CHAT}))
    with running(replace(given, clients={**given.clients, "chat": narrow})) as up:
        for _ in range(2):
            assert up.introspect(both).json["aud"] == MAIL
            assert up.introspect(both, "chat", "chat-secret-of-the-tests").json["aud"] == CHAT


def test_nothing_of_a_token_is_in_the_journal(server: Running):
    token = GOOD.token(exp=T - 3600)
    server.introspect(token)
    server.introspect(token, secret="wrong-secret-xyz")
    text = server.journal.getvalue()
    for part in [*token.split("."), "wrong-secret-xyz", SECRET]:
        assert part not in text
    last = [one for one in server.events() if one["event"] == "decision"][-1]
    assert last["rule"] == "token-expired"
    assert last["digest"] == (server.rows()[-1].digest or b"").hex()
    assert json.dumps(last).isascii()
