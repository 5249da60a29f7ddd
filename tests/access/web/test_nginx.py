"""A web tool behind a real nginx, with the configuration of the page in docs/howto."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from access.rooms import World
from access.web.client import HEADER, TOOLS, Client
from docs.blocks import ROOT, blocks
from immure.access import Grant
from immure.access.web.app import AccessApp
from servers import nginx
from servers.asgi import serving
from servers.program import free_port
from servers.tls import Authority, Pair
from servers.upstream import Upstream, answering

PAGE = ROOT / "docs" / "howto" / "guard-a-web-tool.md"
TOOL = TOOLS["room:debug"]


class Networked(Client):
    """A client that comes by nginx, and shows the certificate of its workstation."""

    def __init__(self, world: World, port: int, pair: Pair | None) -> None:
        super().__init__(world)
        self.port = port
        self.context = ssl.create_default_context()
        self.context.check_hostname = False
        self.context.verify_mode = ssl.CERT_NONE
        if pair is not None:
            self.context.load_cert_chain(pair.certificate, pair.key)

    async def _exchange(self, method: str, path: str, base: str, **options: Any) -> httpx.Response:
        host = urlsplit(base).netloc
        options["headers"] = [*options.get("headers", []), ("host", host)]
        async with httpx.AsyncClient(verify=self.context, trust_env=False) as client:
            url = f"https://127.0.0.1:{self.port}{path}"
            return await client.request(method, url, extensions={"sni_hostname": host}, **options)


@pytest.fixture
def scene(world: World, tmp_path: Path) -> Iterator[tuple[World, int, Upstream, Authority]]:
    authority = Authority(tmp_path)
    pair = authority.issue("room")
    app = AccessApp(world.door, header=HEADER, tools=TOOLS)
    port = free_port()
    [text] = [block.text for block in blocks(PAGE) if block.file == "nginx.conf"]
    with answering() as tool, serving(app) as server:
        changes = {
            "listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
            "/etc/ssl/room.pem": str(pair.certificate),
            "/etc/ssl/room.key": str(pair.key),
            "/etc/ssl/workstations.pem": str(authority.certificate),
            "127.0.0.1:8480": f"127.0.0.1:{server}",
            "127.0.0.1:8081": f"127.0.0.1:{tool.port}",
        }
        for before, after in changes.items():
            assert before in text, before
            text = text.replace(before, after)
        with nginx.running(text, port):
            yield world, port, tool, authority


def test_a_tool_opens_on_a_live_grant(scene: tuple[World, int, Upstream, Authority]) -> None:
    world, port, tool, authority = scene
    laptop = authority.issue("laptop-17")
    approved(world, laptop)
    grant = world.granted()
    ada = Networked(world, port, laptop)
    shut = ada.get("/", base=TOOL)
    assert (shut.status_code, shut.headers["location"]) == (302, "https://access.prod.example/")
    assert tool.requests == 0

    ada.sign_in()
    done = ada.sign(ada.post("/do/enter", grant=grant))
    found = re.search(r'href="https://debug.prod.example([^"]+)"', done.text)
    assert found, done.text
    assert ada.get(found[1], base=TOOL).status_code == 303
    ada.cookies["own"] = "of the tool"
    ada.fields = {"x-room-account": "prd-mallory"}
    opened = ada.get("/threads", base=TOOL)
    assert opened.status_code == 200
    seen = dict(opened.json()["headers"])
    assert seen["x-room-account"] == "prd-ada"
    assert "__Host-room=" not in seen["cookie"]
    assert "own=of the tool" in seen["cookie"]

    stolen = Networked(world, port, authority.issue("laptop-18"))
    bare = Networked(world, port, None)
    for other in (stolen, bare):
        other.cookies = dict(ada.cookies)
        assert other.get("/", base=TOOL).status_code == 302
    bare.fields = {"client-cert": field_of(laptop)}
    assert bare.get("/", base=TOOL).status_code == 302

    assert ada.get("/auth?resource=room:debug").status_code == 404
    assert ada.get("/.room/auth", base=TOOL).status_code == 404
    world.sign(world.door.begin_revocation("prd-grace", grant, "left the building"))
    assert world.door.record(Grant, grant).state == "revoked"
    before = tool.requests
    assert ada.get("/threads", base=TOOL).status_code == 302
    assert tool.requests == before


def field_of(pair: Pair) -> str:
    import base64

    return f":{base64.b64encode(pair.der).decode()}:"


def approved(world: World, pair: Pair) -> None:
    ceremony = world.door.request_workstation("prd-ada", holder="prd-ada", certificate=pair.der)
    request = world.sign(ceremony).id
    for account in ("prd-grace", "prd-edsger"):
        world.approve(request, account)
