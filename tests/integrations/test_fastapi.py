"""FastAPI on uvicorn, asked by httpx: every row, scopes of nested dependencies, and the OpenAPI document.

Annotations here name what functions hold, and so they are not postponed.
"""

import asyncio
from dataclasses import replace
from typing import Annotated

import httpx
import pytest
from fastapi import APIRouter, Depends, FastAPI, Request, Security, WebSocket
from fastapi.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from immure.errors import UsageError
from immure.integrations.bearer import metadata_path, protected_resource_metadata
from immure.integrations.fastapi import Bearer, Protect, claims, install, on_refusal, protect, scopes
from immure.tokens.claims import Claims
from integrations.doors import CASES, GOOD, HOLDER, bearer, bound, check_answer, down_guard, guard, proof
from integrations.serving import asgi_server
from tokens.minting import MAIL, Mint

DOCUMENT = protected_resource_metadata(MAIL, ["https://login.example"], scopes=["mail.send"])
SENDER = Mint().token(scope="mail.read mail.send")


def application(door=None, *, installed=True):
    app, door = FastAPI(), door or guard()
    if installed:
        install(app, DOCUMENT)

    @app.get("/open")
    async def anybody():
        return "anybody"

    @app.get("/me")
    def me(found: Annotated[Claims, protect(door)], request: Request):
        assert claims(request) is found
        return {"subject": found.subject, "scopes": sorted(scopes(request))}

    @app.get("/send", dependencies=[protect(door, ["mail.send"])])
    async def send(request: Request):
        return {"subject": claims(request).subject, "scopes": sorted(scopes(request))}

    @app.get("/down")
    async def down(found: Annotated[Claims, protect(down_guard())]):
        raise AssertionError("this is behind a door that does not open")

    @app.websocket("/talk")
    async def talk(websocket: WebSocket, found: Annotated[Claims, protect(door)]):
        await websocket.accept()
        await websocket.send_text(found["sub"])
        await websocket.close()

    app.include_router(_nested(door))
    return app


def _nested(door):
    """A router that wants one scope, a dependency that wants another, and a path that wants a third."""
    token = Bearer(door)
    router = APIRouter(prefix="/nested", dependencies=[Security(token, scopes=["a"])])

    async def user(found: Annotated[Claims, Security(token, scopes=["b"])]):
        return found["sub"]

    @router.get("/")
    async def nested(
        name: Annotated[str, Security(user, scopes=["c"])], again: Annotated[str, Depends(user)]
    ):
        return {"subject": name}

    return router


def in_middleware():
    door = guard()
    app = application(door)
    app.add_middleware(Protect, guard=door, public=["/open", "/down"], metadata=DOCUMENT)
    return app


@pytest.fixture(scope="module", params=[application, in_middleware])
def address(request):
    with asgi_server(request.param()) as address:
        yield address


@pytest.mark.parametrize("case", CASES)
def test_every_row(address, case):
    got = httpx.get(address + case.path, headers=case.headers())
    if case.path == "/send" and case.rule == "token-absent":
        case = replace(case, told=())  # a middleware does not know what an endpoint behind it will ask for
    check_answer(case, got.status_code, got.headers.multi_items(), got.content)
    if case.status == 200 and case.path != "/open":
        assert got.json()["subject"] == "mailbox-7"


@pytest.mark.parametrize(
    ("granted", "status", "needed"),
    [
        ("a b c", 200, None),
        ("a b", 403, "b c"),
        ("b c", 403, "a"),
        ("a c", 403, "b"),
        ("", 403, "a"),
    ],
)
def test_scopes_of_nested_dependencies_add_up(address, granted, status, needed):
    got = httpx.get(address + "/nested/", headers=bearer(Mint().token(scope=granted)))
    assert got.status_code == status
    if needed is not None:
        assert set(needed.split()) <= set(got.json()["scope"].split())


