"""nginx, Envoy, Caddy: what reaches the application behind them, what clients are told, what the log says."""

from __future__ import annotations

import time

import pytest

from introspection.real.cases import BAD, THIEF, Case, fresh, long
from introspection.real.clients import Answer, request
from introspection.real.proxies import RUNNING, Proxy, proxying
from introspection.real.service import Service
from servers.program import free_port
from servers.silent import silence
from servers.upstream import Upstream
from tokens.minting import ISSUER, MAIL, TENANT

pytestmark = pytest.mark.real

#: What our server says of a good token; an empty text where the token has nothing.
IDENTITY = {
    "x-immure-subject": "mailbox-7",
    "x-immure-issuer": ISSUER,
    "x-immure-tenant": TENANT,
    "x-immure-audience": MAIL,
    "x-immure-username": "mailbox-7",
    "x-immure-client": "",
    "x-immure-scope": "",
}
CHALLENGE = 'Bearer realm="immure"'
#: What a client hears when there is no verdict: our server is down; silent; without the issuers' keys.
NO_VERDICT = {"nginx": (503, 503, 503), "envoy": (503, 503, 503), "caddy": (502, 504, 503)}
#: Statuses for two Authorization headers in one request.
TWICE = {"nginx": 400, "envoy": 401, "caddy": 401}
#: Patience with our server on the page, and in these tests.
PATIENCE = {
    "nginx": {"proxy_read_timeout 5s": "proxy_read_timeout 200ms"},
    "envoy": {"timeout: 2s": "timeout: 0.2s"},
    "caddy": {"response_header_timeout 5s": "response_header_timeout 200ms"},
}


def assert_identity(answer: Answer) -> None:
    """Every header of ours came to the application once, with what our server said; if empty, or not."""
    for name, value in IDENTITY.items():
        assert answer.reached(name) in ([[value]] if value else [[""], []]), name


def assert_refused(proxy: Proxy, answer: Answer, before: int, challenge: str, status: int = 401) -> None:
    assert (answer.status, answer.headers["www-authenticate"]) == (status, challenge)
    assert proxy.application.requests == before


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
def test_a_good_token_reaches_the_application(proxy: Proxy, service: Service, method: str):
    token = fresh()
    answer = proxy.ask(token, method=method, body=b"hello" if method in ("POST", "PUT") else b"")
    assert answer.status == 200
    assert answer.seen is not None
    assert (answer.seen["method"], answer.seen["path"]) == (method, "/inbox/7?unread=1")
    assert answer.seen["body"] == ("hello" if method in ("POST", "PUT") else "")
    assert_identity(answer)
    row = service.row(token)
    assert (row.verdict, row.relying_party, row.channel) == ("accepted", proxy.name, "forward-auth")


@pytest.mark.parametrize("case", BAD, ids=lambda case: case.name)
def test_a_bad_token_does_not(proxy: Proxy, service: Service, case: Case):
    token, begun, before = case.make(), time.time(), proxy.application.requests
    assert_refused(proxy, proxy.ask(token), before, f'{CHALLENGE}, error="invalid_token"')
    assert service.refusals(token, begun) == [(case.rule, proxy.name)]


def test_no_token_does_not(proxy: Proxy, service: Service):
    rows, before = len(service.rows()), proxy.application.requests
    assert_refused(proxy, proxy.ask(), before, CHALLENGE)
    assert_refused(proxy, proxy.ask(headers=[("Authorization", "Basic YTpi")]), before, CHALLENGE)
    assert len(service.rows()) == rows


@pytest.mark.parametrize("order", [(True, False), (False, True)], ids=["good-bad", "bad-good"])
def test_two_tokens_are_none(proxy: Proxy, order: tuple[bool, bool]):
    before = proxy.application.requests
    values = [fresh() if good else fresh(THIEF) for good in order]
    answer = proxy.ask(headers=[("Authorization", f"Bearer {value}") for value in values])
    assert (answer.status, proxy.application.requests) == (TWICE[proxy.name], before)


def test_long_tokens(proxy: Proxy, service: Service):
    token, begun = long(8_192), time.time()
    assert_identity(proxy.ask(token))
    assert service.row(token).verdict == "accepted"
    too_long, before = long(17_000), proxy.application.requests
    assert_refused(proxy, proxy.ask(too_long), before, f'{CHALLENGE}, error="invalid_token"')
    assert [row.rule for row in service.rows() if row.time >= begun and row.rule] == ["token-size"]


