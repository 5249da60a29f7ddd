"""aiohttp behind its own server, with its own client: the whole table, as a decorator and as a middleware."""

from __future__ import annotations

import asyncio
import hashlib
import socket
import ssl
import threading
from contextlib import contextmanager

import aiohttp
import httpx
import pytest
from aiohttp import web

from immure.errors import KeySourceError, UsageError
from immure.integrations.aiohttp import claims, protect, protect_all, proxied_certificate, public, scopes
from immure.keymaterial.key import b64url
from immure.tokens.policy import IssuerRule, Policy
from immure.tokens.source import KeySource
from immure.tokens.validator import Validator
from integrations.doors import CASES, GOOD, HOLDER, bearer, bound, check_answer, down_guard, guard, proof
from integrations.wsgi import STRANGE_HOSTS, Identity, ask
from tokens.minting import ENTERPRISE, MAIL, NOW, Mint, validator


@contextmanager
def aiohttp_server(app, context=None):
    """aiohttp's own server in a thread; its address."""
    loop, started = asyncio.new_event_loop(), threading.Event()
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))

    async def run():
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.SockSite(runner, listening, ssl_context=context).start()
        return runner

    def serve():
        runner = loop.run_until_complete(run())
        started.set()
        loop.run_forever()
        loop.run_until_complete(runner.cleanup())
        loop.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    assert started.wait(30)
    try:
        yield f"{'https' if context else 'http'}://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)


async def me(request):
    return web.json_response({"subject": claims(request).subject, "scopes": sorted(scopes(request))})


async def opened(request):
    return web.json_response({})


class Handlers:
    def __init__(self, door):
        self.me = protect(door)(me)

    @protect(guard(), scopes=["mail.send"])
    async def send(self, request):
        return await me(request)

    @public
    async def open(self, request):
        return await opened(request)


class Down(web.View):
    @protect(down_guard())
    async def get(self):
        return await me(self.request)


@public
class PublicDown(Down):
    pass


class Open(web.View):
    async def get(self):
        return await opened(self.request)


def decorated():
    app, door = web.Application(), guard()
    app.router.add_get("/open", opened)
    app.router.add_get("/me", protect(door)(me))
    app.router.add_get("/send", protect(door, scopes=["mail.send"])(me))
    app.router.add_get("/down", protect(down_guard())(me))
    return app


def methods():
    app, handlers = web.Application(), Handlers(guard())
    app.router.add_view("/open", Open)
    app.router.add_get("/me", handlers.me)
    app.router.add_get("/send", handlers.send)
    app.router.add_view("/down", Down)
    return app


def behind_the_middleware():
    door = guard()
    app, handlers = web.Application(middlewares=[protect_all(door)]), Handlers(door)
    app.router.add_get("/open", handlers.open)
    app.router.add_get("/me", me)
    app.router.add_get("/send", protect(door, scopes=["mail.send"])(me))
    app.router.add_view("/down", PublicDown)
    return app


def behind_others():
    @web.middleware
    async def another(request, handler):
        return await handler(request)

    door = guard()
    app = web.Application(middlewares=[another, protect_all(door), another])
    app.router.add_view("/open", public(type("Opened", (Open,), {})))
    app.router.add_get("/me", me)
    below = web.Application(middlewares=[another, protect_all(door, scopes=["mail.send"])])
    below.router.add_get("", protect(door, scopes=["mail.send"])(me))
    app.add_subapp("/send", below)
    app.router.add_view("/down", PublicDown)
    return app


WAYS = [decorated, methods, behind_the_middleware, behind_others]


@pytest.fixture(scope="module", params=WAYS, ids=lambda way: way.__name__)
def address(request):
    with aiohttp_server(request.param()) as found:
        yield found


@pytest.fixture(scope="module")
def one_address():
    with aiohttp_server(behind_the_middleware()) as found:
        yield found


def fetch(url, headers, method="GET"):
    """With aiohttp's client."""

    async def run():
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, url, headers=headers) as answer,
        ):
            return answer.status, list(answer.headers.items()), await answer.read()

    return asyncio.run(run())


@pytest.mark.parametrize("case", CASES)
def test_every_row(case, address):
    check_answer(case, *fetch(address + case.path, case.headers()))


