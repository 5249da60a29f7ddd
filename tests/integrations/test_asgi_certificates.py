"""Where ASGI apps have the certificates of clients from (RFC 8705)."""

from __future__ import annotations

import base64
import hashlib
import ssl

import pytest

from immure.integrations.asgi import proxied_certificate, tls_certificate
from immure.keymaterial.key import b64url
from integrations.asgi_scopes import INSIDE, protect, run, scope
from integrations.doors import bearer
from tokens.minting import Mint
from tokens.sources.server import certificates


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    path, _ = certificates(tmp_path_factory.mktemp("client"), "client.example")
    pem = path.read_text(encoding="ascii")
    return pem, ssl.PEM_cert_to_DER_cert(pem)


def test_a_certificate_by_the_tls_extension(certificate):
    pem, der = certificate
    token = Mint().token(cnf={"x5t#S256": b64url(hashlib.sha256(der).digest())})
    good = {"tls": {"client_cert_chain": [pem, "of the CA"], "client_cert_error": None}}
    assert run(protect(), scope(bearer(token), extensions=good)) == INSIDE
    for tls in (
        {"client_cert_chain": [pem], "client_cert_error": "expired"},
        {"client_cert_chain": []},
        {"client_cert_chain": ["no certificate"]},
        {},
        None,
    ):
        assert run(protect(), scope(bearer(token), extensions={"tls": tls}))[0]["status"] == 401
        assert tls_certificate({"extensions": {"tls": tls}}) is None


@pytest.mark.parametrize(
    ("shown", "good"),
    [
        pytest.param([":{}:"], True, id="good"),
        pytest.param([" :{}: "], True, id="blanks"),
        pytest.param([], False, id="none"),
        pytest.param([":{}:", ":{}:"], False, id="two"),
        pytest.param(["{}"], False, id="no-colons"),
        pytest.param([":{}"], False, id="one-colon"),
        pytest.param([":{}:;a=1"], False, id="a-parameter"),
        pytest.param([":{}!:"], False, id="no-base64"),
        pytest.param(["::"], False, id="empty"),
        pytest.param([":{}é:"], False, id="not-ascii"),
        pytest.param([":" + "A" * (16 << 10) + ":"], False, id="long"),
    ],
)
def test_a_certificate_by_the_field_of_a_proxy(certificate, shown, good):
    _, der = certificate
    token = Mint().token(cnf={"x5t#S256": b64url(hashlib.sha256(der).digest())})
    text = base64.b64encode(der).decode()
    headers = bearer(token) + [("Client-Cert", value.replace("{}", text)) for value in shown]
    got = run(protect(certificate=proxied_certificate), scope(headers))
    assert (got == INSIDE) == good
    assert run(protect(), scope(headers))[0]["status"] == 401  # who did not ask for it does not believe it


def test_a_certificate_from_elsewhere():
    token = Mint().token(cnf={"x5t#S256": b64url(hashlib.sha256(b"der").digest())})
    assert run(protect(certificate=lambda _: b"der"), scope(bearer(token))) == INSIDE
    assert run(protect(certificate=lambda _: None), scope(bearer(token)))[0]["status"] == 401
