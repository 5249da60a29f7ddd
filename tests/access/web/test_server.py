"""The page's server without a browser: forms from elsewhere, cookies, sizes, what anybody can write."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from access.authenticator import Authority, der, name
from access.rooms import World
from access.web.client import ASK, HEADER, ORIGIN, TOOLS, Client
from immure.access import Grant
from immure.access.records import Session, Workstation
from immure.access.texts import encode
from immure.access.web import wire
from immure.access.web.guard import LOOK, VISIT
from immure.access.web.pages import shown
from immure.access.web.tools import SESSION, parse_tools
from immure.errors import UsageError


@pytest.fixture
def client(world: World) -> Client:
    return Client(world)


def test_signing_in(client: Client) -> None:
    assert "Sign in" in client.get("/").text
    client.sign_in()
    page = client.get("/")
    assert "prd-ada" in page.text
    assert "Nothing." in page.text
    assert client.post("/sign-out").status_code == 303
    assert "Sign in" in client.get("/").text
    [session] = client.world.door.records(Session)
    assert session.state == "ended"


def test_cookies_and_fields(client: Client) -> None:
    lines = client.get("/").headers.get_list("set-cookie")
    answer = client.sign(client.post("/do/sign-in", account="prd-ada"))
    lines += answer.headers.get_list("set-cookie")
    assert {line.partition("=")[0] for line in lines} == {VISIT, LOOK}
    for line in lines:
        assert line.partition("; ")[2] == "Path=/; Secure; HttpOnly; SameSite=Strict"
    for path in ("/", "/do/request", "/nothing", "/assets/room.js", "/assets/room.css"):
        fields = client.get(path).headers
        assert fields["content-security-policy"].startswith("default-src 'none'; script-src 'self'; ")
        assert "unsafe" not in fields["content-security-policy"]
        assert fields["x-content-type-options"] == "nosniff"
        assert fields["cache-control"] == "no-store"


def test_a_response_to_what_somebody_else_has_begun(world: World) -> None:
    """Grace has Ada's page, and Ada's response: the session must be that of who signs."""
    ada, grace = Client(world).sign_in("prd-ada"), Client(world).sign_in("prd-grace")
    page = ada.post("/do/request", **ASK)
    answer = grace.sign(page)
    assert answer.status_code == 403
    assert "rule: account" in answer.text
    assert ada.sign(page).status_code == 200


def test_a_response_is_good_once(client: Client) -> None:
    client.sign_in()
    page = client.post("/do/request", **ASK)
    assert client.sign(page).status_code == 200
    again = client.sign(page)
    assert again.status_code == 403
    assert "rule: challenge" in again.text


@pytest.mark.parametrize("response", ["", "{}", "null", "[" * 5000, '{"id":"' + "x" * 9000 + '"}'])
def test_responses_that_are_none(client: Client, response: str) -> None:
    client.sign_in()
    answer = client.post("/complete", response=response)
    assert answer.status_code in (400, 403)
    assert "Not done" in answer.text


def test_a_person_is_enrolled(world: World) -> None:

    ada = Client(world).sign_in()
    page = ada.post(
        "/do/enrol", account="prd-alan", person="P-alan", roles="", attester="Example Screening Ltd",
        level="enhanced", screened="2026-11-01", expires="2027-11-01", reference="case 81",
    )  # fmt: skip
    done = ada.sign(page).text
    found = re.search(r"request ([a-z2-7]{16}): keys", done)
    assert found, done
    assert "register one" in ada.get("/").text
    guest = Client(world)
    for _ in range(2):
        page = guest.post("/do/register", account="prd-alan", request=found[1])
        answer = guest.register(page, "prd-alan")
        assert answer.status_code == 200, answer.text
    for account in ("prd-grace", "prd-edsger"):
        approver = Client(world).sign_in(account)
        page = approver.post("/do/approve", request=found[1])
        assert "hardware key: Example Key 5" in page.text
        assert approver.sign(page).status_code == 200
    Client(world).sign_in("prd-alan")


def test_another_policy_is_shown_whole(world: World) -> None:
    request = world.sign(world.door.request_policy("prd-ada", world.text + "\n# <b>more</b> of it\n")).id
    page = Client(world).sign_in("prd-grace").post("/do/approve", request=request)
    assert "# &lt;b&gt;more&lt;/b&gt; of it" in page.text


def test_words_are_shown_as_they_are(client: Client) -> None:
    client.sign_in()
    page = client.post("/do/request", **{**ASK, "purpose": "<script>alert(1)</script> \u202egnp.exe\u0007"})
    assert "<script>alert" not in page.text
    assert "&lt;script&gt;" in page.text
    assert "\\u{202e}gnp.exe\\u{7}" in page.text


@given(st.text(max_size=50))
def test_any_text_is_shown_safely(text: str) -> None:
    made = shown(text)
    assert not set(made) & set("<>\"'")
    assert all(one.isprintable() or one == "\n" for one in made)


def test_a_door_that_cannot_be_asked(client: Client) -> None:
    """A clock that was put back: nothing is shown, and nothing let in."""
    client.sign_in()
    client.world.clock.pass_(hours=-5)
    answer = client.get("/")
    assert answer.status_code == 503
    client.cookies[SESSION] = client.cookies[LOOK]
    assert client.get("/auth?resource=room:debug").status_code == 503
    assert [event for event, _ in client.events if event == "broken"] == ["broken", "broken"]


def test_many_at_once(world: World) -> None:
    """Each request has a thread; the door is one."""
    clients = [Client(world).sign_in(account) for account in ("prd-ada", "prd-grace", "prd-edsger")]

    async def ask(client: Client) -> int:
        answer = await client.exchange("GET", "/")
        data = {**ASK, "token": re.search(r'name="token" value="([^"]+)"', answer.text)[1]}  # type: ignore[index]
        begun = await client.exchange("POST", "/do/request", data=data, headers={"origin": ORIGIN})
        return begun.status_code

    async def all_of_them() -> list[int]:
        return list(await asyncio.gather(*(ask(client) for client in clients for _ in range(8))))

    assert asyncio.run(all_of_them()) == [200] * 24


# --- workstations, tools ---


def workstation() -> tuple[bytes, str]:
    """The certificate of a workstation, and the value of a field for it (RFC 9440)."""
    import base64

    root = Authority.root("Workstations")
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = der(root.leaf(name("laptop 17"), key.public_key(), client=True))
    return certificate, f":{base64.b64encode(certificate).decode()}:"


@pytest.fixture
def inside(world: World) -> tuple[Client, str, bytes]:
    """Ada, with a grant, at her workstation; the grant."""
    certificate, field = workstation()
    request = world.sign(
        world.door.request_workstation("prd-ada", holder="prd-ada", certificate=certificate)
    ).id
    for account in ("prd-grace", "prd-edsger"):
        world.approve(request, account)
    grant = world.granted()
    client = Client(world, header=HEADER, tools=TOOLS)
    client.fields["client-cert"] = field
    client.sign_in()
    return client, grant, certificate


def entered(client: Client, grant: str) -> Client:
    """Go in: the session comes to the tool's host."""
    done = client.sign(client.post("/do/enter", grant=grant))
    found = re.search(r'href="https://debug.prod.example([^"]+)"', done.text)
    assert found, done.text
    answer = client.get(found[1], base=TOOLS["room:debug"])
    assert answer.headers["set-cookie"].endswith("; Path=/; Secure; HttpOnly; SameSite=Lax")
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    client.link = found[1]
    return client


