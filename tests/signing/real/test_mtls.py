"""Clients with TLS certificates, behind a real nginx that hands these on (RFC 8705)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote

import httpx
import pytest

from immure.keymaterial.key import b64url
from servers import nginx
from servers.program import free_port
from servers.tls import Authority, Pair
from signing.house import CONTOSO, MAIL, SECRET, claims_of
from signing.real.serving import Serving, serving

_NGINX = """
server {{
    listen 127.0.0.1:{port} ssl;
    ssl_certificate {server.certificate};
    ssl_certificate_key {server.key};
    ssl_client_certificate {authority};
    ssl_verify_client optional;
    location / {{
        proxy_pass http://127.0.0.1:{behind};
        proxy_set_header Client-Cert $ssl_client_escaped_cert;
    }}
}}
"""
CREDENTIALS = {"grant_type": "client_credentials"}


@dataclass
class Front:
    """nginx, and certificates for clients."""

    served: Serving
    port: int
    authority: Authority
    client: Pair
    stranger: Pair

    def token(
        self, pair: Pair | None, auth: tuple[str, str] | None = None, **options: object
    ) -> httpx.Response:
        with httpx.Client(verify=self.authority.context(pair)) as client:
            url = f"https://127.0.0.1:{self.port}/enterprise/token"
            return client.post(url, data=CREDENTIALS, auth=auth, **options)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    directory = tmp_path_factory.mktemp("tls")
    directory.chmod(0o755)
    authority, port = Authority(directory), free_port()
    server, client, stranger = (authority.issue(name) for name in ("server", "client", "stranger"))
    table = f"""[clients.tls]
issuer = "enterprise"
grants = ["client_credentials"]
audiences = ["{MAIL}"]
tenant = "{CONTOSO}"
certificates = ["{thumbprint(client)}"]
bound = "mtls"

[clients.web]"""
    with serving(directory / "house", changes={"[clients.web]": table}) as served:
        text = _NGINX.format(port=port, behind=served.port, server=server, authority=authority.certificate)
        with nginx.running(text, port):
            yield Front(served, port, authority, client, stranger)


def thumbprint(pair: Pair) -> str:
    return b64url(hashlib.sha256(pair.der).digest())


def test_a_token_that_is_bound_to_a_certificate(front: Front) -> None:
    answer = front.token(front.client)
    assert answer.status_code == 200, answer.text
    claims = claims_of(answer.json()["access_token"])
    assert claims["client_id"] == "tls"
    assert claims["cnf"] == {"x5t#S256": thumbprint(front.client)}


def test_others(front: Front) -> None:
    """No certificate, that of another, and one that is only claimed."""
    claimed = quote(front.client.certificate.read_text(encoding="ascii"))
    answers = [
        front.token(None),
        front.token(front.stranger),
        front.token(None, headers={"client-cert": claimed}),
        front.token(front.stranger, headers={"client-cert": claimed}),
    ]
    assert [one.status_code for one in answers] == [401] * 4


def test_a_client_with_a_secret_shows_a_certificate(front: Front) -> None:
    """It is not asked for one, and its tokens are not bound to it."""
    answer = front.token(front.stranger, ("daemon", SECRET))
    assert "cnf" not in claims_of(answer.json()["access_token"])
