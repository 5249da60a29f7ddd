"""Tokens that are bound to certificates (RFC 8705), where Caddy ends TLS and uvicorn is behind it.

The lines for Caddy are those of the documentation.
"""

from __future__ import annotations

import base64
import hashlib
import ssl

import httpx
import pytest

from docs.blocks import ROOT
from immure.integrations.asgi import Protect, proxied_certificate
from immure.keymaterial.key import b64url
from integrations.doors import GOOD, bearer, guard
from integrations.serving import asgi_server
from servers import caddy
from servers.program import free_port
from servers.tls import Authority
from tokens.minting import Mint

PAGE = ROOT / "docs" / "howto" / "protect-an-asgi-app.md"


async def inside(_scope, _receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"inside"})


def documented(server, port, address):
    """The page's Caddyfile, with the ports of this run."""
    _, _, rest = PAGE.read_text(encoding="utf-8").partition("```text\nmail.example {\n")
    sites = "mail.example {\n" + rest.partition("```")[0]
    for theirs, ours in (
        ("mail.example {\n", f"https://localhost:{port} {{\n\tbind 127.0.0.1\n"),
        ("mail.pem", str(server.certificate)),
        ("mail.key", str(server.key)),
        ("127.0.0.1:8000", address.removeprefix("http://")),
    ):
        assert theirs in sites
        sites = sites.replace(theirs, ours)
    return sites


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def proxy(authority):
    port = free_port()
    app = Protect(inside, guard(), certificate=proxied_certificate)
    with (
        asgi_server(app, lifespan="off") as address,
        caddy.running(documented(authority.issue("server"), port, address), port),
    ):
        yield f"https://localhost:{port}/me"


def der_of(pair):
    return ssl.PEM_cert_to_DER_cert(pair.certificate.read_text(encoding="ascii"))


def ask(proxy, authority, token, pair=None, **headers):
    context = authority.context()
    if pair is not None:
        context.load_cert_chain(pair.certificate, pair.key)
    return httpx.get(proxy, headers=[*bearer(token), *headers.items()], verify=context)


def test_a_bound_token_is_good_with_its_certificate_only(proxy, authority):
    holder, other = authority.issue("holder"), authority.issue("other")
    token = Mint().token(cnf={"x5t#S256": b64url(hashlib.sha256(der_of(holder)).digest())})
    assert ask(proxy, authority, token, holder).text == "inside"
    for pair in (other, None):
        refused = ask(proxy, authority, token, pair)
        assert (refused.status_code, refused.json()["code"]) == (401, "token-confirmation")


def test_the_field_of_a_client_does_not_get_through(proxy, authority):
    holder, other = authority.issue("holder-2"), authority.issue("other-2")
    token = Mint().token(cnf={"x5t#S256": b64url(hashlib.sha256(der_of(holder)).digest())})
    forged = f":{base64.b64encode(der_of(holder)).decode()}:"
    for pair in (other, None):
        for name in ("Client-Cert", "client-cert", "Client_Cert"):
            assert ask(proxy, authority, token, pair, **{name: forged}).status_code == 401


def test_a_token_that_is_not_bound_needs_none(proxy, authority):
    assert ask(proxy, authority, GOOD).text == "inside"
