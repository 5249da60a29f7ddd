"""Presets: what each of the issuers' tokens looks like, accepted; and its nearest wrong one, refused."""

from __future__ import annotations

import pytest

from immure.errors import PolicyError
from immure.tokens import presets
from immure.tokens.errors import TokenError
from immure.tokens.sources.static import StaticSource
from immure.tokens.validator import Validator
from tokens.minting import CONSUMERS, MAIL, NOW, OTHER_TENANT, TENANT, Mint, T, jwk, key_set

HOST = "https://login.microsoftonline.com"
CLOUD = {"cloud_instance_name": "microsoftonline.com"}
ENTRA = [
    jwk("RS", issuer=f"{HOST}/{{tenantid}}/v2.0", **CLOUD),
    jwk("RS:c", issuer=f"{HOST}/{CONSUMERS}/v2.0", **CLOUD),
    jwk("RS:g", issuer=f"{HOST}/{{tenantid}}/v2.0", cloud_instance_name="microsoftonline.us"),
]
OF = {"iss": f"{HOST}/{TENANT}/v2.0"}
OF_CONSUMERS = {"iss": f"{HOST}/{CONSUMERS}/v2.0", "tid": CONSUMERS}


def entra(**options):
    return presets.entra(audience=MAIL, source=StaticSource(key_set(*ENTRA)), **options)


def single(make, issuer, alg="RS256", key="RS", /, **options):
    return (
        make(source=StaticSource(key_set(jwk(key, issuer=None), issuer=issuer)), **options),
        issuer,
        alg,
        key,
    )


def rows():
    """Name, policy, key, algorithm, header, claims; code of the refusal or None."""
    yield "entra", entra(), "RS", "RS256", {}, OF, None
    yield "entra-consumer-key", entra(), "RS:c", "RS256", {}, OF, "key-issuer"
    yield "entra-consumer", entra(), "RS:c", "RS256", {}, OF_CONSUMERS, "token-tenant"
    yield "entra-consumer-let-in", entra(consumers=True), "RS:c", "RS256", {}, OF_CONSUMERS, None
    yield "entra-consumer-by-template", entra(consumers=True), "RS", "RS256", {}, OF_CONSUMERS, "key-issuer"
    yield "entra-other-cloud", entra(), "RS:g", "RS256", {}, OF, "key-cloud"
    yield "entra-other-tenant", entra(tenants=[OTHER_TENANT]), "RS", "RS256", {}, OF, "token-tenant"
    yield "entra-algorithm", entra(), "RS", "PS256", {}, OF, "token-alg"
    google, issuer, alg, key = single(
        presets.google, "https://accounts.google.com", audience=MAIL, domains=["corp.example"]
    )
    yield "google", google, key, alg, {}, {"iss": issuer, "hd": "corp.example"}, None
    yield "google-anybody", google, key, alg, {}, {"iss": issuer}, "claim-missing"
    auth0, issuer, alg, key = single(
        presets.auth0, "https://t.auth0.example/", domain="t.auth0.example", audience=MAIL
    )
    yield "auth0", auth0, key, alg, {}, {"iss": issuer}, None
    yield "auth0-no-slash", auth0, key, alg, {}, {"iss": issuer[:-1]}, "token-issuer"
    okta, issuer, alg, key = single(
        presets.okta, "https://t.okta.example/oauth2/default", domain="t.okta.example", audience=MAIL
    )
    yield "okta", okta, key, alg, {}, {"iss": issuer}, None
    keycloak, issuer, alg, key = single(
        presets.keycloak, "https://id.example/realms/r", url="https://id.example/", realm="r", audience=MAIL
    )
    yield "keycloak", keycloak, key, alg, {}, {"iss": issuer, "typ": "Bearer"}, None
    yield "keycloak-id-token", keycloak, key, alg, {}, {"iss": issuer, "typ": "ID"}, "claim-value"
    cognito, issuer, alg, key = single(
        presets.cognito, "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_A", region="eu-west-1",
        pool="eu-west-1_A", client=MAIL,
    )  # fmt: skip
    yield "cognito", cognito, key, alg, {}, {"iss": issuer, "token_use": "id"}, None
    yield "cognito-access", cognito, key, alg, {}, {"iss": issuer, "token_use": "access"}, "claim-value"
    yield "cognito-of-no-kind", cognito, key, alg, {}, {"iss": issuer}, "claim-missing"
    yield from cognito_access_rows()
    github, issuer, alg, key = single(
        presets.github_actions,
        "https://token.actions.githubusercontent.com",
        audience=MAIL,
        repositories=["o/r"],
    )
    github_claims = {"iss": issuer, "exp": T + 300}
    yield "github", github, key, alg, {}, github_claims | {"repository": "o/r"}, None
    yield "github-of-another", github, key, alg, {}, github_claims | {"repository": "x/r"}, "claim-value"
    cluster, issuer, alg, key = single(
        presets.kubernetes,
        "https://kubernetes.default.svc",
        issuer="https://kubernetes.default.svc",
        audience=MAIL,
    )
    yield "kubernetes", cluster, key, alg, {}, {"iss": issuer}, None
    ours, issuer, alg, key = single(
        presets.immure, "https://sign.example", "EdDSA", "Ed25519", issuer="https://sign.example",
        audience=MAIL, audience_class="enterprise",
    )  # fmt: skip
    good = {"iss": issuer, "jti": "1", "client_id": "mail"}
    yield "immure", ours, key, alg, {"typ": "at+jwt"}, good, None
    yield "immure-typ", ours, key, alg, {}, good, "token-typ"
    yield "immure-client", ours, key, alg, {"typ": "at+jwt"}, good | {"client_id": None}, "claim-missing"


