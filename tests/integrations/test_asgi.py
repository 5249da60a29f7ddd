"""What ASGI servers can send that uvicorn does not: each scope here is as the specification has it."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from immure.errors import UsageError
from immure.integrations.asgi import Protect, admit, claims, proxied_certificate, request_of, scopes
from immure.integrations.bearer import protected_resource_metadata
from immure.tokens.policy import IssuerRule, Policy
from immure.tokens.sources.static import StaticSource
from immure.tokens.validator import Validator
from integrations.asgi_scopes import INSIDE, NOBODY, inner, protect, run, scope
from integrations.doors import GOOD, NoKeys, bearer, bound, guard, proof
from integrations.starlette_apps import decorated, wrapped
from tokens.minting import ENTERPRISE, MAIL, NOW, Mint, jwk, key_set


def test_a_request_with_a_token_goes_through():
    asked = scope(bearer(GOOD))
    assert run(protect(), asked) == INSIDE
    assert scopes(asked) == {"mail.read"}


def test_start_and_stop_of_the_server_go_through():
    assert run(protect(), {"type": "lifespan"}) == NOBODY


@pytest.mark.parametrize("kind", ["webtransport", "", "LIFESPAN"])
def test_what_cannot_be_guarded_does_not_go_through(kind):
    with pytest.raises(UsageError):
        run(protect(public=["/me"]), scope(bearer(GOOD), kind))


def test_an_answer_to_a_handshake_if_the_server_can_send_one():
    started, body = run(protect(), scope([], "websocket", extensions={"websocket.http.response": {}}))
    assert (started["type"], started["status"]) == ("websocket.http.response.start", 401)
    assert b"www-authenticate" in dict(started["headers"])
    assert (body["type"], len(body["body"])) == (
        "websocket.http.response.body",
        int(dict(started["headers"])[b"content-length"]),
    )


def test_a_handshake_may_have_a_proof():
    """It is a GET, though a server does not say so (RFC 6455, section 4.1)."""
    for method, good in (("GET", True), ("POST", False)):
        sent = run(protect(), scope(bound(proof(method=method)), "websocket"))
        assert (sent == INSIDE) == good


@pytest.mark.parametrize("extensions", [{}, {"extensions": None}, {"extensions": {}}])
def test_a_handshake_is_closed_if_it_cannot(extensions):
    assert run(protect(), scope([], "websocket", **extensions)) == [{"type": "websocket.close", "code": 1008}]


@pytest.mark.parametrize(
    ("path", "root", "sent"),
    [
        ("/open", "", NOBODY),
        ("/api/open", "/api", NOBODY),
        ("/api/open", "/ap", None),
        ("/api/open", "", None),
        ("/open/open", "/open", NOBODY),
        ("/open", "/open", None),
        ("/openx", "/open", None),
        ("/me", "", None),
    ],
)
def test_public_paths_below_a_mount(path, root, sent):
    got = run(protect(public=["/open"]), scope(path=path, root_path=root))
    assert got == sent if sent else got[0]["status"] == 401


def test_the_metadata_are_served_at_their_path_only():
    document = protected_resource_metadata(MAIL + "/inbox", ["https://login.example"])
    app = protect(metadata=document)
    path = "/.well-known/oauth-protected-resource"
    assert run(app, scope(path=path + "/inbox"))[0]["status"] == 200
    assert run(app, scope(path=path + "/inbox", method="DELETE"))[0]["status"] == 405
    assert run(app, scope(path=path))[0]["status"] == 401
    assert run(app, scope([], "websocket", path=path + "/inbox"))[0]["type"] == "websocket.close"


def test_two_guards_each_look_for_themselves():
    app = Protect(Protect(inner, guard(audience=None)), guard())
    assert run(app, scope(bearer(GOOD))) == INSIDE
    stricter = Protect(Protect(inner, guard(scopes=["mail.send"])), guard())
    assert run(stricter, scope(bearer(GOOD)))[0]["status"] == 403


def test_a_path_is_no_list_of_paths():
    with pytest.raises(UsageError):
        protect(public="/open")


def test_without_a_guard_there_are_no_claims():
    for ask in (claims, scopes):
        with pytest.raises(UsageError):
            ask(scope(bearer(GOOD)))


class Slow(NoKeys):
    """An issuer that answers when several have asked."""

    def __init__(self, source, askers):
        self._source, self._askers, self._enough = source, askers, asyncio.Event()

    async def afind(self, kid):
        self._askers -= 1
        if not self._askers:
            self._enough.set()
        await self._enough.wait()
        return self._source.find(kid)


def test_nobody_is_blocked_while_keys_are_fetched():
    async def ask():
        rule = IssuerRule(Slow(StaticSource(key_set(jwk("Ed25519"))), 20), "enterprise")
        door = guard(
            validator=Validator(Policy({ENTERPRISE: rule}, {MAIL: {"enterprise"}}), time=lambda: NOW)
        )
        return await asyncio.wait_for(
            asyncio.gather(*(admit(door, scope(bearer(GOOD))) for _ in range(20))), timeout=60
        )

    assert {found.subject for found in asyncio.run(ask())} == {"mailbox-7"}


# --- what a guard gets to know ---


@pytest.mark.parametrize(
    ("changes", "url"),
    [
        pytest.param({}, "https://mail.example:443/me", id="server"),
        pytest.param({"headers": [("host", "a.example")]}, "https://a.example/me", id="host"),
        pytest.param({"server": ("/run/app.sock", None)}, "https://host.invalid/me", id="socket"),
        pytest.param({"server": None}, "https://host.invalid/me", id="nothing"),
        pytest.param({"headers": [("host", "a"), ("host", "b")]}, "https://host.invalid/me", id="two-hosts"),
        pytest.param({"headers": [("host", "a/x?")]}, "https://host.invalid/me", id="a-path-in-the-host"),
        pytest.param({"raw_path": b"/a%2Fb", "path": "/a/b"}, "https://mail.example:443/a%2Fb", id="raw"),
        pytest.param({"path": "/ü?#"}, "https://mail.example:443/%C3%BC%3F%23", id="quoted"),
        pytest.param({"scheme": "wss", "type": "websocket"}, "https://mail.example:443/me", id="wss"),
        pytest.param({"scheme": "ws", "type": "websocket"}, "http://mail.example:443/me", id="ws"),
    ],
)
def test_the_address(changes, url):
    assert request_of(scope(**changes)).url == url


def test_every_value_of_a_header_in_any_case():
    headers = [(b"Authorization", b"a"), (b"authorization", b"\xe9"), (b"dpop", b"x"), (b"DPoP", b"y")]
    made = request_of(scope() | {"headers": headers})
    assert (made.authorization, made.dpop) == (["a", "é"], ["x", "y"])


_HEADER = st.tuples(
    st.sampled_from([b"authorization", b"DPoP", b"host", b"client-cert", b"x"]),
    st.binary(max_size=40) | st.binary(max_size=40).map(b"Bearer ".__add__) | st.just(b"DPoP a.b.c"),
)
_APP = protect(certificate=proxied_certificate)


@settings(max_examples=300, deadline=None)
@given(st.lists(_HEADER, max_size=4), st.text(max_size=20), st.binary(max_size=20), st.booleans())
def test_garbage_gets_an_answer(headers, path, raw, upgrade):
    asked = scope(path=path, raw_path=raw, kind="websocket" if upgrade else "http")
    sent = run(_APP, asked | {"headers": headers})
    assert sent == [{"type": "websocket.close", "code": 1008}] if upgrade else sent[0]["status"] in (400, 401)


# --- WebSockets in Starlette, without a server; test_websockets.py has them with one ---


@pytest.mark.parametrize("made", [decorated, wrapped])
def test_websockets_in_starlette(made):
    client = TestClient(made())
    with client.websocket_connect("/talk", headers=dict(bearer(GOOD))) as websocket:
        assert websocket.receive_text() == "mailbox-7"
    for headers in ({}, dict(bearer("garbage")), dict(bearer(Mint(key="Ed25519:consumer").token()))):
        with pytest.raises(WebSocketDisconnect), client.websocket_connect("/talk", headers=headers):
            pass
