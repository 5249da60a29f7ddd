"""Requests that come again as a whole, over real connections: answered without being read, and as if read."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from immure.ledger.errors import LedgerError
from immure.ledger.sqlite_store import SqliteLedger
from immure.signing import wholes
from immure.signing.protocol import SigningProtocol
from immure.signing.service import Service
from immure.signing.wholes import Whole, Wholes
from immure.signing.worker import ServiceApp, Supervisor
from signing.house import DIGEST, ENTERPRISE, SECRET, House, claims_of

BODY = b"grant_type=client_credentials&scope=mail.read"


def request(body: bytes = BODY, *more: bytes, secret: str = SECRET) -> bytes:
    basic = base64.b64encode(f"daemon:{secret}".encode())
    lines = [
        b"POST /enterprise/token HTTP/1.1",
        b"Host: a",
        b"Authorization: Basic " + basic,
        b"Content-Type: application/x-www-form-urlencoded",
        b"Content-Length: %d" % len(body),
        *more,
    ]
    return b"\r\n".join([*lines, b"", body])


class Wire:
    """One connection, and what was seen on the server's side of it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, served: Served) -> None:
        self._reader, self._writer, self.served = reader, writer, served

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def receive(self) -> tuple[int, dict[bytes, bytes], Any]:
        head = await asyncio.wait_for(self._reader.readuntil(b"\r\n\r\n"), 20)
        first, *lines = head[:-4].split(b"\r\n")
        headers = dict(line.split(b": ", 1) for line in lines)
        body = await self._reader.readexactly(int(headers[b"content-length"]))
        return int(first.split()[1]), headers, json.loads(body)

    async def ask(self, data: bytes) -> tuple[int, dict[bytes, bytes], Any]:
        await self.send(data)
        return await self.receive()

    async def is_closed(self) -> bool:
        return await asyncio.wait_for(self._reader.read(), 20) == b""


class Served:
    """A service on a port of its own; ``read`` counts the requests that were read."""

    def __init__(self, service: Service) -> None:
        self.service, self.state, self.read = service, ServerState(), 0
        self.config = uvicorn.Config(
            service.app, lifespan="off", log_config=None, limit_concurrency=50, proxy_headers=False
        )

    def protocol(self) -> SigningProtocol:
        served = self

        class Counting(SigningProtocol):
            def on_message_begin(self) -> None:
                served.read += 1
                super().on_message_begin()

        return Counting(self.config, self.state, {})

    @asynccontextmanager
    async def connected(self, port: int) -> AsyncIterator[Wire]:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        yield Wire(reader, writer, self)
        writer.close()


@pytest.fixture
def wired(house: House) -> Callable[[Callable[[Wire], Awaitable[Any]]], Any]:
    """Runs ``work(wire)``."""

    def wired(work: Callable[[Wire], Awaitable[Any]]) -> Any:
        async def inner() -> Any:
            service = await Service.start(house.settings, stream=None)
            served = Served(service)
            server = await asyncio.get_running_loop().create_server(served.protocol, "127.0.0.1", 0)
            try:
                async with served.connected(server.sockets[0].getsockname()[1]) as wire:
                    return await work(wire)
            finally:
                server.close()
                await service.stop()

        return asyncio.run(inner())

    return wired


def test_the_third_is_not_read_and_answered_all_the_same(wired, house: House) -> None:
    async def work(wire: Wire):
        return [await wire.ask(request()) for _ in range(5)], wire.served.read

    answers, read = wired(work)
    assert read == 2  # what it means, and that it came as a whole
    assert {status for status, _, _ in answers} == {200}
    for _, headers, body in answers:
        assert headers[b"content-type"] == b"application/json"
        assert headers[b"cache-control"] == b"no-store"
        assert {**body, "access_token": ""} == {**answers[0][2], "access_token": ""}
    assert len({claims_of(body["access_token"])["jti"] for _, _, body in answers}) == 5
    with SqliteLedger(house.directory / "ledger.db") as store:
        assert [number for number, _ in store.rows(ENTERPRISE, 1, 99)] == [1, 2, 3, 4, 5]


def test_another_byte_is_another_request(wired) -> None:
    async def work(wire: Wire):
        for _ in range(3):
            await wire.ask(request())
        wrong = await wire.ask(request(secret="wrong"))
        scope = await wire.ask(request(b"grant_type=client_credentials&scope=mail.send"))
        proved = await wire.ask(request(BODY, b"DPoP: no.proof.this"))
        return wrong[0], scope[0], proved[0], (await wire.ask(request()))[0]

    assert wired(work) == (401, 400, 400, 200)


