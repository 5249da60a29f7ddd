"""The pages: for keyboards and readers aloud, without scripts, and in nobody's frame."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

import pytest

from immure.signing.pages import error_page, headers_for, sign_in, signed_out, signing_out
from signing.browsing import asked
from signing.browsing import sign_in as try_in
from signing.house import CONSUMER, ENTERPRISE
from signing.sharing import Shared

HOSTILE = "\"'><script>alert(1)</script>&"
PAGES = {
    "sign in": sign_in(
        action="/e/sign-in", client=HOSTILE, issuer=HOSTILE, guard="g", request=HOSTILE, error=None
    ),
    "wrong": sign_in(action="/e/sign-in", client="a", issuer="b", guard="g", request="", error=HOSTILE),
    "sign out": signing_out(action="/e/end-session", guard="g", asked={"state": HOSTILE}),
    "signed out": signed_out(),
    "error": error_page(HOSTILE),
}


class Page(HTMLParser):
    """Elements with their attributes, and texts."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, Any]]] = []
        self.feed(page.decode())

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.elements.append((tag, dict(attrs)))

    def all(self, tag: str) -> list[dict[str, Any]]:
        return [one for name, one in self.elements if name == tag]


@pytest.mark.parametrize("name", PAGES)
def test_a_page(name: str) -> None:
    page = Page(PAGES[name])
    assert page.all("html") == [{"lang": "en"}]
    assert len(page.all("title")) == len(page.all("main")) == len(page.all("h1")) == 1
    assert not page.all("script") + page.all("img") + page.all("link") + page.all("iframe")
    for _, attributes in page.elements:
        assert not [one for one in attributes if one.startswith("on") or one == "style"]
        assert "tabindex" not in attributes
    shown = [one for one in page.all("input") if one.get("type") != "hidden"]
    assert {one["id"] for one in shown} == {one["for"] for one in page.all("label")}
    assert all(one["type"] == "submit" for one in page.all("button"))
    assert len(page.all("button")) == len(page.all("form"))
    assert all(one["method"] == "post" for one in page.all("form"))


def test_the_form_keeps_what_was_asked() -> None:
    page = Page(PAGES["sign in"])
    assert {"type": "hidden", "name": "request", "value": HOSTILE} in page.all("input")
    fields = {one["name"]: one for one in page.all("input")}
    assert fields["password"]["autocomplete"] == "current-password"
    assert fields["name"]["autocomplete"] == "username"
    assert "autofocus" in fields["name"]
    assert Page(PAGES["wrong"]).all("p")[1]["role"] == "alert"


def test_headers(shared: Shared) -> None:
    """Also of the page that says that something was wrong."""

    async def work(client, service):
        return (
            await client.get(f"{ENTERPRISE}/authorize?{asked()}"),
            await client.get(f"{ENTERPRISE}/authorize?client_id=x"),
            await try_in(client, password="wrong"),
            await client.get(f"{CONSUMER}/end-session"),
        )

    for answer in shared(work):
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; style-src 'sha256-")
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-type"] == "text/html; charset=utf-8"


TARGETS = [
    (None, "form-action 'self'"),
    ("https://app.example:8443/back?x=1", "form-action 'self' https://app.example:8443"),
    ("http://[::1]:9/back", "form-action 'self' http://[::1]:9"),
    ("com.example.app:/back", "form-action 'self' com.example.app:"),
    ("https://a.example;script-src'unsafe-inline'/", "form-action 'self'"),
]


@pytest.mark.parametrize(("uri", "policy"), TARGETS)
def test_where_a_form_may_lead(uri: str | None, policy: str) -> None:
    found = dict(headers_for(uri))[b"content-security-policy"].decode()
    assert found.rpartition("; ")[2] == policy