def cognito_access_rows():
    issuer = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_A"
    given = {"region": "eu-west-1", "pool": "eu-west-1_A", "client": ["app1", "app2"], "token_use": "access"}
    access, _, alg, key = single(presets.cognito, issuer, **given)
    good = {"iss": issuer, "token_use": "access", "client_id": "app1", "aud": None, "tid": None}
    for name, changes, code in (
        ("", {}, None),
        ("-of-another-app", {"client_id": "app2"}, None),
        ("-of-a-third-app", {"client_id": "app3"}, "token-audience"),
        ("-of-no-app", {"client_id": None}, "token-audience"),
        ("-app-a-list", {"client_id": ["app1"]}, "claim-type"),
        ("-id-token", {"token_use": "id", "aud": "app1"}, "token-audience"),
        ("-id-token-without-aud", {"token_use": "id"}, "claim-value"),
        ("-for-a-resource", {"aud": "app1"}, "token-audience"),
        ("-for-no-resource", {"aud": []}, "claim-type"),
        ("-of-no-kind", {"token_use": None}, "claim-missing"),
    ):
        yield f"cognito-access{name}", access, key, alg, {}, good | changes, code
    bound, *_ = single(presets.cognito, issuer, resource=MAIL, **given)
    for name, changes, code in (
        ("", {"aud": MAIL}, None),
        ("-not-bound", {}, "token-audience"),
        ("-for-another", {"aud": "app1"}, "token-audience"),
        ("-of-a-third-app", {"aud": MAIL, "client_id": "app3"}, "claim-value"),
        ("-id-token", {"aud": MAIL, "token_use": "id"}, "claim-value"),
    ):
        yield f"cognito-resource{name}", bound, key, alg, {}, good | changes, code


@pytest.mark.parametrize(
    ("policy", "key", "alg", "header", "claims", "code"),
    [pytest.param(*row[1:], id=row[0]) for row in rows()],
)
def test_presets(policy, key, alg, header, claims, code):
    one, token = Validator(policy, time=lambda: NOW), Mint(key, alg, header).token(**claims)
    if code is None:
        assert one.validate(token)
    else:
        with pytest.raises(TokenError) as caught:
            one.validate(token)
        assert caught.value.code == code


@pytest.mark.parametrize(
    "make",
    [
        lambda: presets.github_actions(audience=MAIL, repositories=[]),
        lambda: presets.auth0(domain="evil.example/x#", audience=MAIL),
        lambda: presets.okta(domain="t.example", server="../x", audience=MAIL),
        lambda: presets.cognito(region="eu@evil.example", pool="x", client=MAIL),
        lambda: presets.cognito(region="eu", pool="x", client=[]),
        lambda: presets.cognito(region="eu", pool="x", client=MAIL, token_use="both"),
        lambda: presets.cognito(region="eu", pool="x", client=MAIL, resource=MAIL),
    ],
)
def test_parameters_that_lead_elsewhere(make):
    with pytest.raises(PolicyError):
        make()


def test_each_preset_has_a_name():
    assert set(presets.PRESETS) == {
        "entra", "google", "auth0", "okta", "keycloak", "cognito", "github-actions", "kubernetes", "immure",
    }  # fmt: skip