def test_a_session_comes_to_the_tool(inside: tuple[Client, str, bytes]) -> None:
    client, grant, certificate = inside
    assert client.get("/auth?resource=room:debug").status_code == 401
    entered(client, grant)
    [session] = [one for one in client.world.door.records(Session) if one.grant]
    assert session.workstation == hashlib.sha256(certificate).hexdigest()
    answer = client.get("/auth?resource=room:debug&action=enter")
    assert answer.status_code == 204
    assert (answer.headers["x-room-account"], answer.headers["x-room-grant"]) == ("prd-ada", grant)
    assert "access.used" in [entry.kind for entry in client.world.door.log.entries()]
    again = client.get(client.link, base=TOOLS["room:debug"])
    assert again.status_code == 403  # a link is good once


def _other_workstation(client: Client) -> None:
    client.fields["client-cert"] = workstation()[1]


def _no_certificate(client: Client) -> None:
    del client.fields["client-cert"]


def _not_from_here(client: Client) -> None:
    client.peer = "10.1.2.3"


def _revoked(client: Client) -> None:
    [grant] = client.world.door.records(Grant)
    client.world.sign(client.world.door.begin_revocation("prd-grace", grant.id, "left the building"))


def _ended(client: Client) -> None:
    client.world.clock.pass_(hours=3)


