"""Who sees what: signing in, roles, tenants; and what every answer has."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest

from immure.access.web.wire import MOST_BODY
from immure.console.pages import PAGES
from immure.console.roles import Role
from immure.console.sessions import COOKIE

from .world import NOW, ORIGIN, PEOPLE, ConsoleWorld, Visitor

SignedIn = Callable[[str], Visitor]
#: Addresses of pages, and the role that it takes to look; REL stands for a dump of acme.
LOOKING = {
    "/dumps": Role.VIEWER,
    "/dumps/REL": Role.VIEWER,
    "/keys": Role.VIEWER,
    "/keys/KEY": Role.VIEWER,
    "/people": Role.ADMIN,
}
PERSONS = {Role.ADMIN: "prd-ada", Role.RESPONDER: "prd-grace", Role.VIEWER: "prd-edsger", None: "prd-barbara"}


def address(world: ConsoleWorld, path: str, tenant: str = "acme") -> str:
    own = getattr(world, tenant)
    name = world.acme.released[2].name
    key = own.registry.records()[0].thumbprint
    return f"/t/{tenant}{path}".replace("REL", name).replace("KEY", key)


# --- roles and tenants ---


@pytest.mark.parametrize("role", PERSONS)
@pytest.mark.parametrize("path", LOOKING)
def test_looking(console_world: ConsoleWorld, signed_in: SignedIn, path: str, role: Role | None) -> None:
    answer = signed_in(PERSONS[role]).get(address(console_world, path))
    expected = 404 if role is None else 200 if role >= LOOKING[path] else 403
    assert answer.status_code == expected, answer.text[:500]


def test_nobody_sees_anything(console_world: ConsoleWorld, nobody: Visitor) -> None:
    for path in (*LOOKING, ""):
        answer = nobody.get(address(console_world, path))
        assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
    assert nobody.get("/").headers["location"] == "/sign-in"
    assert nobody.get("/t/acme/events").status_code == 401


@pytest.mark.parametrize("path", ["", "/dumps", "/keys", "/events", "/tokens", "/logs", "/dumps/x", "/no"])
def test_another_tenant_is_not_there(console_world: ConsoleWorld, signed_in: SignedIn, path: str) -> None:
    """What one is told is the same as of a tenant that nobody has."""
    ada = signed_in("prd-ada")
    there = ada.get(f"/t/globex{path}")
    nowhere = ada.get(f"/t/nobody{path}")
    assert (there.status_code, nowhere.status_code) == (404, 404)
    assert there.text == nowhere.text
    assert "Globex" not in there.text


def test_things_of_another_tenant_are_not_there(console_world: ConsoleWorld, signed_in: SignedIn) -> None:
    """A person of both sees each in its place; a dump and a key of one are not found by way of the other."""
    edsger = signed_in("prd-edsger")
    [globex] = [path.stem for path in (console_world.globex.top / "records").iterdir()]
    assert edsger.get(f"/t/globex/dumps/{globex}").status_code == 200
    assert edsger.get(f"/t/acme/dumps/{globex}").status_code == 404
    assert globex not in edsger.get("/t/acme/dumps").text
    assert edsger.get(address(console_world, "/dumps/REL", "globex")).status_code == 404


def test_a_page_that_a_tenant_does_not_have(signed_in: SignedIn) -> None:
    assert signed_in("prd-ada").get("/t/acme/logs").status_code == 404
    assert ">Logs</a>" not in signed_in("prd-ada").get("/t/acme/dumps").text


def test_home(signed_in: SignedIn) -> None:
    assert signed_in("prd-ada").get("/").headers["location"] == "/t/acme"
    assert signed_in("prd-ada").get("/t/acme").headers["location"] == "/t/acme/dumps"
    page = signed_in("prd-edsger").get("/")
    assert page.status_code == 200
    assert re.findall(r'<li class="card"><a href="([^"]+)">', page.text) == ["/t/acme", "/t/globex"]


def test_every_page_has_its_parts() -> None:
    for page in PAGES:
        assert isinstance(page.role, Role)
        assert page.routes[0].path == f"/{page.name}"
        assert all(one.path.startswith(f"/{page.name}") for one in page.routes)


# --- signing in ---


def test_signing_in_and_out(console_world: ConsoleWorld, nobody: Visitor) -> None:
    console_world.told.clear()
    nobody.sign_in("prd-ada")
    assert [event for event, _ in console_world.told if event == "signed-in"]
    assert nobody.get("/t/acme/dumps").status_code == 200
    assert nobody.get("/sign-in").headers["location"] == "/"
    kept = dict(nobody.cookies)
    gone = nobody.post("/sign-out", {"token": nobody.token("/t/acme/dumps")})
    assert gone.headers["location"] == "/sign-in"
    nobody.cookies = kept
    assert nobody.get("/t/acme/dumps").headers["location"] == "/sign-in"


def test_signing_in_is_an_entry_of_the_rooms_log(console_world: ConsoleWorld, nobody: Visitor) -> None:
    before = len(console_world.room.door.log)
    nobody.sign_in("prd-grace")
    [entry] = list(console_world.room.door.log.entries())[before:]
    assert entry.kind == "access.sign-in"


def test_cookies(console_world: ConsoleWorld, nobody: Visitor) -> None:
    lines = nobody.get("/sign-in").headers.get_list("set-cookie")
    visitor = nobody.sign_in("prd-ada")
    assert COOKIE in visitor.cookies
    answer = visitor.post("/sign-out", {"token": visitor.token("/t/acme/dumps")})
    for line in (*lines, *answer.headers.get_list("set-cookie")):
        assert line.startswith("__Host-")
        assert {"Secure", "HttpOnly", "SameSite=Strict", "Path=/"} <= set(line.split("; "))


REFUSED = {
    "nobody of that name": ("prd-nobody", 403, "prd-nobody"),
    "no name": ("", 403, ""),
    "markup": ("<script>alert(1)</script>", 403, ""),
}


@pytest.mark.parametrize("case", REFUSED)
def test_who_does_not_get_in(nobody: Visitor, case: str) -> None:
    account, status, words = REFUSED[case]
    answer = nobody.post("/sign-in/key", {"token": nobody.token(), "account": account})
    assert answer.status_code == status
    assert words in answer.text
    assert "<script>alert" not in answer.text
    assert COOKIE not in nobody.cookies


def test_a_response_that_does_not_hold(nobody: Visitor) -> None:
    for response in ("", "{}", "[]", "x" * 1000):
        answer = nobody.post("/sign-in/complete", {"token": nobody.token(), "response": response})
        assert answer.status_code in (400, 403), response
        assert COOKIE not in nobody.cookies


def test_a_person_of_one_tenant_sees_that_one(nobody: Visitor) -> None:
    nobody.sign_in("prd-barbara")
    assert nobody.get("/").headers["location"] == "/t/globex"
    assert nobody.get("/t/acme/dumps").status_code == 404


def test_a_suspended_person_is_out(console_world: ConsoleWorld, nobody: Visitor) -> None:
    """The console asks the room again, every few seconds."""
    room = console_world.room
    nobody.sign_in("prd-alan")
    assert nobody.get("/t/globex/dumps").status_code == 200
    ceremony = room.door.begin_suspension("prd-ada", "prd-alan", "away")
    key = console_world.key("prd-ada")
    key.origin = "https://access.prod.example"
    room.door.complete(key.get(ceremony.options))
    room.clock.pass_(seconds=6)
    assert nobody.get("/t/globex/dumps").headers["location"] == "/sign-in"


def test_a_session_ends(console_world: ConsoleWorld, nobody: Visitor) -> None:
    nobody.sign_in("prd-ada")
    console_world.room.clock.at += timedelta(minutes=31)
    assert nobody.get("/t/acme/dumps").headers["location"] == "/sign-in"


@pytest.mark.parametrize("fields", [{}, {"immure-news": "1"}])
def test_news_keep_no_session_alive(
    console_world: ConsoleWorld, nobody: Visitor, fields: dict[str, str]
) -> None:
    nobody.sign_in("prd-ada")
    for _ in range(2):
        console_world.room.clock.at += timedelta(minutes=20)
        last = nobody.get("/t/acme/keys", headers=fields)
    assert last.status_code == (303 if fields else 200)


# --- forms ---

FOREIGN = {
    "another origin": {"origin": "https://evil.example"},
    "the room's page": {"origin": "https://access.prod.example"},
    "no origin": {"origin": "null"},
    "another site": {"sec-fetch-site": "cross-site"},
    "the same site": {"sec-fetch-site": "same-site"},
}


@pytest.mark.parametrize("case", FOREIGN)
def test_a_form_of_somebody_else(nobody: Visitor, case: str) -> None:
    visitor = nobody.sign_in("prd-ada")
    token = visitor.token("/t/acme/dumps")
    assert visitor.post("/sign-out", {"token": token}, headers=FOREIGN[case]).status_code == 403
    assert visitor.get("/t/acme/dumps").status_code == 200


@pytest.mark.parametrize("token", ["", "A" * 43, "x"])
def test_a_form_without_its_token(nobody: Visitor, token: str) -> None:
    visitor = nobody.sign_in("prd-ada")
    assert visitor.post("/sign-out", {"token": token}).status_code == 403


def test_a_token_of_another_visit(console_world: ConsoleWorld, nobody: Visitor, signed_in: SignedIn) -> None:
    other = signed_in("prd-grace").token("/t/acme/dumps")
    visitor = nobody.sign_in("prd-ada")
    assert visitor.post("/sign-out", {"token": other}).status_code == 403


def test_a_form_that_is_none(nobody: Visitor) -> None:
    answer = nobody._client.post("/sign-out", json={"a": 1}, headers={"origin": ORIGIN})
    assert answer.status_code == 415
    long = nobody.post("/sign-in/key", {"account": "x" * (MOST_BODY + 1)})
    assert long.status_code == 413


# --- people ---


def test_who_is_signed_in(signed_in: SignedIn, nobody: Visitor) -> None:
    nobody.sign_in("prd-barbara")  # of another tenant
    page = signed_in("prd-ada").get("/t/acme/people").text
    assert "prd-edsger" in page
    assert "prd-barbara" not in page
    assert 'aria-label="End the sessions of prd-ada"' in page
    assert ">People</a>" not in signed_in("prd-grace").get("/t/acme/dumps").text


def test_sessions_are_ended(console_world: ConsoleWorld, signed_in: SignedIn, nobody: Visitor) -> None:
    nobody.sign_in("prd-grace")
    ada = signed_in("prd-ada")
    done = ada.post("/t/acme/people/end", {"token": ada.token("/t/acme/people"), "person": "prd-grace"})
    assert done.headers["location"] == "/t/acme/people"
    facts = dict(console_world.told)["sessions-ended"]
    assert (facts["person"], facts["by"], facts["tenant"]) == ("prd-grace", "prd-ada", "acme")
    assert nobody.get("/t/acme/dumps").headers["location"] == "/sign-in"
    assert ada.get("/t/acme/people").status_code == 200


DEEDS = {"prd-grace": 403, "prd-edsger": 403, "prd-barbara": 404}


@pytest.mark.parametrize("account", DEEDS)
def test_who_may_not_end_sessions(signed_in: SignedIn, account: str) -> None:
    visitor = signed_in(account)
    token = visitor.token("/t/globex/dumps" if account == "prd-barbara" else "/t/acme/dumps")
    answer = visitor.post("/t/acme/people/end", {"token": token, "person": "prd-ada"})
    assert answer.status_code == DEEDS[account]


def test_a_person_of_another_tenant_stays(signed_in: SignedIn) -> None:
    ada, barbara = signed_in("prd-ada"), signed_in("prd-barbara")
    token = ada.token("/t/acme/people")
    assert ada.post("/t/acme/people/end", {"token": token, "person": "prd-barbara"}).status_code == 404
    assert barbara.get("/t/globex/dumps").status_code == 200


# --- every answer ---

ANSWERS = {
    "page": ("/t/acme/dumps", 200),
    "sign-in": ("/sign-in", 303),
    "nowhere": ("/nothing", 404),
    "style": ("/static/console.css", 200),
    "no file": ("/static/none.css", 404),
    "no such file": ("/static/..%2fapp.py", 404),
    "health": ("/healthz", 204),
    "wrong query": ("/t/acme/dumps?page=1&page=2", 400),
}


@pytest.mark.parametrize("case", ANSWERS)
def test_headers(signed_in: SignedIn, case: str) -> None:
    path, status = ANSWERS[case]
    answer = signed_in("prd-ada").get(path)
    assert answer.status_code == status
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "same-origin"
    assert "max-age" in answer.headers["strict-transport-security"]
    kept = "no-store" if case in ("page", "nowhere", "sign-in") else ""
    assert answer.headers["cache-control"].startswith(kept)


def test_nothing_is_inline_and_nothing_comes_from_elsewhere(signed_in: SignedIn) -> None:
    for path in ("/t/acme/dumps", "/t/acme/keys"):
        page = signed_in("prd-ada").get(path).text
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:|<script(?! src=\"/static/)", page)
        assert not re.search(r'(?:src|href|action)="(?!/|#|\?)', page)


def test_an_asset_is_kept_only_by_its_digest(signed_in: SignedIn) -> None:
    page = signed_in("prd-ada").get("/t/acme/dumps").text
    [link] = re.findall(r'href="(/static/console\.css\?[0-9a-f]{16})"', page)
    assert "immutable" in signed_in("prd-ada").get(link).headers["cache-control"]
    assert signed_in("prd-ada").get(link + "0").headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("host", ["evil.example", "", "console.access.prod.example.evil.example"])
def test_another_host_name(nobody: Visitor, host: str) -> None:
    """By DNS rebinding a stranger's page would be of the same origin."""
    assert nobody.get("/sign-in", headers={"host": host}).status_code == 421


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_other_methods(signed_in: SignedIn, method: str) -> None:
    answer = signed_in("prd-ada")._send(method, "/t/acme/dumps", headers={"origin": ORIGIN})
    assert answer.status_code in (403, 405)


