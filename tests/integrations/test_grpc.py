"""gRPC, with real servers and channels: all four kinds of methods, in threads and in an event loop."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from concurrent import futures
from contextlib import contextmanager

import grpc
import grpc.aio
import pytest

from immure.errors import KeySourceError, UsageError
from immure.integrations.grpc import AsyncInterceptor, Interceptor, claims, scopes
from immure.keymaterial.key import b64url
from immure.tokens.policy import IssuerRule, Policy
from immure.tokens.source import KeySource
from immure.tokens.validator import Validator
from integrations.doors import BOUND, CASES, GOOD, bearer, bound, down_guard, guard, proof
from integrations.wsgi import Identity
from tokens.minting import ENTERPRISE, MAIL, NOW, Mint

SENDER = Mint().token(scope="mail.read mail.send")
KINDS = ["unary_unary", "unary_stream", "stream_unary", "stream_stream"]
STATUS = {400: "UNAUTHENTICATED", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 503: "UNAVAILABLE"}


def who():
    return f"{claims().subject} {' '.join(sorted(scopes()))}".encode()


class Threads:
    """Methods that run in threads."""

    def unary_unary(self, request, context):
        return who()

    def unary_stream(self, request, context):
        for _ in range(2):
            yield who()

    def stream_unary(self, requests, context):
        return who() + b"".join(requests)

    def stream_stream(self, requests, context):
        for request in requests:
            yield who() + request


class Coroutines:
    """Methods that run in an event loop."""

    async def unary_unary(self, request, context):
        return who()

    async def unary_stream(self, request, context):
        for _ in range(2):
            yield who()

    async def stream_unary(self, requests, context):
        return who() + b"".join([request async for request in requests])

    async def stream_stream(self, requests, context):
        async for request in requests:
            yield who() + request


class Writers(Coroutines):
    """Streams that are written, and not yielded."""

    async def unary_stream(self, request, context):
        for _ in range(2):
            await context.write(who())

    async def stream_stream(self, requests, context):
        while (request := await context.read()) is not grpc.aio.EOF:
            await context.write(who() + request)


def handlers(servicer):
    made = {kind: getattr(grpc, f"{kind}_rpc_method_handler")(getattr(servicer, kind)) for kind in KINDS}

    def nobody(request, context):
        with pytest.raises(UsageError):
            claims()
        return b""

    made |= {
        "me": made["unary_unary"],
        "send": made["unary_unary"],
        "open": grpc.unary_unary_rpc_method_handler(nobody),
    }
    return [
        grpc.method_handlers_generic_handler("mail.Mail", made),
        grpc.method_handlers_generic_handler("health.Health", {"Check": made["open"]}),
    ]


@contextmanager
def in_threads(servicer, *doors, credentials=None, workers=4):
    """A server of threads; its address."""
    pool = futures.ThreadPoolExecutor(workers)
    server = grpc.server(pool, handlers=handlers(servicer), interceptors=doors)
    port = _listen(server, credentials)
    server.start()
    try:
        yield f"localhost:{port}"
    finally:
        server.stop(None).wait()
        pool.shutdown()


@contextmanager
def in_a_loop(servicer, *doors, credentials=None):
    """A server of asyncio in a thread of its own; its address."""
    ready, ports, loop = threading.Event(), [], asyncio.new_event_loop()

    async def run(stop):
        server = grpc.aio.server(
            futures.ThreadPoolExecutor(4), handlers=handlers(servicer), interceptors=doors
        )
        ports.append(_listen(server, credentials))
        await server.start()
        ready.set()
        await stop.wait()
        await server.stop(10)
        await asyncio.gather(*asyncio.all_tasks() - {asyncio.current_task()}, return_exceptions=True)

    stop = asyncio.Event()
    thread = threading.Thread(target=loop.run_until_complete, args=[run(stop)], daemon=True)
    thread.start()
    assert ready.wait(30)
    try:
        yield f"localhost:{ports[0]}"
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()


def _listen(server, credentials):
    if credentials is None:
        return server.add_insecure_port("localhost:0")
    return server.add_secure_port("localhost:0", credentials)


def metadata(headers):
    return [(name.lower(), value) for name, value in headers]


def call(channel, kind, headers, name=None, service="mail.Mail"):
    """All answers of a call."""
    method = getattr(channel, kind)(f"/{service}/{name or kind}")
    asked = iter([b" a", b" b"]) if kind.startswith("stream") else b"a"
    answer = method(asked, metadata=metadata(headers), timeout=30)
    return list(answer) if kind.endswith("stream") else [answer]


def refused(channel, headers, kind="unary_unary", name=None):
    """Status, details and trailing metadata of a call that is not let in."""
    with pytest.raises(grpc.RpcError) as caught:
        call(channel, kind, headers, name)
    error = caught.value
    return error.code().name, error.details(), dict(error.trailing_metadata())


SERVERS = {
    "threads": (in_threads, Interceptor, Threads),
    "loop": (in_a_loop, AsyncInterceptor, Coroutines),
    "loop-writers": (in_a_loop, AsyncInterceptor, Writers),
    "loop-threads": (in_a_loop, AsyncInterceptor, Threads),
}


@pytest.fixture(scope="module", params=SERVERS)
def kind_of_server(request):
    """Serves with a guard."""
    serve, doors, servicer = SERVERS[request.param]

    def served(guard, credentials=None, **settings):
        settings = {"scopes": {"/mail.Mail/send": ["mail.send"]}, "public": ["/mail.Mail/open"]} | settings
        return serve(servicer(), doors(guard, **settings), credentials=credentials)

    return served


@pytest.fixture(scope="module")
def channel(kind_of_server):
    with kind_of_server(guard()) as address, grpc.insecure_channel(address) as made:
        yield made


@pytest.fixture(scope="module")
def down(kind_of_server):
    with kind_of_server(down_guard()) as address, grpc.insecure_channel(address) as made:
        yield made


#: Proofs of DPoP are for another method and address here, and addresses have no queries.
ROWS = [
    row
    for row in CASES
    if "?" not in row.values[0].path and all(name != "DPoP" for name, _ in row.values[0].headers())
]


@pytest.mark.parametrize("case", ROWS)
def test_every_row(case, channel, down):
    chosen, name = (down, "me") if case.path == "/down" else (channel, case.path[1:])
    if case.status == 200:
        assert len(call(chosen, "unary_unary", case.headers(), name)) == 1
        return
    status, details, told = refused(chosen, case.headers(), name=name)
    assert status == STATUS[case.status]
    assert ("retry-after" in told) == (case.status == 503)
    assert ("www-authenticate" in told) == (case.status != 503)
    for words in case.told:
        assert words in told["www-authenticate"]
    if case.status == 401 and case.headers() and case.rule != "token-absent":
        assert case.rule in details
    words = [word for _, value in case.headers() for word in value.split() if len(word) > 40]
    assert all(word not in details + str(told) for word in words)


@pytest.mark.parametrize("kind", KINDS)
def test_all_kinds_of_methods(kind, channel):
    answers = call(channel, kind, bearer(SENDER))
    told = b"mailbox-7 mail.read mail.send"
    expected = {
        "unary_unary": [told],
        "unary_stream": [told, told],
        "stream_unary": [told + b" a b"],
        "stream_stream": [told + b" a", told + b" b"],
    }
    assert answers == expected[kind]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("headers", [[], bearer("garbage"), bearer(GOOD) * 2], ids=["none", "bad", "two"])
def test_no_kind_is_open(kind, headers, channel):
    status, _, told = refused(channel, headers, kind)
    assert status == "UNAUTHENTICATED"
    assert told["www-authenticate"].startswith('Bearer realm="mail"')


def test_claims_of_one_call_are_not_those_of_another(kind_of_server):
    with kind_of_server(guard()) as address, grpc.insecure_channel(address) as channel:
        headers = [bearer(Mint().token(sub=f"mailbox-{number}")) for number in range(40)]
        with futures.ThreadPoolExecutor(8) as pool:
            ways = [KINDS[number % 4] for number in range(40)]
            found = list(pool.map(lambda way, head: call(channel, way, head), ways, headers))
        for number, answers in enumerate(found):
            assert all(answer.startswith(b"mailbox-%d " % number) for answer in answers)
        assert call(channel, "unary_unary", [], "open") == [b""]  # it asks, in one of the same threads


@pytest.mark.parametrize("name", ["authorization-bin", "authorization_", "x-authorization", "trace-bin"])
def test_other_metadata_do_not_let_in(name, channel):
    value = f"Bearer {GOOD}".encode() if name.endswith("-bin") else f"Bearer {GOOD}"
    assert refused(channel, [(name, value)])[0] == "UNAUTHENTICATED"
    assert call(channel, "unary_unary", [(name, value), *bearer(GOOD)])


def test_a_stream_that_the_client_leaves_knows_whose_it_was():
    closed = futures.Future()

    class Endless(Threads):
        def unary_stream(self, request, context):
            try:
                while True:
                    yield who()
            finally:
                closed.set_result(who())

    with (
        in_threads(Endless(), Interceptor(guard())) as address,
        grpc.insecure_channel(address) as channel,
    ):
        stream = channel.unary_stream("/mail.Mail/unary_stream")(b"", metadata=metadata(bearer(GOOD)))
        assert next(stream) == b"mailbox-7 mail.read"
        stream.cancel()
        assert closed.result(30) == b"mailbox-7 mail.read"


def test_iterators_that_are_no_generators():
    class Lists(Threads):
        def unary_stream(self, request, context):
            return [who(), b"end"]

    with in_threads(Lists(), Interceptor(guard())) as address, grpc.insecure_channel(address) as channel:
        assert call(channel, "unary_stream", bearer(GOOD)) == [b"mailbox-7 mail.read", b"end"]


def test_a_method_that_is_not_there(channel):
    assert refused(channel, bearer(GOOD), name="nowhere")[0] == "UNIMPLEMENTED"


def test_services_as_a_whole(kind_of_server):
    door = {
        "scopes": {"/mail.Mail/": ["mail.read"], "/mail.Mail/me": ["mail.send"]},
        "public": ["/health.Health/"],
    }
    with kind_of_server(guard(), **door) as address, grpc.insecure_channel(address) as channel:
        assert call(channel, "unary_unary", [], "Check", "health.Health") == [b""]
        assert refused(channel, [], name="open")[0] == "UNAUTHENTICATED"
        assert refused(channel, bearer(Mint().token()), name="send")[0] == "PERMISSION_DENIED"
        assert call(channel, "unary_unary", bearer(GOOD), "send")
        status, _, told = refused(channel, bearer(GOOD), name="me")
        assert status == "PERMISSION_DENIED"
        assert 'scope="mail.read mail.send"' in told["www-authenticate"]


HERE = MAIL + "/mail.Mail/me"


def test_dpop(channel):
    fresh = proof(method="POST", url=HERE)
    assert call(channel, "unary_unary", bound(fresh), "me")
    refusals = [
        bound(fresh),
        bound(proof(url=HERE)),
        bound(proof(method="POST", url=MAIL + "/mail.Mail/send")),
        bound(proof(method="POST", url="https://thief.example/mail.Mail/me")),
        bound(proof(method="POST", url=HERE), proof(method="POST", url=HERE)),
        bound(),
        [*bearer(BOUND), ("DPoP", proof(method="POST", url=HERE))],
    ]
    for headers in refusals:
        assert refused(channel, headers, name="me")[0] == "UNAUTHENTICATED"


def test_dpop_without_an_origin_is_refused(kind_of_server):
    with kind_of_server(guard(origin=None)) as address, grpc.insecure_channel(address) as channel:
        for url in (HERE, f"https://{address}/mail.Mail/me", "/mail.Mail/me", "//mail.Mail/me", ""):
            assert refused(channel, bound(proof(method="POST", url=url)), name="me")[0] == "UNAUTHENTICATED"


def test_tokens_bound_to_a_certificate(tmp_path, kind_of_server):
    us, client, other = (Identity(tmp_path, name) for name in ("us", "client", "other"))
    token = Mint().token(cnf={"x5t#S256": b64url(hashlib.sha256(client.der).digest())})
    credentials = grpc.ssl_server_credentials([(us.key, us.pem)], client.pem + other.pem, True)
    with kind_of_server(guard(), credentials) as address:
        for who, good in ((client, True), (other, False)):
            shown = grpc.ssl_channel_credentials(us.pem, who.key, who.pem)
            with grpc.secure_channel(address, shown) as channel:
                if good:
                    assert call(channel, "unary_unary", bearer(token), "me")
                else:
                    assert refused(channel, bearer(token), name="me")[0] == "UNAUTHENTICATED"


class Slow(KeySource):
    """An issuer that answers when another call has come in."""

    def __init__(self):
        self.waiting, self.other_came = threading.Event(), threading.Event()

    def find(self, kid):
        self.waiting.set()
        assert self.other_came.wait(30)
        raise KeySourceError("is gone")

    async def afind(self, kid):
        return await asyncio.to_thread(self.find, kid)


@pytest.mark.parametrize("kind", ["unary_unary", "unary_stream"])
def test_other_calls_are_served_while_keys_are_waited_for(kind_of_server, kind):
    slow = Slow()
    policy = Policy({ENTERPRISE: IssuerRule(slow, "enterprise")}, {MAIL: frozenset({"enterprise"})})
    door = guard(validator=Validator(policy, time=lambda: NOW))
    with (
        kind_of_server(door) as address,
        grpc.insecure_channel(address) as channel,
        futures.ThreadPoolExecutor(1) as pool,
    ):
        first = pool.submit(refused, channel, bearer(GOOD), kind)
        assert slow.waiting.wait(30)
        try:
            assert call(channel, "unary_unary", [], "open") == [b""]
        finally:
            slow.other_came.set()
        assert first.result()[0] == "UNAVAILABLE"


def test_a_decision_names_the_channel(kind_of_server):
    decisions = []
    door = guard(record=decisions.append, channel="grpc")
    with kind_of_server(door) as address, grpc.insecure_channel(address) as channel:
        call(channel, "unary_stream", bearer(GOOD))
        refused(channel, bearer(GOOD), name="send")
    told = [(one.verdict, one.rule, one.channel) for one in decisions]
    assert told == [("accepted", "", "grpc"), (told[1][0], "scope-missing", "grpc")]


@pytest.mark.parametrize("doors", [Interceptor, AsyncInterceptor])
@pytest.mark.parametrize(
    "settings",
    [
        {"scopes": {"/mail.Mail/send": "mail.send"}},
        {"scopes": {"mail.Mail/send": ["mail.send"]}},
        {"scopes": {"/mail.Mail": ["mail.send"]}},
        {"public": ["/"]},
        {"public": ["//"]},
        {"public": "health"},
        {"public": ["/health.Health/Check/x"]},
    ],
    ids=str,
)
def test_what_is_wrong_in_the_program_is_said_when_it_starts(doors, settings):
    with pytest.raises(UsageError):
        doors(guard(), **settings)
