"""Django REST framework behind a real server: the whole table, and what its own rules add."""

from __future__ import annotations

import hashlib

from integrations.django_site import application, door  # the framework wants settings when it is imported

# isort: split
import httpx
import pytest
from django.urls import path
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.permissions import AllowAny, BasePermission, IsAuthenticated
from rest_framework.response import Response
from rest_framework.throttling import UserRateThrottle
from rest_framework.views import APIView

from immure.errors import UsageError
from immure.integrations.django import protect
from immure.integrations.drf import BearerAuthentication, TokenUser, claims, has_scopes, scopes
from immure.keymaterial.key import b64url
from immure.tokens.claims import Claims
from integrations.doors import CASES, GOOD, HOLDER, bearer, bound, check_answer, down_guard, guard, proof
from integrations.serving import asgi_server
from integrations.wsgi import ask, werkzeug_server
from tokens.minting import Mint

OURS = "immure.integrations.django.Protect"


class Mail(BearerAuthentication):
    guard = guard()


class Down(BearerAuthentication):
    guard = down_guard()


class Optional(BearerAuthentication):
    optional = True


class Named(BaseAuthentication):
    """Another way to authenticate."""

    def authenticate(self, request):
        name = request.headers.get("X-Name")
        return None if name is None else (name, None)


class Me(APIView):
    authentication_classes = (Mail,)
    permission_classes = ()

    def get(self, request):
        who = claims(request)
        assert request.auth is who
        assert request.user.claims is who
        return Response({"subject": request.user.get_username(), "scopes": sorted(scopes(request))})


class Send(Me):
    authentication_classes = (Mail,)
    permission_classes = (has_scopes("mail.send"),)


class Open(APIView):
    authentication_classes = ()
    permission_classes = ()

    def get(self, request):
        return Response({"user": str(request.user)})


def view(name="Made", of=Open, **changes):
    return type(name, (of,), changes).as_view()


def site():
    return [
        path("open", Open.as_view()),
        path("me", Me.as_view()),
        path("send", Send.as_view()),
        path("down", view(of=Me, authentication_classes=(Down,))),
    ]


@pytest.fixture(scope="module", params=["wsgi", "asgi"])
def address(request):
    made = application(site(), waits=request.param == "asgi")
    with (asgi_server if request.param == "asgi" else werkzeug_server)(made) as found:
        yield found


#: The framework asks for the token first, and for the scope of a view then; so a challenge that is sent to
#: somebody without a token does not name the scope.
ROWS = [row for row in CASES if row.id != "no-header-for-a-scope"]


@pytest.mark.parametrize("case", ROWS)
def test_every_row(case, address):
    check_answer(case, *ask(address, case))


def test_a_view_knows_whose_token_it_is(address):
    answer = httpx.get(address + "/me", headers=bearer(Mint().token(scope="mail.read mail.send")))
    assert answer.json() == {"subject": "mailbox-7", "scopes": ["mail.read", "mail.send"]}
    assert "Cache-Control" not in answer.headers


def get(view, headers, middleware=()):
    with werkzeug_server(application([path("me", view)], middleware=middleware)) as address:
        return httpx.get(address + "/me", headers=headers)


@pytest.mark.parametrize("others", [(), (SessionAuthentication,), (Named,)], ids=str)
def test_a_view_whose_permissions_were_forgotten_is_not_open(others):
    made = view(authentication_classes=(*others, BearerAuthentication), permission_classes=(AllowAny,))
    answer = get(made, {})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith('Bearer realm="mail"')
    assert get(made, bearer(GOOD)).status_code == 200


def test_other_classes_have_their_turn():
    made = view(authentication_classes=(Named, BearerAuthentication))
    assert get(made, {"X-Name": "ada"}).json() == {"user": "ada"}
    assert get(made, bearer(GOOD)).json() == {"user": "mailbox-7"}