HOSTILE = ["-1", "0", "99999999999999999999", "1e9", "%00", "%FF", "١", "<script>", "'; DROP TABLE dumps; --"]


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("name", ["page", "q", "state", "issuer", "audience"])
@pytest.mark.parametrize("path", ["/t/acme/dumps", "/t/acme/keys"])
def test_hostile_queries(signed_in: SignedIn, path: str, name: str, value: str) -> None:
    answer = signed_in("prd-ada").get(f"{path}?{name}={value}")
    assert answer.status_code in (200, 400)
    assert "<script>" not in answer.text.replace("<script src=", "")


def test_what_was_not_foreseen(
    console_world: ConsoleWorld, signed_in: SignedIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page says nothing of it; the journal names its kind."""
    visitor = signed_in("prd-ada")

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("swordfish")

    monkeypatch.setattr("immure.console.pages.dumps.source.dump_list", broken)
    visitor._client._transport.raise_server_exceptions = False
    console_world.told.clear()
    answer = visitor.get("/t/acme/dumps")
    assert answer.status_code == 500
    assert "swordfish" not in answer.text
    assert "content-security-policy" in answer.headers
    assert ("failed", {"path": "/t/acme/dumps", "kind": "RuntimeError"}) in console_world.told


def test_people_of_the_tests() -> None:
    assert {role for roles in PEOPLE.values() for role in roles} >= {"viewer", "responder", "admin", None}
    assert NOW.tzinfo is not None
