"""The real MCP server over streamable HTTP on uvicorn, and its real client."""

from __future__ import annotations

import asyncio
import hashlib
import time

import httpx
import httpx2
import pytest
from mcp.client.client import Client
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client
from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.auth.settings import AuthSettings
from mcp.server.mcpserver import MCPServer
from mcp.shared.exceptions import MCPError

from immure.clock import now
from immure.integrations.bearer import metadata_path, metadata_url, protected_resource_metadata
from immure.integrations.mcp import Protect, Verifier, claims, scopes
from immure.tokens.dpop import ProofChecker
from immure.tokens.validator import Validator
from integrations.doors import CASES, GOOD, HOLDER, bearer, check_answer, down_guard, guard, proof
from integrations.serving import asgi_server
from tokens.minting import ISSUER, MAIL, Mint, policy

RESOURCE = MAIL
DOCUMENT = protected_resource_metadata(RESOURCE, ["https://login.example"], scopes=["mail.read"])
ROWS = [case for case in CASES if case.values[0].path.startswith("/me")]


def server(**options):
    made = MCPServer("mail", log_level="ERROR", **options)

    @made.tool()
    def whoami() -> str:
        return f"{claims()['sub']} {' '.join(sorted(scopes()))}"

    @made.tool()
    async def awhoami() -> str:
        return f"{claims().issuer} {claims().key.kid}"

    @made.tool()
    def digest() -> str:
        return hashlib.sha256(get_access_token().token.encode()).hexdigest()

    return made


def current(mint=None, **changes):
    """A token of now, as the server's own middleware looks at the clock of the machine."""
    moment = int(time.time())
    times = {"iat": moment - 10, "nbf": moment - 10, "exp": moment + 600}
    return (mint or Mint()).token(**times | {"scope": "mail.read"} | changes)


def door(**changes):
    return guard(validator=Validator(policy()), scopes=["mail.read"], **changes)


def ask(address, *tokens, tool="whoami", mode="auto"):
    """What the tool says to each token, in one session of the real client."""

    async def talk():
        shown = list(tokens)
        said = []

        async def present(request):
            request.headers["Authorization"] = f"Bearer {shown[0]}"

        async with (
            httpx2.AsyncClient(event_hooks={"request": [present]}) as http,
            Client(streamable_http_client(address + "/mcp", http_client=http), mode=mode) as client,
        ):
            while True:
                try:
                    said.append((await client.call_tool(tool, {})).content[0].text)
                except MCPError as error:
                    said.append(str(error))
                if len(shown) == 1:
                    return said
                del shown[0]

    return asyncio.run(talk())


@pytest.fixture(scope="module")
def protected():
    app = Protect(server().streamable_http_app(), door(), metadata=DOCUMENT)
    with asgi_server(app) as address:
        yield address


@pytest.fixture(scope="module")
def verified():
    auth = AuthSettings(
        issuer_url="https://login.example",
        resource_server_url=RESOURCE,
        required_scopes=["mail.read"],
        validate_token_resource=True,
    )
    made = server(auth=auth, token_verifier=Verifier(guard(validator=Validator(policy()))))
    with asgi_server(made.streamable_http_app()) as address:
        yield address


@pytest.fixture(params=["protected", "verified"])
def address(request):
    return request.getfixturevalue(request.param)


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_a_tool_knows_who_asks(address, mode):
    assert ask(address, current(), mode=mode) == ["mailbox-7 mail.read"]
    assert ask(address, current(), tool="awhoami", mode=mode) == [f"{ISSUER} Ed25519"]


def test_a_tool_can_have_the_token_itself(address):
    """As the server's own ways give it; claims and representations do not."""
    token = current()
    assert ask(address, token, tool="digest") == [hashlib.sha256(token.encode()).hexdigest()]


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_each_call_has_the_claims_of_its_own_token(address, mode):
    """A session goes on with a new token, as tokens are short-lived; its scopes may be others."""
    said = ask(address, current(), current(scope="mail.read mail.send"), mode=mode)
    assert said == ["mailbox-7 mail.read", "mailbox-7 mail.read mail.send"]


def test_a_session_is_not_for_another(address):
    said = ask(address, current(), current(sub="mailbox-8"), mode="legacy")
    assert said == ["mailbox-7 mail.read", "Session not found"]


