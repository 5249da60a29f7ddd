"""What a token would say is held against what the key may sign for, before there is a draft of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest

from immure.registry.scope import KeyScope
from immure.signing.issuing import Grant, Mint
from immure.signing.oauth import OutOfScopeError
from immure.signing.rotation import Plan
from immure.signing.settings import Audience, Issuer

URL, OTHER = "https://login.example/enterprise", "https://login.example/consumer"
MAIL, TOYS = "https://mail.example", "https://toys.example"
SCOPE = KeyScope(URL, frozenset({"enterprise"}), frozenset({"contoso"}))
ISSUER = Issuer(URL, Plan(SCOPE, "ES256", "e"))
GRANT = Grant("app", "ada", (MAIL,), tenant="contoso")


def mint() -> Mint:
    """One that no draft leaves: none of these parts is asked before."""
    none = cast("Any", None)
    return Mint(none, none, none, {MAIL: Audience("enterprise"), TOYS: Audience("consumer")})


def test_what_the_key_may_sign_for_becomes_a_draft() -> None:
    assert mint().access_token(ISSUER, GRANT).issuer is ISSUER
    assert mint().id_token(ISSUER, GRANT).issuer is ISSUER


@pytest.mark.parametrize("kind", ["access_token", "id_token"])
@pytest.mark.parametrize(
    ("issuer", "grant", "error"),
    [
        (replace(ISSUER, url=OTHER), GRANT, "not sign for this issuer"),
        (ISSUER, replace(GRANT, tenant="fabrikam"), "not sign for this tenant"),
        (ISSUER, replace(GRANT, tenant=""), "not sign for this tenant"),
    ],
)
def test_neither_kind_is_of_another_issuer_or_tenant(
    kind: str, issuer: Issuer, grant: Grant, error: str
) -> None:
    with pytest.raises(OutOfScopeError, match=error):
        getattr(mint(), kind)(issuer, grant)


@pytest.mark.parametrize("audiences", [(TOYS,), (MAIL, TOYS), ("https://unknown.example",)])
def test_an_access_token_is_for_audiences_of_the_keys_classes(audiences: tuple[str, ...]) -> None:
    with pytest.raises(OutOfScopeError, match="for this audience"):
        mint().access_token(ISSUER, replace(GRANT, audiences=audiences))


def test_an_id_token_is_for_no_audience_that_takes_access_tokens() -> None:
    with pytest.raises(OutOfScopeError, match="name of an audience"):
        mint().id_token(ISSUER, replace(GRANT, client=MAIL))