@pytest.mark.parametrize(
    ("permission", "headers", "status"),
    [
        (AllowAny, [], 200),
        (IsAuthenticated, [], 401),
        (IsAuthenticated, bearer(GOOD), 200),
        (AllowAny, bearer("garbage"), 401),
        (AllowAny, bearer(GOOD) * 2, 400),
        (has_scopes("mail.read"), [], 401),
        (has_scopes("mail.read"), bearer(GOOD), 200),
        (has_scopes("mail.send"), bearer(GOOD), 403),
    ],
)
def test_a_token_may_be_optional_but_not_bad(permission, headers, status):
    answer = get(view(authentication_classes=(Optional,), permission_classes=(permission,)), headers)
    assert answer.status_code == status
    assert ("WWW-Authenticate" in answer.headers) == (status != 200)


class Nobody(BasePermission):
    def has_permission(self, request, view):
        return False


@pytest.mark.parametrize(
    ("permission", "status"),
    [
        (AllowAny | has_scopes("mail.send"), 200),
        (Nobody | has_scopes("mail.read"), 200),
        (Nobody | has_scopes("mail.send"), 403),
        (AllowAny & has_scopes("mail.send"), 403),
        (AllowAny & has_scopes("mail.read"), 200),
        (has_scopes("mail.send") | AllowAny, 403),
        (has_scopes("mail.send", "mail.read"), 403),
        (has_scopes(), 200),
    ],
)
def test_permissions_compose(permission, status):
    made = view(authentication_classes=(BearerAuthentication,), permission_classes=(permission,))
    assert get(made, bearer(GOOD)).status_code == status


def test_a_scope_of_nobodys_token():
    made = view(authentication_classes=(Named,), permission_classes=(has_scopes("mail.read"),))
    assert get(made, {"X-Name": "ada"}).status_code == 403


def test_scopes_of_the_class():
    class Scoped(BearerAuthentication):
        scopes = ("mail.send",)

    answer = get(view(authentication_classes=(Scoped,)), {})
    assert 'scope="mail.send"' in answer.headers["WWW-Authenticate"]
    assert get(view(authentication_classes=(Scoped,)), bearer(GOOD)).status_code == 403


def test_behind_the_middleware_a_token_is_looked_at_once():
    made = view(of=Me, authentication_classes=(BearerAuthentication,))
    token = Mint().token(cnf={"jkt": HOLDER}, scope="mail.read")
    assert get(protect(door)(made), bound(proof(token), token=token), (OURS,)).status_code == 200
    assert get(made, bearer(GOOD) * 2, (OURS,)).status_code == 400


def test_a_site_finds_its_own_user():
    class Ours(BearerAuthentication):
        def user(self, claims):
            return f"number 7, called {claims.subject}"

    answer = get(view(authentication_classes=(Ours,)), bearer(GOOD))
    assert answer.json() == {"user": "number 7, called mailbox-7"}


def test_users_who_differ_in_anything_are_two():
    def user(tenant="t", **changes):
        told = {"iss": "https://login.example", "sub": "ada", "azp": "mail"} | changes
        return TokenUser(Claims(told, None, None, "enterprise", tenant)).pk

    others = [
        user("u"),
        user(iss="https://other.example"),
        user(sub="bob"),
        user(azp="x"),
        user(client_id="y"),
    ]
    assert len({user(), *others}) == 6
    assert user() == user(exp=7)


def test_a_throttle_counts_by_user():
    class Twice(UserRateThrottle):
        rate = "2/hour"

    made = view(authentication_classes=(BearerAuthentication,), throttle_classes=(Twice,))
    with werkzeug_server(application([path("me", made)])) as address:
        for subject, expected in (("one", [200, 200, 429]), ("two", [200])):
            headers = bearer(Mint().token(sub=subject))
            assert [httpx.get(address + "/me", headers=headers).status_code for _ in expected] == expected


def test_a_certificate_from_elsewhere():
    class Proxied(BearerAuthentication):
        def certificate(self, request):
            return request.headers["X-Test-Certificate"].encode()

    token = Mint().token(cnf={"x5t#S256": b64url(hashlib.sha256(b"passed on").digest())})
    for shown, status in (("passed on", 200), ("another", 401)):
        headers = [*bearer(token), ("X-Test-Certificate", shown)]
        assert get(view(authentication_classes=(Proxied,)), headers).status_code == status


def test_what_are_no_scopes():
    with pytest.raises(UsageError):
        has_scopes("a b")
