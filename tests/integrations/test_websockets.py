"""Handshakes of WebSockets, with a real server and a real client."""

from __future__ import annotations

import pytest

from integrations.doors import GOOD, bearer
from integrations.serving import asgi_server
from integrations.starlette_apps import authenticated, decorated, wrapped
from tokens.minting import Mint

pytest.importorskip("websockets", reason="uvicorn needs the package websockets to speak WebSocket")

from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect


@pytest.fixture(scope="module", params=[decorated, wrapped])
def address(request):
    with asgi_server(request.param()) as address:
        yield address.replace("http", "ws", 1) + "/talk"


@pytest.mark.parametrize(
    ("headers", "status", "words"),
    [
        pytest.param([], 401, "Bearer", id="none"),
        pytest.param(bearer("garbage"), 401, "token-form", id="garbage"),
        pytest.param(bearer(Mint(key="Ed25519:consumer").token()), 401, "key-issuer", id="incident"),
        pytest.param(bearer(GOOD) * 2, 400, "invalid_request", id="two"),
    ],
)
def test_it_is_refused(address, headers, status, words):
    with pytest.raises(InvalidStatus) as refused:
        connect(address, additional_headers=headers)
    response = refused.value.response
    assert response.status_code == status
    assert words in response.headers["WWW-Authenticate"]


def test_with_a_token(address):
    with connect(address, additional_headers=bearer(GOOD)) as websocket:
        assert websocket.recv() == "mailbox-7"


@pytest.mark.parametrize("headers", [[], bearer("garbage")])
def test_starlettes_own_middleware_closes_it(headers):
    with asgi_server(authenticated()) as address, pytest.raises(InvalidStatus) as refused:
        connect(address.replace("http", "ws", 1) + "/talk", additional_headers=headers)
    assert refused.value.response.status_code == 403
