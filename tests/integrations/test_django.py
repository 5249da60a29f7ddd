"""Django as WSGI and as ASGI, behind real servers: the whole table, as a decorator and as a middleware."""

from __future__ import annotations

import asyncio
import hashlib
import ssl
import threading
from functools import partial

import httpx
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import RequestFactory, override_settings
from django.urls import path
from django.utils.decorators import method_decorator
from django.views import View

from immure.errors import KeySourceError, UsageError
from immure.integrations.django import Protect, claims, protect, proxied_certificate, public
from immure.keymaterial.key import b64url
from immure.tokens.policy import IssuerRule, Policy
from immure.tokens.source import KeySource
from immure.tokens.validator import Validator
from integrations.django_site import application, door, me, opened, waiting_me
from integrations.doors import CASES, GOOD, HOLDER, bearer, bound, check_answer, down_guard, guard, proof
from integrations.serving import asgi_server
from integrations.wsgi import STRANGE_HOSTS, Identity, ask, werkzeug_server, wsgiref_server
from tokens.minting import ENTERPRISE, MAIL, NOW, Mint, T

OURS = "immure.integrations.django.Protect"
DJANGOS = ("django.middleware.common.CommonMiddleware", "django.middleware.csrf.CsrfViewMiddleware")


class Me(View):
    def get(self, request):
        return me(request)


class WaitingMe(View):
    async def get(self, request):
        return me(request)


def decorated(view):
    mine = guard()
    return [
        path("open", opened),
        path("me", protect(mine)(view)),
        path("send", protect(mine, scopes=["mail.send"])(view)),
        path("down", protect(down_guard())(view)),
    ]


def behind_the_middleware(view):
    return [
        path("open", public(lambda request: opened(request))),
        path("me", view),
        path("send", protect(door, scopes=["mail.send"])(view)),
        path("down", public(protect(down_guard())(view))),
    ]


WAYS = {
    "decorators": (decorated, ()),
    "middleware": (behind_the_middleware, (OURS,)),
    "middleware-among-others": (behind_the_middleware, (DJANGOS[0], OURS, DJANGOS[1])),
    "middleware-before-an-old-one": (behind_the_middleware, (OURS, "integrations.django_site.only_sync")),
    "middleware-behind-an-old-one": (behind_the_middleware, ("integrations.django_site.only_sync", OURS)),
}
VIEWS = {
    "function": me,
    "class": Me.as_view(),
    "coroutine": waiting_me,
    "class-of-coroutines": WaitingMe.as_view(),
}
#: Server, view and way: not all with all, as a row costs a request.
SITES = [
    ("wsgi", "function", "decorators"),
    ("wsgi", "class", "decorators"),
    ("wsgi", "coroutine", "decorators"),
    ("asgi", "function", "decorators"),
    ("asgi", "coroutine", "decorators"),
    ("asgi", "class-of-coroutines", "decorators"),
    ("wsgi", "function", "middleware"),
    ("wsgi", "class-of-coroutines", "middleware"),
    ("asgi", "function", "middleware"),
    ("asgi", "coroutine", "middleware"),
    ("asgi", "coroutine", "middleware-among-others"),
    ("asgi", "coroutine", "middleware-before-an-old-one"),
    ("asgi", "coroutine", "middleware-behind-an-old-one"),
]


def serve(kind, patterns, middleware=()):
    made = application(patterns, waits=kind == "asgi", middleware=middleware)
    return (asgi_server if kind == "asgi" else werkzeug_server)(made)


@pytest.fixture(params=["wsgi", "asgi"])
def server(request):
    """Starts a server for a site."""
    return partial(serve, request.param)


@pytest.fixture(scope="module", params=SITES, ids="-".join)
def address(request):
    kind, view, way = request.param
    patterns, middleware = WAYS[way]
    with serve(kind, patterns(VIEWS[view]), middleware) as found:
        yield found


@pytest.fixture(scope="module")
def another_server():
    with wsgiref_server(application(decorated(me))) as found:
        yield found


@pytest.fixture(scope="module")
def session():
    with httpx.Client() as made:
        yield made


@pytest.mark.parametrize("case", CASES)
def test_every_row(case, address, session):
    check_answer(case, *ask(address, case, client=session))


