"""Who may ask: each way of saying who one is, and each way of saying it wrongly."""

from __future__ import annotations

import base64
import hashlib
import json
import ssl
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from cryptography import x509

from immure.introspection.assertion import TYPE
from immure.introspection.certificate import thumbprint
from immure.introspection.settings import Client, Settings
from immure.tokens.sources.static import StaticSource
from introspection.running import CHAT_SECRET, FORM, SECRET, Answer, Running, basic, digest, running, settings
from servers.tls import Authority
from tokens.minting import CHAT, MAIL, Mint, T, jwk, key_set

GOOD = Mint().token()
TYPED = ("Content-Type", FORM)
ENDPOINT = "https://tokens.example/introspect"


def raw(value: str | bytes) -> tuple[str, str]:
    data = value if isinstance(value, bytes) else value.encode()
    return "Authorization", "Basic " + base64.b64encode(data).decode()


def ask(server: Running, *headers: tuple[str, str], **form: str) -> Answer:
    return server.ask("POST", "/introspect", [TYPED, *headers], urlencode({"token": GOOD, **form}).encode())


def assert_is_no_client(server: Running, *headers: tuple[str, str], **form: str) -> None:
    before = len(server.rows())
    answer = ask(server, *headers, **form)
    assert (answer.status, answer.json["error"]) == (401, "invalid_client")
    assert answer.header("www-authenticate")[0].startswith("Basic ")
    assert len(server.rows()) == before


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server that only these tests ask."""
    with running(settings(tmp_path_factory.mktemp("quiet") / "log")) as up:
        yield up


@pytest.mark.parametrize(
    "header",
    [
        basic("mail", SECRET),
        ("Authorization", "basic " + basic("mail", SECRET)[1].split()[1]),
        raw(f"m%61il:{SECRET}"),  # RFC 6749, section 2.3.1
        raw("mail:" + quote(SECRET, safe="").replace("-", "%2D")),
    ],
)
def test_basic(quiet: Running, header: tuple[str, str]):
    for _ in range(2):  # the second time from memory
        assert ask(quiet, header).json["active"] is True
    assert {row.relying_party for row in quiet.rows()[-2:]} == {"mail"}


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [basic("mail", "wrong")],
        [basic("mail", "")],
        [basic("mail", CHAT_SECRET)],
        [basic("nobody", SECRET)],
        [basic("", "")],
        [raw("mail")],
        [raw(f"mail:{SECRET}%")],
        [raw(b"mail:\xff")],
        [("Authorization", "Basic !!!")],
        [("Authorization", "Basic")],
        [("Authorization", "")],
        [("Authorization", f"Bearer {GOOD}")],
        [("Authorization", "Basic " + "A" * 5000)],
        [basic("mail", SECRET), basic("mail", SECRET)],
        [basic("mail", SECRET), basic("chat", CHAT_SECRET)],
        [("Authorization", digest(SECRET).hex())],
        [raw(f"mail:{digest(SECRET).hex()}")],  # what the settings have is not the secret
    ],
)
def test_not_basic(quiet: Running, headers: list[tuple[str, str]]):
    for _ in range(2):
        assert_is_no_client(quiet, *headers)


def test_who_is_no_client_is_counted(tmp_path: Path):
    with running(settings(tmp_path / "log")) as up:
        for _ in range(2):
            assert_is_no_client(up, basic("mail", "wrong"))
        assert [one["event"] for one in up.events()].count("client") == 2
        assert b"immure_client_refusals_total 2.0" in up.ask("GET", "/metrics").body


def test_two_secrets_while_one_takes_the_others_place(quiet: Running):
    for secret in ("old", CHAT_SECRET):
        assert ask(quiet, basic("chat", secret)).status == 200


@pytest.mark.parametrize(
    "form",
    [
        {"client_id": "mail", "client_secret": SECRET},
        {"client_id": "chat"},
        {"client_assertion": "x"},
        {"client_assertion_type": TYPE, "client_assertion": GOOD},
    ],
)
def test_more_than_one_proof(quiet: Running, form: dict[str, str]):
    assert_is_no_client(quiet, basic("mail", SECRET), **form)
    assert ask(quiet, basic("mail", SECRET), client_id="mail").status == 200


def test_a_remembered_secret_does_not_excuse_the_rest(quiet: Running):
    """The short way, which remembers who was right, is only for requests with nothing but a token."""
    assert ask(quiet, basic("mail", SECRET)).status == 200
    assert ask(quiet, basic("mail", SECRET), client_id="chat").status == 401
    assert ask(quiet, basic("mail", SECRET), client_secret="x").status == 401
    assert ask(quiet, basic("mail", SECRET), basic("mail", SECRET)).status == 401


# --- the anonymous client ---


def test_the_anonymous_client(tmp_path: Path):
    given = settings(None)
    clients = {**given.clients, "dovecot": Client(frozenset({MAIL}), anonymous=True)}
    with running(replace(given, clients=clients, log_directory=tmp_path / "log")) as up:
        assert ask(up).json["active"] is True
        assert up.rows()[-1].relying_party == "dovecot"
        assert ask(up, basic("mail", "wrong")).status == 401  # who says something is judged by it
        assert ask(up, basic("dovecot", "")).status == 401
        assert ask(up, client_id="chat").status == 401
        assert ask(up, client_assertion="x").status == 401


# --- assertions (RFC 7523) ---


@pytest.fixture(scope="module")
def asserting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    keys = StaticSource(key_set(jwk("ES256:client", issuer=None), issuer="app"))
    others = StaticSource(key_set(jwk("ES256:other", issuer=None), issuer="other"))
    clients = {"app": Client(frozenset({MAIL}), keys=keys), "other": Client(frozenset({CHAT}), keys=others)}
    log, endpoint = tmp_path_factory.mktemp("asserting") / "log", {ENDPOINT, "https://tokens.example"}
    with running(settings(log, clients=clients, endpoint=frozenset(endpoint))) as up:
        yield up


def assertion(key: str = "ES256:client", header: dict[str, Any] | None = None, **changes: Any) -> str:
    said = {
        "iss": "app",
        "sub": "app",
        "aud": ENDPOINT,
        "exp": T + 120,
        "iat": T,
        "jti": str(uuid.uuid4()),
    } | changes
    payload = json.dumps({name: value for name, value in said.items() if value is not None}).encode()
    return Mint(key, "ES256", header=header or {}, payload=payload).token()


def assert_asserts(server: Running, text: str, right: bool, **form: str) -> None:
    form = {"client_assertion_type": TYPE, "client_assertion": text, **form}
    if right:
        answer = ask(server, **form)
        assert (answer.status, answer.json["active"], server.rows()[-1].relying_party) == (200, True, "app")
    else:
        assert_is_no_client(server, **form)


@pytest.mark.parametrize(
    ("header", "changes"),
    [
        ({}, {}),
        ({}, {"aud": "https://tokens.example"}),
        ({}, {"aud": [ENDPOINT]}),
        ({}, {"exp": T + 299}),
        ({}, {"iat": None}),
        ({"typ": "client-authentication+jwt"}, {}),
        ({"typ": None}, {}),
    ],
)
def test_an_assertion(asserting: Running, header: dict[str, Any], changes: dict[str, Any]):
    assert_asserts(asserting, assertion(header=header, **changes), True, client_id="app")


@pytest.mark.parametrize(
    ("key", "header", "changes"),
    [
        ("ES256:other", {}, {}),  # another client's key
        ("ES256:other", {"kid": "ES256:client"}, {}),
        ("ES256:client", {}, {"iss": "other", "sub": "other"}),
        ("ES256:client", {}, {"sub": "other"}),
        ("ES256:client", {}, {"iss": "nobody", "sub": "nobody"}),
        ("ES256:client", {}, {"aud": "https://elsewhere.example"}),
        ("ES256:client", {}, {"aud": MAIL}),
        ("ES256:client", {}, {"aud": None}),
        ("ES256:client", {}, {"exp": T + 3600}),
        ("ES256:client", {}, {"exp": T - 60}),
        ("ES256:client", {}, {"exp": None}),
        ("ES256:client", {}, {"nbf": T + 60}),
        ("ES256:client", {}, {"iat": T + 60}),
        ("ES256:client", {}, {"jti": None}),
        ("ES256:client", {}, {"jti": 7}),
        ("ES256:client", {"typ": "at+jwt"}, {}),
        ("ES256:client", {"alg": "none"}, {}),
        ("ES256:client", {"jwk": jwk("ES256:client")}, {}),
    ],
)
def test_no_assertion(asserting: Running, key: str, header: dict[str, Any], changes: dict[str, Any]):
    assert_asserts(asserting, assertion(key, header, **changes), False)


def test_an_assertion_is_taken_once(asserting: Running):
    once = assertion(jti="only once")
    assert_asserts(asserting, once, True)
    answer = ask(asserting, client_assertion_type=TYPE, client_assertion=once)
    assert answer.status == 401
    resigned = assertion(jti="only once")  # ES256 signs the same bytes differently each time
    assert resigned != once
    assert ask(asserting, client_assertion_type=TYPE, client_assertion=resigned).status == 401


def test_an_assertion_that_is_refused_is_not_remembered(asserting: Running):
    forged = assertion("ES256:other", {"kid": "ES256:client"}, jti="a name")
    assert_asserts(asserting, forged, False)
    assert_asserts(asserting, assertion(jti="a name"), True)


@pytest.mark.parametrize(
    "form",
    [
        {"client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"},
        {"client_id": "other"},
    ],
)
def test_an_assertion_with_the_wrong_company(asserting: Running, form: dict[str, str]):
    assert_asserts(asserting, assertion(), False, **form)


# --- TLS certificates that a proxy hands on ---


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, str]:
    """DER and PEM of a certificate."""
    pair = Authority(tmp_path_factory.mktemp("tls")).issue("app")
    pem = Path(pair.certificate).read_text()
    first = pem[: pem.index("-----END CERTIFICATE-----") + len("-----END CERTIFICATE-----")] + "\n"
    return ssl.PEM_cert_to_DER_cert(first), first


def with_certificates(log: Path, der: bytes) -> Settings:
    clients = {
        "app": Client(frozenset({MAIL}), certificates=frozenset({thumbprint(der)})),
        "mail": Client(frozenset({MAIL}), (digest(SECRET),)),
    }
    return settings(log, clients=clients, certificate_header="client-cert")


def test_a_certificate(certified: Running, certificate: tuple[bytes, str]):
    (der, pem), up = certificate, certified
    assert x509.load_der_x509_certificate(der)
    structured = f":{base64.b64encode(der).decode()}:"
    for value in (structured, quote(pem), quote(pem, safe="")):
        assert ask(up, ("Client-Cert", value)).json["active"] is True
        assert up.rows()[-1].relying_party == "app"
    assert ask(up, ("Client-Cert", structured), client_id="app").status == 200
    assert ask(up, ("Client-Cert", structured), client_id="mail").status == 401
    assert ask(up, ("X-Client-Cert", structured)).status == 401
    assert ask(up, ("Client-Cert", structured), basic("mail", SECRET)).status == 200
    assert up.rows()[-1].relying_party == "mail"


@pytest.fixture(scope="module")
def certified(tmp_path_factory: pytest.TempPathFactory, certificate: tuple[bytes, str]) -> Iterator[Running]:
    with running(with_certificates(tmp_path_factory.mktemp("certified") / "log", certificate[0])) as up:
        yield up


@pytest.mark.parametrize(
    "change",
    [
        lambda der: ["::"],
        lambda der: [""],
        lambda der: ["-"],
        lambda der: [base64.b64encode(der).decode()],
        lambda der: [f":{base64.b64encode(der[:-1]).decode()}:"],
        lambda der: [f":{base64.b64encode(der + b'x').decode()}:"],
        lambda der: [f":{base64.b64encode(der[:-1] + b'x').decode()}:"],
        lambda der: [f":{base64.b64encode(der).decode()}:;a=b"],
        lambda der: [f":!{base64.b64encode(der).decode()}:"],
        lambda der: [f":{base64.b64encode(der).decode()}:"] * 2,
        lambda der: [f":{base64.b64encode(der).decode()}:, :{base64.b64encode(der).decode()}:"],
        lambda der: [":" + "A" * 20_000 + ":"],
        lambda der: [hashlib.sha256(der).hexdigest()],
        lambda der: [thumbprint(der)],
    ],
)
def test_no_certificate(certified: Running, certificate: tuple[bytes, str], change: Any):
    assert_is_no_client(certified, *[("Client-Cert", value) for value in change(certificate[0])])


def test_nobody_is_known_by_a_header_that_was_not_named(quiet: Running, certificate: tuple[bytes, str]):
    structured = f":{base64.b64encode(certificate[0]).decode()}:"
    assert_is_no_client(quiet, ("Client-Cert", structured))