@pytest.mark.parametrize(
    ("headers", "status", "error"),
    [
        pytest.param(list, 401, None, id="no-header"),
        pytest.param(lambda: bearer("garbage"), 401, "invalid_token", id="garbage"),
        pytest.param(lambda: bearer(GOOD.replace(".", "")), 401, "invalid_token", id="no-points"),
        pytest.param(lambda: bearer(current(exp=1)), 401, "invalid_token", id="expired"),
        pytest.param(
            lambda: bearer(current(aud="https://chat.example")), 401, "invalid_token", id="audience"
        ),
        pytest.param(
            lambda: bearer(current(Mint(key="Ed25519:consumer"))), 401, "invalid_token", id="incident"
        ),
        pytest.param(lambda: bearer(current(scope="mail")), 403, "insufficient_scope", id="scope"),
    ],
)
def test_who_is_not_let_in(address, headers, status, error):
    got = httpx.post(address + "/mcp", headers=headers(), json={})
    assert got.status_code == status
    challenge = got.headers["www-authenticate"]
    assert error is None or f'error="{error}"' in challenge
    assert metadata_url(RESOURCE) in challenge


def test_where_tokens_are_from(address):
    got = httpx.get(address + metadata_path(RESOURCE)).json()
    assert got["resource"].rstrip("/") == RESOURCE
    assert got["scopes_supported"] == ["mail.read"]


# --- what only Protect can do ---


@pytest.fixture(scope="module")
def table():
    with asgi_server(Protect(server().streamable_http_app(streamable_http_path="/me"), guard())) as address:
        yield address


@pytest.mark.parametrize("case", ROWS)
def test_every_row(table, case):
    got = httpx.get(table + case.path, headers=case.headers())
    if case.status == 200:  # the server itself has more to ask of a request than a token
        assert (got.status_code, "session" in got.text.lower()) == (400, True)
        assert "www-authenticate" not in got.headers
    else:
        check_answer(case, got.status_code, got.headers.multi_items(), got.content)


def test_without_keys_it_says_so():
    with asgi_server(Protect(server().streamable_http_app(), down_guard())) as address:
        got = httpx.post(address + "/mcp", headers=bearer(GOOD), json={})
    assert (got.status_code, got.json()["code"]) == (503, "key-source")
    assert "www-authenticate" not in got.headers


def test_a_client_that_proves_to_have_its_key():
    """Each request of the real client has a proof of its own, as an authentication of httpx makes it."""
    origin = "https://mail.example"
    own = door(proofs=ProofChecker(), origin=origin)
    token = current(cnf={"jkt": HOLDER})

    async def talk(address):
        async def present(request):
            url = origin + request.url.path
            made = proof(token, method=request.method, url=url, iat=int(now().timestamp()))
            request.headers["Authorization"] = f"DPoP {token}"
            request.headers["DPoP"] = made

        async with (
            httpx2.AsyncClient(event_hooks={"request": [present]}) as http,
            Client(streamable_http_client(address + "/mcp", http_client=http)) as client,
        ):
            return (await client.call_tool("whoami", {})).content[0].text

    with asgi_server(Protect(server().streamable_http_app(), own)) as address:
        assert asyncio.run(talk(address)) == "mailbox-7 mail.read"
        assert httpx.post(address + "/mcp", headers=bearer(token), json={}).json()["code"] == (
            "token-confirmation"
        )


def test_the_older_transport():
    async def talk(address):
        shown = [current()]

        async def present(request):
            request.headers["Authorization"] = f"Bearer {shown[0]}"

        def http(headers=None, timeout=None, auth=None):
            return httpx2.AsyncClient(event_hooks={"request": [present]})

        async with Client(sse_client(address + "/sse", httpx_client_factory=http), mode="legacy") as client:
            first = (await client.call_tool("whoami", {})).content[0].text
            shown[0] = current(scope="mail.read mail.send")
            return first, (await client.call_tool("whoami", {})).content[0].text

    with asgi_server(Protect(server().sse_app(), door())) as address:
        assert asyncio.run(talk(address)) == ("mailbox-7 mail.read", "mailbox-7 mail.read mail.send")