@pytest.mark.parametrize("spelling", ["X-Immure-{}", "x-immure-{}", "X_Immure_{}"])
def test_what_a_client_writes_into_our_headers_is_not_believed(proxy: Proxy, spelling: str):
    names = [name.removeprefix("x-immure-").title() for name in IDENTITY]
    forged = [(spelling.format(name), "forged") for name in names]
    answer = proxy.ask(fresh(), headers=[*forged, *forged])
    assert answer.status == 200
    assert_identity(answer)
    before = proxy.application.requests
    assert_refused(proxy, proxy.ask(headers=forged), before, CHALLENGE)


def test_headers_that_only_look_like_ours(proxy: Proxy):
    """The page says so: nginx has no word for all headers whose names begin alike."""
    answer = proxy.ask(fresh(), headers=[("X-Immure-Role", "admin")])
    assert answer.reached("x-immure-role") == (["admin"] if proxy.name == "nginx" else [])


@pytest.mark.parametrize("value", ["X-Immure-Tenant", "close, x-immure-subject, x-immure-tenant"])
def test_a_client_cannot_have_our_headers_taken_away(proxy: Proxy, value: str):
    answer = proxy.ask(fresh(), headers=[("Connection", value)])  # RFC 9110, section 7.6.1
    if proxy.name == "caddy":
        assert answer.status == 400
    else:
        assert_identity(answer)


@pytest.mark.parametrize(
    "path",
    [
        "/../../healthz",
        "/..%2f..%2fhealthz",
        "/%2e%2e/%2e%2e/healthz",
        "//healthz",
        "/?/../../healthz",
        "http://127.0.0.1/healthz",
        "/_token",
        "*",
    ],
)
def test_no_path_leads_around_the_question(proxy: Proxy, path: str):
    before = proxy.application.requests
    assert proxy.ask(path=path).status in (400, 401, 404)
    assert proxy.application.requests == before


@pytest.mark.parametrize(
    ("subject", "reaches"),
    [
        ("größer", "gr%C3%B6%C3%9Fer"),
        ("a\r\nX-Immure-Tenant: b", "a%0D%0AX-Immure-Tenant:%20b"),
        ("{env.HOME}", "{env.HOME}"),
        ("$host %41", "$host%20%2541"),
    ],
)
def test_a_subject_is_one_text_whatever_is_in_it(proxy: Proxy, subject: str, reaches: str):
    answer = proxy.ask(fresh(sub=subject))
    assert answer.reached("x-immure-subject") == [reaches]
    assert answer.reached("x-immure-tenant") == [TENANT]


@pytest.fixture(params=RUNNING)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_a_token_without_the_scope_is_forbidden(name: str, service: Service, application: Upstream):
    with proxying(name, service.port, application, {f"/auth/{name}": f"/auth/{name}-scoped"}) as proxy:
        before = application.requests
        answer = proxy.ask(fresh(scp="Mail.Send"))
        assert (answer.status, application.requests) == (403, before)
        challenge = f'{CHALLENGE}, error="insufficient_scope", scope="Mail.Read"'
        # nginx hands on a challenge with 401 only
        assert answer.headers.get("www-authenticate") == (None if name == "nginx" else challenge)
        assert proxy.ask(fresh(scp="Mail.Send Mail.Read")).reached("x-immure-scope") == [
            "Mail.Send Mail.Read"
        ]


# --- when there is no verdict, nothing reaches the application, and nobody hears that the token is wrong ---


def test_our_server_is_down(name: str, application: Upstream):
    before = application.requests
    with proxying(name, free_port(), application) as proxy:
        for token in (fresh(), fresh(THIEF), None):
            assert proxy.ask(token).status == NO_VERDICT[name][0]
    assert application.requests == before


def test_our_server_does_not_answer(name: str, application: Upstream):
    before = application.requests
    with silence() as port, proxying(name, port, application, PATIENCE[name]) as proxy:
        assert proxy.ask(fresh()).status == NO_VERDICT[name][1]
    assert application.requests == before


def test_the_keys_cannot_be_had(name: str, keyless: Service, application: Upstream):
    before = application.requests
    with proxying(name, keyless.port, application) as proxy:
        for token in (fresh(), fresh(THIEF)):
            assert proxy.ask(token).status == NO_VERDICT[name][2]
    assert (application.requests, keyless.rows()) == (before, [])


# --- Traefik is not run here: this is what it sends, by its documentation ---


def test_a_request_as_traefik_makes_it(service: Service):
    sent = [
        ("X-Forwarded-Method", "POST"),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Host", "mail.example"),
        ("X-Forwarded-Uri", "/inbox/7?unread=1"),
        ("X-Forwarded-For", "192.0.2.1"),
    ]
    token = fresh()
    answer = request(service.port, token, sent, path="/auth/traefik")
    assert answer.status == 200
    assert {name: answer.headers[name] for name in IDENTITY} == IDENTITY
    assert service.row(token).relying_party == "traefik"
    assert request(service.port, fresh(THIEF), sent, path="/auth/traefik").status == 401
