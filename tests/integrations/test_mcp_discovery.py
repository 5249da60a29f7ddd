"""A real MCP client finds its way in: from our challenge to the metadata, to the issuer, and back."""

from __future__ import annotations

import asyncio
import time
from urllib.parse import parse_qs

import httpx2
import pytest
from mcp.client.auth.extensions.client_credentials import ClientCredentialsOAuthProvider
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.server.mcpserver import MCPServer
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from immure.integrations.bearer import Guard, metadata_url, protected_resource_metadata
from immure.integrations.mcp import Protect, claims
from immure.tokens.validator import Validator
from integrations.serving import asgi_server
from tokens.minting import ISSUER, Mint, policy


class Issuer:
    """An authorization server that gives whoever asks a token for what is asked (RFC 6749, section 4.4)."""

    def __init__(self):
        self.asked = []
        self.app = Starlette(
            routes=[
                Route("/.well-known/oauth-authorization-server", self.describe),
                Route("/token", self.issue, methods=["POST"]),
            ]
        )

    async def describe(self, request):
        address = str(request.base_url).rstrip("/")
        return JSONResponse(
            {
                "issuer": address,
                "authorization_endpoint": f"{address}/authorize",
                "token_endpoint": f"{address}/token",
                "response_types_supported": ["code"],
                "grant_types_supported": ["client_credentials"],
                "token_endpoint_auth_methods_supported": ["client_secret_basic"],
            }
        )

    async def issue(self, request):
        form = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
        self.asked.append((form.get("scope"), form.get("resource")))
        now = int(time.time())
        times = {"iat": now, "nbf": now, "exp": now + 600}
        token = Mint().token(aud=form["resource"], scope=form.get("scope"), azp="client-9", **times)
        return JSONResponse({"access_token": token, "token_type": "Bearer", "expires_in": 600})


class Storage:
    """Keeps nothing for the next run."""

    async def get_tokens(self):
        return None

    async def set_tokens(self, tokens):
        pass

    async def get_client_info(self):
        return None

    async def set_client_info(self, client_info):
        pass


class AtItsAddress:
    """An app that knows where it is served, which it cannot before it is."""

    def __init__(self, app):
        self.inner, self.app = app, None

    async def __call__(self, scope, receive, send):
        await (self.inner if scope["type"] == "lifespan" else self.app)(scope, receive, send)


@pytest.fixture
def issuer():
    made = Issuer()
    with asgi_server(made.app) as address:
        made.address = address
        yield made


@pytest.fixture
def resource(issuer):
    server = MCPServer("mail", log_level="ERROR")

    @server.tool()
    def whoami() -> str:
        return f"{claims()['azp']} of {claims().issuer}"

    later = AtItsAddress(server.streamable_http_app())
    with asgi_server(later) as address:
        resource = f"{address}/mcp"
        document = protected_resource_metadata(resource, [issuer.address], scopes=["mail.read", "mail.send"])
        door = Guard(
            Validator(policy(audiences={resource: {"enterprise"}})),
            audience=resource,
            scopes=["mail.read"],
            resource_metadata=metadata_url(resource),
        )
        later.app = Protect(later.inner, door, metadata=document)
        yield resource


def test_from_a_challenge_to_an_answer(issuer, resource):
    async def ask():
        way = ClientCredentialsOAuthProvider(
            resource, Storage(), client_id="client-9", client_secret="of a test", issuer=issuer.address
        )
        async with (
            httpx2.AsyncClient(auth=way) as http,
            Client(streamable_http_client(resource, http_client=http)) as client,
        ):
            return (await client.call_tool("whoami", {})).content[0].text

    assert asyncio.run(ask()) == f"client-9 of {ISSUER}"
    assert issuer.asked == [("mail.read", resource)]