def test_one_proof_does_for_all_dependencies(address):
    token = Mint().token(scope="a b c", cnf={"jkt": HOLDER})
    headers = bound(proof(token, url=MAIL + "/nested/"), token=token)
    assert httpx.get(address + "/nested/", headers=headers).status_code == 200
    assert httpx.get(address + "/nested/", headers=headers).json()["code"] == "dpop-proof"


def test_where_tokens_are_from(address):
    got = httpx.get(address + metadata_path(MAIL))
    assert (got.status_code, got.json()) == (200, DOCUMENT)


def test_a_middleware_comes_before_the_body():
    """Without it FastAPI parses the body of anybody: 422 instead of 401 says that it did."""
    for made, status in ((application, 422), (in_middleware, 401)):
        app = made()

        @app.post("/upload")
        async def upload(found: Annotated[Claims, protect(guard())], body: dict[str, int]):
            raise AssertionError("nobody has a token here")

        headers = {"Content-Type": "application/json"}
        assert TestClient(app).post("/upload", content=b"{", headers=headers).status_code == status


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        pytest.param([], 401, "token-absent", id="none"),
        pytest.param(bearer(Mint(key="Ed25519:consumer").token()), 401, "key-issuer", id="incident"),
        pytest.param(bearer(GOOD) * 2, 400, "credentials", id="two"),
    ],
)
def test_who_forgets_to_install_still_has_status_and_challenge(headers, status, code):
    with asgi_server(application(installed=False)) as address:
        got = httpx.get(address + "/me", headers=headers)
    assert (got.status_code, got.json()["detail"]["code"]) == (status, code)
    assert got.headers["www-authenticate"].startswith('Bearer realm="mail"')


def test_the_openapi_document():
    document = application().openapi()
    assert document["components"]["securitySchemes"] == {
        "Bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
    }
    asked = {path: methods["get"].get("security") for path, methods in document["paths"].items()}
    assert asked == {
        "/open": None,
        "/me": [{"Bearer": []}],
        "/send": [{"Bearer": ["mail.send"]}],
        "/down": [{"Bearer": []}],
        "/nested/": [{"Bearer": ["a", "c", "b"]}],
    }


def test_the_openapi_document_may_name_the_issuer():
    app = FastAPI()
    url = "https://login.example/.well-known/openid-configuration"

    @app.get("/", dependencies=[protect(guard(), scheme_name="login", openid_url=url)])
    async def index():
        return None

    schemes = app.openapi()["components"]["securitySchemes"]
    assert schemes == {"login": {"type": "openIdConnect", "openIdConnectUrl": url}}


@pytest.mark.parametrize("made", [application, in_middleware])
def test_websockets(made):
    client = TestClient(made())
    with client.websocket_connect("/talk", headers=dict(bearer(GOOD))) as websocket:
        assert websocket.receive_text() == "mailbox-7"
    for headers in ({}, dict(bearer("garbage")), dict(bearer(Mint(key="Ed25519:consumer").token()))):
        with pytest.raises(WebSocketDisconnect), client.websocket_connect("/talk", headers=headers):
            pass


@pytest.mark.parametrize("made", [application, in_middleware])
def test_a_handshake_is_closed_if_the_server_can_send_no_answer(made):
    sent = []

    async def receive():
        return {"type": "websocket.connect"}

    async def send(message):
        sent.append(message)

    asked = {"type": "websocket", "path": "/talk", "headers": [], "query_string": b"", "scheme": "ws"}
    asyncio.run(made()(asked, receive, send))
    assert [(message["type"], message["code"]) for message in sent] == [("websocket.close", 1008)]


def test_what_is_no_refusal_is_not_answered():
    error = ValueError("a mistake")
    with pytest.raises(ValueError, match="a mistake"):
        asyncio.run(on_refusal(Request({"type": "http"}), error))


def test_scopes_are_checked_when_the_program_starts():
    for wrong in (["mail send"], "mail.send"):
        with pytest.raises(UsageError):
            protect(guard(), wrong)