def _another_cookie(client: Client) -> None:
    client.cookies[SESSION] = encode(b"x" * 32)


def _look_cookie(client: Client) -> None:
    client.cookies[SESSION] = client.cookies[LOOK]


def _two_cookies(client: Client) -> None:
    client.cookies["a"] = f"b; {SESSION}={client.cookies[SESSION]}"


def _workstation_retired(client: Client) -> None:
    [known] = client.world.door.records(Workstation)
    client.world.sign(client.world.door.begin_suspension("prd-grace", known.account, "laptop was lost"))


OUTSIDE: dict[str, tuple[Callable[[Client], None], str, int]] = {
    "another workstation": (_other_workstation, "resource=room:debug", 401),
    "no certificate": (_no_certificate, "resource=room:debug", 401),
    "a field that a client has written": (_not_from_here, "resource=room:debug", 401),
    "a revoked grant": (_revoked, "resource=room:debug", 401),
    "a grant that has ended": (_ended, "resource=room:debug", 401),
    "a cookie that was made up": (_another_cookie, "resource=room:debug", 401),
    "a session to look": (_look_cookie, "resource=room:debug", 401),
    "two cookies": (_two_cookies, "resource=room:debug", 401),
    "a suspended person": (_workstation_retired, "resource=room:debug", 401),
    "another room": (lambda _: None, "resource=room:mail", 403),
    "another action": (lambda _: None, "resource=room:debug&action=release", 403),
    "no resource": (lambda _: None, "", 403),
}


@pytest.mark.parametrize("case", OUTSIDE)
def test_a_tool_stays_shut(inside: tuple[Client, str, bytes], case: str) -> None:
    client = entered(*inside[:2])
    assert client.get("/auth?resource=room:debug").status_code == 204
    change, query, status = OUTSIDE[case]
    change(client)
    assert client.get(f"/auth?{query}").status_code == status


def test_two_certificates_are_none(inside: tuple[Client, str, bytes]) -> None:
    client = inside[0]
    fields = [("client-cert", client.fields.pop("client-cert")), ("client-cert", workstation()[1])]
    scope_fields = [(key.encode(), value.encode()) for key, value in fields]
    request = wire.Request("GET", "/auth", {}, {}, {b"client-cert": tuple(v for _, v in scope_fields)}, "")
    with pytest.raises(wire.WireError, match="twice"):
        client.app._present.workstation(request)


def test_a_link_for_another_host(inside: tuple[Client, str, bytes]) -> None:
    client, grant, _ = inside
    done = client.sign(client.post("/do/enter", grant=grant))
    found = re.search(r'href="https://debug.prod.example([^"]+)"', done.text)
    assert found
    assert client.get(found[1], base="https://other.prod.example").status_code == 403


def test_nobody_goes_in_without_a_workstation(world: World) -> None:
    grant = world.granted()
    answer = Client(world).sign_in().post("/do/enter", grant=grant)
    assert answer.status_code == 403
    assert "rule: workstation" in answer.text


TOOL_LINES = {
    "debug=https://debug.prod.example": "KIND:NAME",
    "dump:1=https://debug.prod.example": "room:NAME=https",
    "room:debug=http://debug.prod.example": "room:NAME=https",
    "room:debug=https://debug.prod.example/": "room:NAME=https",
    "room:debug": "room:NAME=https",
    "room:debug=https://access.prod.example": "page's own host",
    "room:debug=https://access.prod.example:8443": "page's own host",
}


@pytest.mark.parametrize("line", TOOL_LINES)
def test_tools_that_are_none(line: str) -> None:
    with pytest.raises(UsageError, match=TOOL_LINES[line]):
        parse_tools((line,), (ORIGIN,))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary(max_size=200), st.sampled_from(["/do/sign-in", "/complete", "/sign-out", "/do/x"]))
def test_any_body(client: Client, body: bytes, path: str) -> None:
    fields = {"origin": ORIGIN, "content-type": "application/x-www-form-urlencoded"}
    answer = client.send("POST", path, content=body, headers=fields)
    assert 400 <= answer.status_code < 500