@pytest.mark.parametrize("case", CASES)
def test_every_row_with_another_client(case, one_address):
    check_answer(case, *ask(one_address, case))


def test_a_handler_knows_whose_token_it_is(address):
    answer = httpx.get(address + "/me", headers=bearer(Mint().token(scope="mail.read mail.send")))
    assert answer.json() == {"subject": "mailbox-7", "scopes": ["mail.read", "mail.send"]}


@pytest.mark.parametrize("name", ["Authorization_", "HTTP_AUTHORIZATION", "X-Authorization"])
def test_other_headers_do_not_let_in(name, address):
    assert httpx.get(address + "/me", headers={name: f"Bearer {GOOD}"}).status_code == 401


def test_addresses_that_lead_nowhere_are_protected_too():
    with aiohttp_server(behind_the_middleware()) as address:
        assert httpx.get(address + "/nowhere").status_code == 401
        assert httpx.options(address + "/me").status_code == 401
        assert httpx.get(address + "/nowhere", headers=bearer(GOOD)).status_code == 404


def test_what_is_derived_from_something_public_is_not_public():
    app = web.Application(middlewares=[protect_all(guard())])
    app.router.add_view("/public", public(type("Public", (Open,), {})))
    app.router.add_view("/derived", type("Derived", (public(type("Base", (Open,), {})),), {}))
    with aiohttp_server(app) as address:
        assert httpx.get(address + "/public").status_code == 200
        assert httpx.get(address + "/derived").status_code == 401


def test_a_token_is_looked_at_once():
    decisions = []
    door = guard(record=decisions.append)
    app = web.Application(middlewares=[protect_all(door)])
    app.router.add_get("/me", protect(door)(protect(door, scopes=["mail.read"])(me)))
    token = Mint().token(cnf={"jkt": HOLDER}, scope="mail.read")
    with aiohttp_server(app) as address:
        headers = bound(proof(token), token=token)
        assert httpx.get(address + "/me", headers=headers).status_code == 200
        assert httpx.get(address + "/me", headers=headers).json()["code"] == "dpop-proof"
        assert httpx.get(address + "/me", headers=bearer(Mint().token())).status_code == 403
    assert [(one.verdict, one.rule) for one in decisions[:2]] == [("accepted", ""), ("refused", "dpop-proof")]
    assert decisions[2].rule == "scope-missing"


def test_another_guard_asks_again():
    stricter = guard(validator=validator(rule={"algorithms": frozenset({"RS256"})}))
    app = web.Application(middlewares=[protect_all(guard())])
    app.router.add_get("/me", protect(stricter)(me))
    with aiohttp_server(app) as address:
        assert httpx.get(address + "/me", headers=bearer(GOOD)).json()["code"] == "token-alg"


def test_the_address_is_the_origins_and_not_the_forged_hosts():
    forged = [
        ("Host", "thief.example"),
        ("X-Forwarded-Host", "thief.example"),
        ("X-Forwarded-Proto", "https"),
    ]
    with aiohttp_server(decorated()) as address:
        for at in ("https://thief.example/me", "http://thief.example/me"):
            answer = httpx.get(address + "/me", headers=bound(proof(url=at)) + forged)
            assert answer.json()["code"] == "dpop-proof"
        assert httpx.get(address + "/me", headers=bound(proof()) + forged).status_code == 200


@pytest.mark.parametrize("host", STRANGE_HOSTS)
def test_a_strange_host_does_not_say_what_was_asked_for(host):
    with aiohttp_server(decorated()) as address:
        for made, statuses in ((bound(proof(url=MAIL + "/send")), (401, 400)), (bound(proof()), (200, 400))):
            assert httpx.get(address + "/me", headers=[*made, ("Host", host)]).status_code in statuses


@pytest.mark.parametrize(
    ("asked_for", "status"), [("/me", b"HTTP/1.1 200"), ("/send", b"HTTP/1.1 401")], ids=["same", "another"]
)
def test_an_absolute_target_says_what_was_asked_for(asked_for, status):
    fields = [("Host", "mail.example"), ("Connection", "close"), *bound(proof(url=MAIL + asked_for))]
    lines = ["GET http://mail.example/me HTTP/1.1", *(f"{name}: {value}" for name, value in fields), "", ""]
    with aiohttp_server(decorated()) as address, _connected(address) as plain:
        plain.sendall("\r\n".join(lines).encode())
        assert plain.recv(100).startswith(status)