@pytest.mark.parametrize(
    "pieces",
    [
        [request()[:40], request()[40:]],
        [request()[:-1], request()[-1:]],
        [request() + request()],
        [request() + b"POST"],
        [request(BODY, b"Connection: close")],
        [request(BODY, b"Connection: Upgrade", b"Upgrade: h2c")],
        [request(BODY, b"Expect: 100-continue", b"X: " + b"x" * 9000)],
    ],
    ids=[
        "head in two",
        "body in two",
        "two at once",
        "more behind it",
        "the last one",
        "upgrade",
        "too long",
    ],
)
def test_what_is_not_kept_as_a_whole(wired, pieces: list[bytes]) -> None:
    async def work(wire: Wire) -> tuple[int, int]:
        for piece in pieces:
            await wire.send(piece)
            await asyncio.sleep(0.02)
        if b"Expect" in pieces[0]:
            await wire._reader.readuntil(b"100 Continue\r\n\r\n")
        first = (await wire.receive())[0]
        app = wire.served.service.app
        for _ in range(2):  # known by what was granted now, and still not as a whole
            async with wire.served.connected(wire._writer.get_extra_info("peername")[1]) as other:
                for piece in pieces:
                    await other.send(piece)
                    await asyncio.sleep(0.02)
                if b"Expect" in pieces[0]:
                    await other._reader.readuntil(b"100 Continue\r\n\r\n")
                await other.receive()
        return first, len(app._wholes)

    upgrade = b"Upgrade" in pieces[0]  # of which uvicorn reads no body
    assert wired(work) == (400 if upgrade else 200, 0)


def test_what_comes_while_one_is_answered_waits_for_it(wired) -> None:
    """In order, whatever is known of them and however the bytes are cut."""

    async def work(wire: Wire):
        for _ in range(2):
            await wire.ask(request())
        await wire.send(request())
        await asyncio.sleep(0)
        await wire.send(request() + request(secret="wrong") + request()[:50])
        await asyncio.sleep(0.05)
        await wire.send(request()[50:])
        return [(await wire.receive())[0] for _ in range(4)]

    assert wired(work) == [200, 200, 401, 200]


def test_it_ends_with_the_settings(wired, house: House) -> None:
    async def work(wire: Wire):
        for _ in range(3):
            await wire.ask(request())
        settings = house.path.read_text()
        house.path.write_text(settings.replace(DIGEST, f"sha256:{'0' * 64}", 1))
        assert wire.served.service.reload(lambda: house.settings)
        return (await wire.ask(request()))[0], wire.served.read

    assert wired(work) == (401, 3)


def test_what_was_asked_before_the_settings_changed_is_not_kept_after_it(wired, house: House) -> None:
    """A request that is still under way then was granted by what no longer holds."""

    async def work(wire: Wire):
        await wire.ask(request())
        service = wire.served.service
        store, gate = service.ledger.store, asyncio.Event()
        loop, append = asyncio.get_running_loop(), store.append

        def slow(rows):
            asyncio.run_coroutine_threadsafe(gate.wait(), loop).result(20)
            return append(rows)

        store.append = slow
        await wire.send(request())
        await asyncio.sleep(0.1)
        assert service.reload(lambda: house.settings)
        gate.set()
        status = (await wire.receive())[0]
        return status, len(service.app._wholes)

    assert wired(work) == (200, 0)


def test_no_token_without_its_row(wired) -> None:
    """503, as if it had been read; and again a token when there can be one."""

    async def work(wire: Wire):
        for _ in range(2):
            await wire.ask(request())
        store = wire.served.service.ledger.store
        append = store.append

        def full(rows):
            raise LedgerError("disk full")

        store.append = full
        refused = await wire.ask(request())
        store.append = append
        return refused, (await wire.ask(request()))[0], wire.served.read

    (status, headers, body), after, read = wired(work)
    assert (status, after, read) == (503, 200, 2)
    assert headers[b"retry-after"] == b"2"
    assert body["error"] == "temporarily_unavailable"
    assert "disk" not in body["error_description"]


def test_what_nobody_has_foreseen_ends_the_connection(wired) -> None:
    async def work(wire: Wire):
        for _ in range(2):
            await wire.ask(request())
        wire.served.service.app._observer.issued = None
        await wire.send(request())
        return await wire.is_closed()

    assert wired(work)


def test_stopping_answers_first(wired) -> None:
    async def work(wire: Wire):
        for _ in range(2):
            await wire.ask(request())
        await wire.send(request())
        while not wire.served.state.tasks:
            await asyncio.sleep(0)
        (connection,) = wire.served.state.connections
        connection.shutdown()
        status, headers, _ = await wire.receive()
        assert await wire.is_closed()
        return status, headers[b"connection"]

    assert wired(work) == (200, b"close")


def test_too_many_connections(wired) -> None:
    async def work(wire: Wire):
        for _ in range(2):
            await wire.ask(request())
        wire.served.state.tasks.update(range(50))
        await wire.send(request())
        head = await wire._reader.readuntil(b"\r\n\r\n")
        wire.served.state.tasks.clear()
        return head.split()[1]

    assert wired(work) == b"503"


def test_workers_serve_by_it(monkeypatch) -> None:
    monkeypatch.setattr("uvicorn.supervisors.multiprocess.signal.signal", lambda *_: None)
    config = uvicorn.Config("somewhere:worker", factory=True)
    Supervisor(config, [])
    assert config.http is SigningProtocol
    assert ServiceApp("nowhere.toml", {}).again(request()) is None  # which has not begun yet


def test_so_many_at_most(monkeypatch) -> None:
    async def nothing() -> bytes:
        return b""

    monkeypatch.setattr(wholes, "_MOST", 3)
    kept, whole = Wholes(), Whole("/token", "a", nothing)
    assert kept.find(b"1") is None
    for number in range(50):
        kept.keep(b"%d" % number, whole)
        assert len(kept) <= 3
        assert kept.find(b"%d" % number) is whole
    kept.keep(b"x" * 8193, whole)
    assert kept.find(b"x" * 8193) is None
    assert Wholes().find(b"49") is None
