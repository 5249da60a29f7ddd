"""Tokens that are bound to a TLS certificate (RFC 8705), behind an nginx that sees the certificate."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from urllib.parse import quote

import pytest

from immure.keymaterial.key import b64url
from introspection.real.cases import THIEF, fresh
from introspection.real.clients import request
from introspection.real.page import shown
from introspection.real.proxies import Proxy, proxying
from introspection.real.service import Service, serving
from servers.program import free_port
from servers.tls import Authority, Pair
from servers.upstream import Upstream

pytestmark = pytest.mark.real
BELIEVED = {
    "[log]": 'client_certificate_header = "Client-Cert"\n\n[log]',
    '[forward.nginx]\nconsumer = "nginx"': '[forward.nginx]\nclient_certificate = true\nconsumer = "nginx"',
}


@pytest.fixture(scope="module")
def holder(authority: Authority) -> Pair:
    return authority.issue("holder")


@pytest.fixture(scope="module")
def thief(authority: Authority) -> Pair:
    return authority.issue("thief")


@pytest.fixture(scope="module")
def believing() -> Iterator[Service]:
    with serving(BELIEVED) as running:
        yield running


@pytest.fixture(scope="module")
def nginx(believing: Service, certificate: Pair, application: Upstream) -> Iterator[Proxy]:
    port = free_port()
    server, inside = shown(
        "nginx-certificate.conf",
        {
            "8443": str(port),
            "/etc/nginx/mail.pem": str(certificate.certificate),
            "/etc/nginx/mail.key": str(certificate.key),
        },
    ).split("# in location = /_token\n")
    body = "proxy_pass_request_body off;"
    places = {"listen 127.0.0.1:8080;": server, body: f"{body}\n{inside}"}
    with proxying("nginx", believing.port, application, places, port=port) as running:
        yield running


def bound(pair: Pair) -> str:
    return fresh(cnf={"x5t#S256": b64url(sha256(pair.der).digest())})


def test_who_has_the_key_is_let_in(nginx: Proxy, authority: Authority, holder: Pair, believing: Service):
    token = bound(holder)
    assert nginx.ask(token, tls=authority.context(holder)).reached("x-immure-subject") == ["mailbox-7"]
    assert believing.row(token).verdict == "accepted"


def test_who_has_not_is_refused(nginx: Proxy, authority: Authority, holder: Pair, thief: Pair):
    before = nginx.application.requests
    escaped = quote(holder.certificate.read_text(encoding="ascii"), safe="")
    forged = [("Client-Cert", escaped), ("Client_Cert", escaped), ("Client-Cert", escaped)]
    for context in (authority.context(), authority.context(thief)):
        assert nginx.ask(bound(holder), tls=context).status == 401
        assert nginx.ask(bound(holder), tls=context, headers=forged).status == 401
    assert nginx.application.requests == before


def test_the_incident_is_refused_whatever_the_certificate(nginx: Proxy, authority: Authority, holder: Pair):
    token = fresh(THIEF, cnf={"x5t#S256": b64url(sha256(holder.der).digest())})
    assert nginx.ask(token, tls=authority.context(holder)).status == 401


def test_other_tokens_need_no_certificate(nginx: Proxy, authority: Authority):
    assert nginx.ask(fresh(), tls=authority.context()).status == 200


def test_a_profile_that_believes_no_header_lets_nobody_in(service: Service, holder: Pair):
    """The page's own settings have no ``client_certificate``: who writes the header gains nothing."""
    escaped = quote(holder.certificate.read_text(encoding="ascii"), safe="")
    answer = request(service.port, bound(holder), [("Client-Cert", escaped)], path="/auth/nginx")
    assert answer.status == 401