@pytest.mark.parametrize("case", CASES)
def test_every_row_at_a_server_that_passes_any_name_on(case, another_server):
    check_answer(case, *ask(another_server, case))


def test_a_view_knows_whose_token_it_is(address):
    answer = httpx.get(address + "/me", headers=bearer(Mint().token(scope="mail.read mail.send")))
    assert answer.json() == {"subject": "mailbox-7", "scopes": ["mail.read", "mail.send"]}


@pytest.mark.parametrize(
    "name", ["Authorization_", "_Authorization", "HTTP_AUTHORIZATION", "X-Authorization"]
)
def test_other_headers_do_not_let_in(name, another_server):
    assert httpx.get(another_server + "/me", headers={name: f"Bearer {GOOD}"}).status_code == 401


def test_an_address_that_leads_nowhere_gets_djangos_answer(server):
    with server(behind_the_middleware(me), (OURS,)) as address:
        assert httpx.get(address + "/nowhere").status_code == 404


def test_scopes_of_a_middleware(server):
    with server([path("me", me)], ("integrations.django_site.OtherMiddleware",)) as address:
        assert httpx.get(address + "/me", headers=bearer(GOOD)).status_code == 403
        good = bearer(Mint().token(scope="mail.send"))
        assert httpx.get(address + "/me", headers=good).status_code == 200


def test_a_guard_and_certificates_of_a_middleware(server, tmp_path):
    client = Identity(tmp_path, "client")
    token = Mint().token(cnf={"x5t#S256": b64url(hashlib.sha256(client.der).digest())})
    with server([path("me", me)], ("integrations.django_site.OtherGuard",)) as address:
        assert 'realm="other"' in httpx.get(address + "/me").headers["WWW-Authenticate"]
        for fields, status in client.fields():
            assert httpx.get(address + "/me", headers=[*bearer(token), *fields]).status_code == status


def test_a_proof_is_taken_once_and_its_token_looked_at_once(server):
    view = protect(door)(protect(door, scopes=["mail.read"])(me))
    with server([path("me", view)], (OURS,)) as address:
        token = Mint().token(cnf={"jkt": HOLDER}, scope="mail.read")
        headers = bound(proof(token), token=token)
        assert httpx.get(address + "/me", headers=headers).status_code == 200
        assert httpx.get(address + "/me", headers=headers).json()["code"] == "dpop-proof"


def test_the_address_is_the_origins_and_not_the_forged_hosts(server):
    forged = [("Host", "localhost"), ("X-Forwarded-Host", "thief.example"), ("X-Forwarded-Proto", "https")]
    with server(decorated(me)) as address:
        for at in ("https://thief.example/me", "http://localhost/me"):
            assert httpx.get(address + "/me", headers=bound(proof(url=at)) + forged).status_code == 401
        assert httpx.get(address + "/me", headers=bound(proof()) + forged).status_code == 200
        strange = [*bearer(GOOD), ("Host", "thief.example")]
        assert httpx.get(address + "/me", headers=strange).status_code == 400  # Django's ALLOWED_HOSTS


def test_an_address_is_compared_as_it_is_sent(server):
    with server([path("ä b", protect(guard())(me))]) as address:
        headers = bound(proof(url=MAIL + "/%C3%A4%20b"))
        assert httpx.get(address + "/ä b", headers=headers).status_code == 200


@pytest.mark.parametrize("host", STRANGE_HOSTS)
def test_a_strange_host_does_not_say_what_was_asked_for(host):
    with werkzeug_server(application(decorated(me))) as address, override_settings(ALLOWED_HOSTS=["*"]):
        for made, statuses in ((bound(proof(url=MAIL + "/send")), (401, 400)), (bound(proof()), (200, 400))):
            assert httpx.get(address + "/me", headers=[*made, ("Host", host)]).status_code in statuses


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


@pytest.mark.parametrize("middleware", [(), (OURS,)], ids=["decorator", "middleware"])
def test_other_requests_are_served_while_keys_are_waited_for(middleware):
    slow = Slow()
    policy = Policy({ENTERPRISE: IssuerRule(slow, "enterprise")}, {MAIL: frozenset({"enterprise"})})
    mine = guard(validator=Validator(policy, time=lambda: NOW))

    async def other(_request):
        slow.other_came.set()
        return opened(_request)

    async def both(address):
        async with httpx.AsyncClient() as client:
            first = asyncio.create_task(client.get(address + "/me", headers=bearer(GOOD)))
            assert await asyncio.to_thread(slow.waiting.wait, 30)
            return [(await client.get(address + "/other")).status_code, (await first).status_code]

    view = waiting_me if middleware else protect(mine)(waiting_me)
    with override_settings(IMMURE_GUARD=mine):
        made = application(
            [path("me", view), path("other", public(other))], waits=True, middleware=middleware
        )
    with asgi_server(made) as address:
        assert asyncio.run(both(address)) == [200, 503]


