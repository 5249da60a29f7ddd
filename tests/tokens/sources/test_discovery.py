"""Discovery: the document is of exactly that issuer, and its keys are where they may be."""

from __future__ import annotations

from typing import Any

import pytest

from immure.errors import KeySourceError
from immure.tokens.errors import UnknownKeyError
from immure.tokens.sources import DiscoverySource, Page
from immure.tokens.sources.discovery import well_known

from .imagined import ISSUER, Imagined, Jobs, Ticks, discovery, jwk, jwks

OPENID = ISSUER + "/.well-known/openid-configuration"
OAUTH = "https://issuer.example/.well-known/oauth-authorization-server/tenant"
INSERTED = "https://issuer.example/.well-known/openid-configuration/tenant"
SET = "https://issuer.example/set"
ENTRA = "https://login.microsoftonline.com/"
TEMPLATE = ENTRA + "{tenantid}/v2.0"
TENANT = ENTRA + "7ab8a5a2-4c4e-4b5c-8d7c-0b7a3c9d1e2f/v2.0"
COMMON = ENTRA + "common/v2.0"
ENTRA_KEYS = ENTRA + "common/discovery/v2.0/keys"


def source(pages: Imagined, issuer: str = ISSUER, **options: Any) -> DiscoverySource:
    return DiscoverySource(
        issuer, fetcher=pages, ticks=options.pop("ticks", Ticks()), start=Jobs(), **options
    )


@pytest.mark.parametrize(
    ("issuer", "places"),
    [
        (ISSUER, (OPENID, OAUTH, INSERTED)),
        (ISSUER + "/", (OPENID, OAUTH, INSERTED)),
        (
            "https://a.example",
            (
                "https://a.example/.well-known/openid-configuration",
                "https://a.example/.well-known/oauth-authorization-server",
            ),
        ),
        (
            "https://a.example:8443/",
            (
                "https://a.example:8443/.well-known/openid-configuration",
                "https://a.example:8443/.well-known/oauth-authorization-server",
            ),
        ),
    ],
)
def test_where_documents_may_be(issuer, places):
    assert well_known(issuer) == places


@pytest.mark.parametrize(("place", "asked"), [(OPENID, 1), (OAUTH, 2), (INSERTED, 3)])
def test_each_place_is_tried_and_the_one_that_has_it_is_asked_first_from_then_on(place, asked):
    pages, ticks = Imagined({place: discovery(), SET: jwks("a")}), Ticks()
    made = source(pages, ticks=ticks)
    assert made.find("a").scope.issuer == ISSUER
    assert pages.asked == [*(OPENID, OAUTH, INSERTED)[:asked], SET]
    pages.asked.clear()
    ticks.now += 30
    with pytest.raises(UnknownKeyError):
        made.find("b")
    assert pages.asked == [place, SET]


def test_an_outage_of_the_first_place_is_no_reason_to_ask_the_second():
    pages = Imagined({OAUTH: discovery(), SET: jwks("a")})
    pages.fail(OPENID)
    with pytest.raises(KeySourceError, match="503"):
        source(pages).find("a")
    assert pages.asked == [OPENID]


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (None, f"{OPENID}: HTTP status 404"),
        (discovery(ISSUER + "/"), "says its issuer is 'https://issuer.example/tenant/', not"),
        (discovery(ISSUER.upper()), "says its issuer is"),
        (discovery("https://issuer.example"), "says its issuer is"),
        (discovery("https://evil.example"), "says its issuer is 'https://evil.example', not"),
        (discovery(TEMPLATE), "says its issuer is"),
        (discovery("https://issuer.example/{tenantid}"), "says its issuer is"),
        (discovery("\u202eevil"), r"says its issuer is '\\u202eevil'"),
        (discovery(jwks_uri="https://evil.example/set"), "host that was not allowed: 'evil.example'"),
        (discovery(jwks_uri="https://issuer.example.evil.example/set"), "not allowed"),
        (discovery(jwks_uri="https://issuer.example:8443/set"), "not allowed"),
        (discovery(jwks_uri="https://issuer.example@evil.example/set"), "user name"),
        (discovery(jwks_uri="https://evil.example#@issuer.example/"), "not allowed"),
        (discovery(jwks_uri="https://evil.example\\@issuer.example/"), "user name|not a valid URL"),
        (discovery(jwks_uri="http://issuer.example/set"), "only https"),
        (discovery(jwks_uri="http://127.0.0.1/set"), "not allowed"),
        (discovery(jwks_uri="https://169.254.169.254/set"), "not allowed"),
        (discovery(jwks_uri="file:///etc/passwd"), "not a valid URL"),
        (discovery(jwks_uri="https://["), "not a valid URL"),
        (discovery(jwks_uri="/set"), "not a valid URL"),
        (discovery(jwks_uri=""), "no jwks_uri"),
        (discovery(jwks_uri="https://issuer.example/" + "x" * 3000), "no jwks_uri"),
        (b'{"issuer": "https://issuer.example/tenant"}', "no jwks_uri"),
        (b'{"issuer": ["https://issuer.example/tenant"], "jwks_uri": "x"}', "no issuer"),
        (b'{"issuer": "https://issuer.example/tenant", "issuer": "x"}', "a member twice"),
        (b"[]", "no object"),
        (b"<html>", "not JSON"),
    ],
)
def test_documents_that_are_refused(document, words):
    pages = Imagined({SET: jwks("a")} | ({} if document is None else {OPENID: document}))
    with pytest.raises(KeySourceError, match=words):
        source(pages).find("a")
    assert SET not in pages.asked


