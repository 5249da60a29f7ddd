"""Authlib as a client of the running service; tokens are held against Authlib's library and our validator."""

from __future__ import annotations

import secrets
import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

pytest.importorskip("authlib", reason="NOT TESTED: Authlib is not installed")

from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import OAuth2Client
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet

from immure.tokens.keyset import KeySet as OurKeySet
from immure.tokens.policy import IssuerRule, Policy
from immure.tokens.sources.static import StaticSource
from immure.tokens.validator import Validator
from signing.browsing import hidden
from signing.house import ACCESS, BACK, CALENDAR, CONTOSO, EXCHANGE, MAIL, SECRET
from signing.real.serving import Serving
from tokens.minting import private


def validated(served: Serving, token: str, audience: str = MAIL) -> dict[str, Any]:
    """What both say of it."""
    keys = httpx.get(f"{served.enterprise}/jwks").json()
    theirs = jwt.decode(token, KeySet.import_key_set(keys), algorithms=["EdDSA"])
    jwt.JWTClaimsRegistry(
        iss={"essential": True, "value": served.enterprise}, aud={"essential": True, "value": audience}
    ).validate(theirs.claims)
    assert theirs.header["typ"] == "at+jwt"
    rule = IssuerRule(StaticSource(OurKeySet.from_jwks(keys, "jwks")), "enterprise")
    policy = Policy({served.enterprise: rule}, {audience: {"enterprise"}}, token_type="at+jwt")
    ours = Validator(policy).validate(token)
    assert dict(ours) == theirs.claims
    return theirs.claims


def test_client_credentials(served: Serving) -> None:
    client = OAuth2Client("daemon", SECRET, token_endpoint_auth_method="client_secret_basic")
    token = client.fetch_token(f"{served.enterprise}/token", grant_type="client_credentials")
    claims = validated(served, token["access_token"])
    assert (claims["sub"], claims["tid"]) == ("daemon", CONTOSO)
    assert client.introspect_token(f"{served.enterprise}/introspect", token=token["access_token"]).json()[
        "active"
    ]
    client.revoke_token(f"{served.enterprise}/revoke", token=token["access_token"])
    assert not client.introspect_token(f"{served.enterprise}/introspect", token=token["access_token"]).json()[
        "active"
    ]


def test_a_private_key(served: Serving) -> None:
    """As Authlib does it if nobody says otherwise."""
    key = ECKey.import_key(private("ES256").private_bytes(*_pem()), {"kid": "ES256"})
    endpoint = f"{served.enterprise}/token"
    client = OAuth2Client("signer", key, token_endpoint_auth_method="private_key_jwt")
    client.register_client_auth_method(PrivateKeyJWT(endpoint, alg="ES256"))
    token = client.fetch_token(endpoint, grant_type="client_credentials")
    assert validated(served, token["access_token"])["client_id"] == "signer"


def _pem() -> tuple[Any, ...]:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    return Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()


def signed_in(served: Serving, start: str, name: str = "ada", password: str = "lovelace") -> str:
    """A browser, from the client's address to the one that it is sent back to."""
    with httpx.Client() as browser:
        page = browser.get(start)
        sent = {**hidden(page.text), "name": name, "password": password}
        origin = {"origin": served.here}  # as browsers say it
        done = browser.post(f"{served.enterprise}/sign-in", data=sent, headers=origin)
        assert done.status_code == 303, done.text
        return browser.get(f"{served.here}{done.headers['location']}").headers["location"]


def test_signing_in_and_on(served: Serving) -> None:
    client = OAuth2Client(
        "web",
        SECRET,
        redirect_uri=BACK,
        scope="openid offline_access mail.read",
        code_challenge_method="S256",
        token_endpoint_auth_method="client_secret_basic",
    )
    verifier, nonce = secrets.token_urlsafe(48), secrets.token_urlsafe(8)
    start, state = client.create_authorization_url(
        f"{served.enterprise}/authorize", code_verifier=verifier, nonce=nonce
    )
    back = signed_in(served, start)
    assert parse_qs(urlsplit(back).query)["iss"] == [served.enterprise]
    token = client.fetch_token(
        f"{served.enterprise}/token", authorization_response=back, state=state, code_verifier=verifier
    )
    assert validated(served, token["access_token"])["sub"] == "ada"
    keys = KeySet.import_key_set(httpx.get(f"{served.enterprise}/jwks").json())
    identity = jwt.decode(token["id_token"], keys, algorithms=["EdDSA"]).claims
    assert (identity["nonce"], identity["aud"]) == (nonce, "web")
    old = token["refresh_token"]
    again = client.refresh_token(f"{served.enterprise}/token")
    assert validated(served, again["access_token"])["sub"] == "ada"
    assert "nonce" not in jwt.decode(again["id_token"], keys, algorithms=["EdDSA"]).claims
    with pytest.raises(OAuthError, match="invalid_grant"):
        client.refresh_token(f"{served.enterprise}/token", refresh_token=old)


def test_exchange(served: Serving) -> None:
    client = OAuth2Client("daemon", SECRET, token_endpoint_auth_method="client_secret_basic")
    endpoint = f"{served.enterprise}/token"
    own = client.fetch_token(endpoint, grant_type="client_credentials", resource=CALENDAR)
    token = client.fetch_token(
        endpoint,
        grant_type=EXCHANGE,
        subject_token=own["access_token"],
        subject_token_type=ACCESS,
        audience=MAIL,
    )
    claims = validated(served, token["access_token"])
    assert (claims["act"], claims["aud"]) == ({"sub": "daemon"}, MAIL)
    assert claims["exp"] > time.time()