def test_a_decorated_method_of_a_class():
    asked = method_decorator(protect(guard(), scopes=["mail.send"]), name="dispatch")
    made = application([path("send", asked(type("Send", (Me,), {})).as_view())])
    with werkzeug_server(made) as address:
        assert httpx.get(address + "/send", headers=bearer(GOOD)).status_code == 403
        assert httpx.get(address + "/send", headers=bearer(Mint().token(scp="mail.send"))).status_code == 200


def test_a_decorator_that_would_block_the_event_loop_says_so():
    blocking = method_decorator(protect(guard()), name="dispatch")(type("Blocking", (WaitingMe,), {}))

    async def call():
        return await blocking.as_view()(RequestFactory().get("/me", headers=dict(bearer(GOOD))))

    with pytest.raises(UsageError, match="event loop"):
        asyncio.run(call())


def test_a_certificate_from_a_proxy(tmp_path, server):
    client = Identity(tmp_path, "client")
    token = Mint().token(cnf={"x5t#S256": b64url(hashlib.sha256(client.der).digest())})
    with server([path("me", protect(guard(), certificate=proxied_certificate)(me))]) as address:
        for fields, status in client.fields():
            assert httpx.get(address + "/me", headers=[*bearer(token), *fields]).status_code == status


@pytest.mark.parametrize("way", ["decorators", "middleware"])
def test_tokens_bound_to_a_certificate(tmp_path, way):
    us, client, other = (Identity(tmp_path, name) for name in ("us", "client", "other"))
    token = Mint().token(cnf={"x5t#S256": b64url(hashlib.sha256(client.der).digest())})
    both = Identity(tmp_path, "both")
    both.certificate_file.write_bytes(client.pem + other.pem)
    patterns, middleware = WAYS[way]
    site = application(patterns(me), middleware=middleware)
    with werkzeug_server(site, us.context(ssl.Purpose.CLIENT_AUTH, both)) as address:
        for who, status in ((client, 200), (other, 401)):
            with httpx.Client(verify=who.context(ssl.Purpose.SERVER_AUTH, us)) as session:
                assert session.get(address + "/me", headers=bearer(token)).status_code == status


def test_a_certificate_by_the_extension_of_asgi(tmp_path):
    client = Identity(tmp_path, "client")
    token = Mint().token(cnf={"x5t#S256": b64url(hashlib.sha256(client.der).digest())})
    plain = application(decorated(waiting_me), waits=True)

    async def tls(scope, receive, send):  # uvicorn does not have the extension
        chain = {"client_cert_chain": [client.pem.decode()]}
        await plain({**scope, "extensions": {"tls": chain}}, receive, send)

    with asgi_server(plain) as without, asgi_server(tls) as address:
        assert httpx.get(without + "/me", headers=bearer(token)).status_code == 401
        assert httpx.get(address + "/me", headers=bearer(token)).status_code == 200


@pytest.mark.parametrize("value", [None, 7, door.check], ids=["none", "number", "method"])
def test_a_site_without_a_guard_does_not_start(value):
    with override_settings(IMMURE_GUARD=value), pytest.raises(ImproperlyConfigured):
        application([], middleware=(OURS,))


def test_what_is_wrong_in_the_program_is_said_when_it_starts():
    with pytest.raises(UsageError):
        protect(guard(), scopes="mail.send")
    with pytest.raises(UsageError):
        type("Wrong", (Protect,), {"scopes": ["a b"]})(me)
    with pytest.raises(UsageError):
        claims(RequestFactory().get("/me"))


def test_an_expired_token_is_told_so():
    with werkzeug_server(application(decorated(me))) as address:
        answer = httpx.get(address + "/me", headers=bearer(Mint().token(exp=T - 3600)))
    assert "token-expired" in answer.headers["WWW-Authenticate"]