def test_the_host_of_the_keys_may_be_another_if_it_is_named():
    keys_at = "https://keys.example/set"
    pages = Imagined({OPENID: discovery(jwks_uri=keys_at), keys_at: jwks("a")})
    found = source(pages, jwks_hosts=["keys.example"]).find("a")
    assert (found.scope.issuer, found.key.origin.source) == (ISSUER, keys_at)
    with pytest.raises(KeySourceError, match="not allowed"):
        source(pages, jwks_hosts=["keys.example:8443"]).find("a")


def test_a_document_that_turns_evil_takes_nothing_away_and_brings_nothing():
    pages, ticks = Imagined({OPENID: discovery(), SET: jwks("a")}), Ticks()
    made = source(pages, ticks=ticks)
    made.find("a")
    pages.pages |= {
        OPENID: discovery(jwks_uri="https://evil.example/"),
        "https://evil.example/": jwks("evil"),
    }
    ticks.now += 30
    with pytest.raises(UnknownKeyError, match="not allowed"):
        made.find("evil")
    assert made.find("a").kid == "a"


def test_the_shorter_of_both_ages_counts():
    for ages in ((100.0, 1000.0), (1000.0, 100.0), (100.0, None), (None, 100.0)):
        pages, ticks = Imagined({OPENID: Page(discovery(), ages[0]), SET: Page(jwks("a"), ages[1])}), Ticks()
        made = source(pages, ticks=ticks)
        made.find("a")
        ticks.now += 99
        assert (made.find("a").kid, made.fetches) == ("a", 1)
        ticks.now += 2
        assert (made.find("a").kid, made.fetches) == ("a", 2)


# --- templates ---


def entra(stated: str = TEMPLATE) -> Imagined:
    keys = b'{"keys": [%s, %s]}' % tuple(
        repr(jwk(kid) | {"issuer": issuer}).replace("'", '"').encode()
        for kid, issuer in (("any", TEMPLATE), ("one", ENTRA + "9188040d-6c67-4c5b-b112-36a304b66dad/v2.0"))
    )
    return Imagined(
        {COMMON + "/.well-known/openid-configuration": discovery(stated, ENTRA_KEYS), ENTRA_KEYS: keys}
    )


@pytest.mark.parametrize("issuer", [TEMPLATE, TENANT])
def test_entra_states_a_template_and_each_key_its_issuer(issuer):
    made = source(entra(), issuer, at=COMMON)
    assert made.find("any").scope.issuer == TEMPLATE
    assert made.find("one").scope.issuer.startswith(ENTRA + "9188040d")


@pytest.mark.parametrize(
    ("issuer", "stated"),
    [
        (TEMPLATE, TENANT),
        (TEMPLATE, TEMPLATE + "/"),
        (TENANT, ENTRA + "{tenantid}/v1.0"),
        (TENANT, ENTRA + "{tenantid}{tenantid}/v2.0"),
        (TENANT, "{tenantid}"),
        (ENTRA + "common/v2.0", TEMPLATE),
        (ENTRA + "7AB8A5A2-4C4E-4B5C-8D7C-0B7A3C9D1E2F/v2.0", TEMPLATE),
    ],
)
def test_templates_that_do_not_fit(issuer, stated):
    with pytest.raises(KeySourceError, match="says its issuer is"):
        source(entra(stated), issuer, at=COMMON).find("any")


def test_a_template_is_not_taken_from_the_issuer_itself():
    pages = entra()
    pages.pages[TENANT + "/.well-known/openid-configuration"] = discovery(TEMPLATE, ENTRA_KEYS)
    with pytest.raises(KeySourceError, match="says its issuer is"):
        source(pages, TENANT).find("any")


def test_a_key_of_a_shared_set_that_says_nothing_may_sign_for_nothing():
    pages = entra()
    pages.pages[ENTRA_KEYS] = jwks("a")
    for issuer in (TEMPLATE, TENANT):
        assert source(pages, issuer, at=COMMON).find("a").scope is None


@pytest.mark.parametrize(
    ("issuer", "options", "words"),
    [
        (TEMPLATE, {}, "is a template"),
        ("http://issuer.example", {}, "only https"),
        ("issuer.example", {}, "not a valid URL"),
        (ISSUER + "?tenant=1", {}, "no query"),
        (ISSUER + "#1", {}, "no query"),
        (ISSUER, {"jwks_hosts": ["https://keys.example"]}, "not a host name"),
        (ISSUER, {"jwks_hosts": [""]}, "not a valid URL"),
        (ISSUER, {"at": "http://elsewhere.example"}, "only https"),
    ],
)
def test_what_could_never_work_is_refused_at_once(issuer, options, words):
    with pytest.raises(KeySourceError, match=words):
        DiscoverySource(issuer, **options)