def _connected(address):
    return socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2])))


class Slow(KeySource):
    """An issuer that answers when another request has come in."""

    def __init__(self):
        self.waiting = threading.Event()
        self.other_came = asyncio.Event()

    def find(self, kid):
        raise AssertionError("this blocks the event loop")

    async def afind(self, kid):
        self.waiting.set()
        await asyncio.wait_for(self.other_came.wait(), 30)
        raise KeySourceError("is gone")


@pytest.mark.parametrize("everywhere", [False, True], ids=["decorator", "middleware"])
def test_other_requests_are_served_while_keys_are_waited_for(everywhere):
    slow = Slow()
    policy = Policy({ENTERPRISE: IssuerRule(slow, "enterprise")}, {MAIL: frozenset({"enterprise"})})
    door = guard(validator=Validator(policy, time=lambda: NOW))

    @public
    async def other(request):
        slow.other_came.set()
        return await opened(request)

    async def both(address):
        async with httpx.AsyncClient() as client:
            first = asyncio.create_task(client.get(address + "/me", headers=bearer(GOOD)))
            assert await asyncio.to_thread(slow.waiting.wait, 30)
            return [(await client.get(address + "/other")).status_code, (await first).status_code]

    app = web.Application(middlewares=[protect_all(door)] if everywhere else [])
    app.router.add_get("/me", me if everywhere else protect(door)(me))
    app.router.add_get("/other", other)
    with aiohttp_server(app) as address:
        assert asyncio.run(both(address)) == [200, 503]


def test_tokens_bound_to_a_certificate(tmp_path):
    us, client, other, both = (Identity(tmp_path, name) for name in ("us", "client", "other", "both"))
    token = Mint().token(cnf={"x5t#S256": b64url(hashlib.sha256(client.der).digest())})
    both.certificate_file.write_bytes(client.pem + other.pem)
    plain = ssl.create_default_context(cafile=str(us.certificate_file))
    plain.check_hostname = False
    with aiohttp_server(decorated(), us.context(ssl.Purpose.CLIENT_AUTH, both)) as address:
        ways = [
            (one.context(ssl.Purpose.SERVER_AUTH, us), status)
            for one, status in ((client, 200), (other, 401))
        ]
        for context, status in (*ways, (plain, 401)):
            with httpx.Client(verify=context) as session:
                assert session.get(address + "/me", headers=bearer(token)).status_code == status


def test_a_certificate_from_a_proxy(tmp_path):
    client = Identity(tmp_path, "client")
    token = Mint().token(cnf={"x5t#S256": b64url(hashlib.sha256(client.der).digest())})
    app = web.Application()
    app.router.add_get("/me", protect(guard(), certificate=proxied_certificate)(me))
    with aiohttp_server(app) as address:
        for fields, status in client.fields():
            assert httpx.get(address + "/me", headers=[*bearer(token), *fields]).status_code == status


def test_a_websocket_is_refused_before_it_is_one():
    async def talk(request):
        made = web.WebSocketResponse()
        await made.prepare(request)
        await made.send_str(claims(request).subject)
        await made.close()
        return made

    async def hear(address, headers):
        async with aiohttp.ClientSession() as session, session.ws_connect(address, headers=headers) as made:
            return await made.receive_str()

    app = web.Application()
    app.router.add_get("/talk", protect(guard())(talk))
    with aiohttp_server(app) as address:
        assert asyncio.run(hear(address + "/talk", dict(bearer(GOOD)))) == "mailbox-7"
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            asyncio.run(hear(address + "/talk", {}))
    assert caught.value.status == 401


def test_what_is_wrong_in_the_program_is_said_when_it_starts():
    for wrong in (protect, protect_all):
        with pytest.raises(UsageError):
            wrong(guard(), scopes="mail.send")


def test_claims_of_nobody():
    async def ask_for_claims(request):
        with pytest.raises(UsageError):
            claims(request)
        return web.Response()

    app = web.Application()
    app.router.add_get("/", ask_for_claims)
    with aiohttp_server(app) as address:
        assert httpx.get(address).status_code == 200
