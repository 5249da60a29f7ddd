"""Starlette on uvicorn, asked by httpx: every row with an endpoint's decorator, and with the middleware."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace

import httpx
import pytest
from starlette.applications import Starlette
from starlette.authentication import AuthenticationError
from starlette.requests import HTTPConnection, Request
from starlette.routing import Route

from immure.errors import UsageError
from immure.integrations.bearer import Request as DoorRequest
from immure.integrations.bearer import metadata_path
from immure.integrations.starlette import Backend, TokenRefusedError, TokenUser, on_error, protect
from integrations.doors import CASES, GOOD, HOLDER, bearer, bound, check_answer, guard, proof
from integrations.serving import asgi_server
from integrations.starlette_apps import DOCUMENT, authenticated, decorated, describe, wrapped
from tokens.minting import ISSUER, MAIL, Mint

HEADERS = [(name.lower().encode(), value.encode()) for name, value in bearer(GOOD)]
GARBAGE = (b"authorization", b"Bearer garbage")
PATH = metadata_path(MAIL)


@pytest.fixture(scope="module", params=[decorated, wrapped])
def address(request):
    with asgi_server(request.param()) as address:
        yield address


@pytest.fixture(scope="module")
def middleware():
    with asgi_server(wrapped()) as address:
        yield address


@pytest.fixture(scope="module")
def own():
    with asgi_server(authenticated()) as address:
        yield address


@pytest.mark.parametrize("case", CASES)
def test_every_row(address, case):
    got = httpx.get(address + case.path, headers=case.headers())
    if case.path == "/send" and case.rule == "token-absent":
        case = replace(case, told=())  # a middleware does not know what an endpoint behind it will ask for
    check_answer(case, got.status_code, got.headers.multi_items(), got.content)
    if case.status == 200 and case.path != "/open":
        assert got.json()["subject"] == "mailbox-7"


def test_scopes_are_told(address):
    got = httpx.get(address + "/send", headers=bearer(Mint().token(scope="mail.send b")))
    assert got.json()["scopes"] == ["b", "mail.send"]


def test_one_proof_does_for_a_middleware_and_the_endpoint_behind_it(address):
    token = Mint().token(scope="mail.send", cnf={"jkt": HOLDER})
    headers = bound(proof(token, method="POST", url=MAIL + "/send"), token=token)
    assert httpx.post(address + "/send", headers=headers).status_code == 200
    assert httpx.post(address + "/send", headers=headers).json()["code"] == "dpop-proof"


def test_methods_of_a_class():
    sender = bearer(Mint().token(scope="mail.send"))
    with asgi_server(decorated()) as address:
        url = address + "/inbox"
        assert httpx.get(url, headers=bearer(GOOD)).json()["subject"] == "mailbox-7"
        assert httpx.post(url, headers=sender).json()["scopes"] == ["mail.send"]
        assert [httpx.get(url).status_code, httpx.post(url, headers=bearer(GOOD)).status_code] == [401, 403]


def test_a_function_that_may_block_has_a_thread_of_its_own():
    async def threads():
        asked = Request({"type": "http", "method": "GET", "path": "/me", "headers": HEADERS})
        where = protect(guard(), [])(lambda request: threading.get_ident())
        return threading.get_ident() == await where(asked)

    assert not asyncio.run(threads())


def test_what_is_no_endpoint_cannot_be_protected():
    with pytest.raises(UsageError):
        asyncio.run(protect(guard())(lambda: "open to all")())


def test_where_tokens_are_from(address):
    got = httpx.get(address + PATH)
    assert (got.status_code, got.json()) == (200, DOCUMENT)
    assert got.headers["access-control-allow-origin"] == "*"
    assert got.headers["content-type"] == "application/json"
    assert httpx.post(address + PATH).status_code == 405
    assert httpx.head(address + PATH).status_code == 200


@pytest.mark.parametrize(
    "path", ["/open/", "//open", "/OPEN", "/open;x", "/open%2f..%2fme", "/nowhere", PATH + "/x"]
)
def test_only_the_very_path_is_public(middleware, path):
    """As it is after the server has decoded it, since that is what the app's router sees."""
    with httpx.Client() as client:
        request = client.build_request("GET", middleware)
        request.url = request.url.copy_with(raw_path=path.encode())
        assert client.send(request).status_code == 401


def test_a_middleware_lets_requires_ask_for_scopes(middleware):
    assert httpx.get(middleware + "/required", headers=bearer(GOOD)).status_code == 403
    sender = bearer(Mint().token(scope="mail.send"))
    assert httpx.get(middleware + "/required", headers=sender).status_code == 200


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.values[0].path == "/me" and case.values[0].rule != "token-absent"]
)
def test_every_row_with_starlettes_own_middleware(own, case):
    got = httpx.get(own + case.path, headers=case.headers())
    check_answer(case, got.status_code, got.headers.multi_items(), got.content)


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        pytest.param("/open", [], 200, id="open"),
        pytest.param("/open", bearer("YTpi", "Basic"), 200, id="open-for-another-scheme"),
        pytest.param("/open", bearer("garbage"), 401, id="a-bad-token-is-refused-everywhere"),
        pytest.param("/me", [], 403, id="nobody"),
        pytest.param("/send", bearer(GOOD), 403, id="scope"),
        pytest.param("/send", bearer(Mint().token(scp=["mail.send"])), 200, id="scope-good"),
    ],
)
def test_starlettes_own_middleware(own, path, headers, status):
    assert httpx.get(own + path, headers=headers).status_code == status


def test_who_the_user_is(own):
    got = httpx.get(own + "/me", headers=bearer(GOOD)).json()
    assert got == {"subject": "mailbox-7", "identity": f"{ISSUER} mailbox-7", "iss": ISSUER}


def test_a_user_of_a_token_without_a_subject():
    user = TokenUser(guard().check(DoorRequest("GET", MAIL, [f"Bearer {Mint().token(sub=None)}"])))
    assert (user.is_authenticated, user.display_name, user.identity) == (True, "", f"{ISSUER} ")


def test_what_a_refused_token_says_of_itself():
    asked = HTTPConnection({"type": "http", "method": "GET", "path": "/", "headers": [GARBAGE]})
    with pytest.raises(TokenRefusedError, match=r"^the token is refused \(token-form\)$"):
        asyncio.run(Backend(guard()).authenticate(asked))


def test_errors_of_another_backend_are_answered_as_before():
    answer = on_error(Request({"type": "http"}), AuthenticationError("no cookie"))
    assert (answer.status_code, answer.body) == (400, b"no cookie")


def test_claims_of_an_endpoint_that_is_not_protected():
    with asgi_server(Starlette(routes=[Route("/me", describe)]), log_config=None) as address:
        assert httpx.get(address + "/me", headers=bearer(GOOD)).status_code == 500


def test_scopes_are_checked_when_the_program_starts():
    with pytest.raises(UsageError):
        protect(guard(), ["mail send"])
    with pytest.raises(UsageError):
        protect(guard(), "mail.send")
