"""A room is founded by its page: whoever has its server names founders, they register keys, and all sign."""

from __future__ import annotations

import json
import re
import stat

import httpx
import pytest

from access.rooms import START, World, screening
from access.web.client import Client, options_of
from immure.access import HardwareKey, Person
from immure.access.web.app import AccessApp
from immure.access.web.guard import SET_UP
from immure.access.web.setting_up import NAME
from servers.asgi import serving

NAMES = ("ada", "grace", "edsger")
RECORD = {
    "attester": "Example Screening Ltd", "level": "enhanced", "reference": "case 4711",
    "screened": "2026-11-01", "expires": "2027-11-01",
}  # fmt: skip


def code_of(world: World) -> str:
    return (world.path / NAME).read_text().strip()


@pytest.fixture
def founder(empty: World) -> Client:
    """Somebody who has shown the set-up code."""
    client = Client(empty)
    assert "Set-up code" in client.get("/").text
    answer = client.post("/set-up", code=code_of(empty))
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    return client


def name(client: Client, one: str, **changes: str) -> httpx.Response:
    given = {"account": f"prd-{one}", "person": f"P-{one}", "roles": "", **RECORD, **changes}
    return client.post("/founder", **given)


def key(client: Client, one: str) -> httpx.Response:
    page = client.post("/do/founding-key", account=f"prd-{one}")
    assert f"prd-{one}: register a hardware key" in page.text, page.text
    return client.register(page, f"prd-{one}")


def found(client: Client, one: str) -> httpx.Response:
    page = client.post("/do/found", account=f"prd-{one}")
    assert "found this room, with these people and keys, under this policy" in page.text, page.text
    return client.sign(page)


def ready(client: Client) -> Client:
    for one in NAMES:
        assert name(client, one).status_code == 200
        for _ in range(2):
            assert key(client, one).status_code == 200
    return client


def test_a_room_is_founded(founder: Client) -> None:
    world = founder.world
    assert "missing: there are 0 founders; a request needs 3 people" in founder.get("/").text
    done = name(founder, "ada", roles="responder on-call")
    assert "prd-ada: founder; register two hardware keys of theirs next" in done.text
    assert world.door.record(Person, "prd-ada").roles == ("responder", "on-call")
    assert "no hardware key yet" in founder.get("/").text
    for one in NAMES[1:]:
        name(founder, one)
    assert "missing: prd-ada has not registered 2 hardware keys" in founder.get("/").text
    for one in NAMES:
        for _ in range(2):
            assert "register founding: founding" in key(founder, one).text
    overview = founder.get("/").text
    assert "nothing is missing: every founder can sign" in overview
    page = founder.post("/do/found", account="prd-ada").text
    assert world.door.policy.sha256 in page
    assert "namespace = &quot;prd-&quot;" in page  # its text, which the words have the digest of
    for one in NAMES:
        assert f"prd-{one} (P-{one}), screened to enhanced" in page
    states = [re.search(r"found founding: (\w+)", found(founder, one).text)[1] for one in NAMES]  # type: ignore[index]
    assert states == ["founding", "founding", "open"]
    assert world.door.open_for_requests
    assert not (world.path / NAME).exists()
    assert len(world.door.records(HardwareKey, state="active")) == 6
    assert world.door.verify() == len(world.door.log)
    assert "Sign in" in founder.get("/").text
    Client(world).sign_in("prd-grace")


def test_the_code(empty: World) -> None:
    """Eighty bits and more, for the server's user only, and of this run only."""
    client = Client(empty)
    client.get("/")
    first = code_of(empty)
    assert re.fullmatch(r"[a-z2-7]{24}", first)
    assert stat.S_IMODE((empty.path / NAME).stat().st_mode) == 0o600
    client.get("/")
    assert code_of(empty) == first
    with serving(AccessApp(empty.door)):
        assert code_of(empty) != first


def test_the_journal_says_where_the_code_is(empty: World) -> None:
    told: list[tuple[str, dict[str, str]]] = []
    with serving(AccessApp(empty.door, told=lambda event, **facts: told.append((event, facts)))):
        code = code_of(empty)
    assert not (empty.path / NAME).exists()  # the server has stopped
    assert told == [("set-up", {"path": str(empty.path / NAME)})]
    assert code not in json.dumps(told)


def test_a_code_that_a_crash_has_left_is_taken_away(world: World) -> None:
    (world.path / NAME).write_text("left\n")
    with serving(AccessApp(world.door)):
        assert not (world.path / NAME).exists()


CODES = {
    "empty": lambda _: "",
    "another": lambda _: "a" * 24,
    "half of it": lambda code: code[:12],
    "longer": lambda code: f"{code}a",
    "no ASCII": lambda _: "\u0430" * 24,
}


@pytest.mark.parametrize("case", CODES)
def test_codes_that_are_none(empty: World, case: str) -> None:
    client = Client(empty)
    client.get("/")
    answer = client.post("/set-up", code=CODES[case](code_of(empty)))
    assert answer.status_code == 403
    assert "rule: set-up-code" in answer.text
    assert SET_UP not in client.cookies
    assert "Set-up code" in client.get("/").text
    assert ("refused", {"path": "/set-up", "rule": "set-up-code"}) in client.events


def test_a_code_as_people_type_it(empty: World) -> None:
    client = Client(empty)
    client.get("/")
    code = code_of(empty).upper()
    typed = f" {code[:8]}-{code[8:16]} {code[16:]} "
    assert client.post("/set-up", code=typed).status_code == 303


STEPS = ("/founder", "/do/founding-key", "/do/found")


@pytest.mark.parametrize("path", STEPS)
def test_nothing_without_the_code(empty: World, path: str) -> None:
    client = Client(empty)
    assert client.get(path).headers["location"] == "/"
    answer = client.post(path, account="prd-mallory", person="P-mallory", roles="", **RECORD)
    assert answer.status_code == 403
    assert "rule: set-up-code" in answer.text
    assert not empty.door.records(Person)


@pytest.mark.parametrize("path", STEPS)
def test_the_pass_is_of_one_visit_and_one_server(founder: Client, path: str) -> None:
    stolen = Client(founder.world, app=founder.app)
    stolen.get("/do/sign-in")
    stolen.cookies[SET_UP] = founder.cookies[SET_UP]
    assert stolen.post(path, account="prd-ada").status_code == 403
    founder.app = AccessApp(founder.world.door)
    founder.get("/")
    assert founder.post(path, account="prd-ada").status_code == 403


def test_a_token_of_forms_is_no_pass(empty: World) -> None:
    """Everybody gets a token for forms, and it is made by the same key."""
    client = Client(empty)
    client.cookies[SET_UP] = client.token()
    assert "Set-up code" in client.get("/").text
    assert client.post("/do/found", account="prd-ada").status_code == 403


def test_a_response_without_the_pass(founder: Client) -> None:
    """Whoever has got hold of what a founder's key has signed cannot hand it in."""
    ready(founder)
    page = founder.post("/do/found", account="prd-ada")
    other = Client(founder.world, app=founder.app)
    assert other.sign(page).status_code == 403
    assert founder.sign(page).status_code == 200


FOUNDERS: dict[str, tuple[dict[str, str], int, str]] = {
    "a corporate account": ({"account": "ada@corp.example"}, 403, "rule: namespace"),
    "a mail address as person": ({"person": "ada@corp.example"}, 403, "rule: document"),
    "a level that there is not": ({"level": "top"}, 403, "rule: screening"),
    "a screening that has run out": ({"expires": "2026-11-02"}, 403, "rule: screening"),
    "a screening of tomorrow": ({"screened": "2026-12-01"}, 403, "rule: screening"),
    "no day": ({"screened": "yesterday"}, 400, "is not a time"),
    "an empty day": ({"expires": ""}, 400, "is not a time"),
    "a role that is none": ({"roles": "A B"}, 403, "rule: document"),
}


@pytest.mark.parametrize("case", FOUNDERS)
def test_founders_that_are_none(founder: Client, case: str) -> None:
    changes, status, words = FOUNDERS[case]
    given = {"account": "prd-ada", "person": "P-ada", "roles": "", **RECORD, **changes}
    answer = founder.post("/founder", **given)
    assert answer.status_code == status
    assert words in answer.text
    assert 'value="case 4711"' in answer.text  # what was typed is still there
    assert not founder.world.door.records(Person)


def test_a_founder_twice(founder: Client) -> None:
    name(founder, "ada")
    assert "rule: account" in name(founder, "ada").text
    again = founder.post("/founder", account="prd-ada2", person="P-ada", roles="", **RECORD)
    assert "rule: same-person" in again.text


def test_nothing_is_added_once_somebody_has_signed(founder: Client) -> None:
    ready(founder)
    assert found(founder, "ada").status_code == 200
    assert "has signed" in founder.get("/").text
    assert "rule: founding" in name(founder, "mallory").text
    page = founder.post("/do/founding-key", account="prd-grace")
    answer = founder.register(page, "prd-grace")
    assert answer.status_code == 403
    assert "rule: founding" in answer.text
    assert "rule: approved" in founder.post("/do/found", account="prd-ada").text


def test_who_is_no_founder_signs_nothing(founder: Client) -> None:
    ready(founder)
    assert "rule: account" in founder.post("/do/found", account="prd-mallory").text
    assert "rule: account" in founder.post("/do/founding-key", account="prd-mallory").text


def test_nobody_signs_in_before_it_is_open(founder: Client) -> None:
    ready(founder)
    for other in (founder, Client(founder.world)):
        answer = other.post("/do/sign-in", account="prd-ada")
        assert answer.status_code == 403
        assert "rule: founding" in answer.text or "rule: keys" in answer.text


def test_a_founders_key_by_the_other_form(founder: Client) -> None:
    name(founder, "ada")
    answer = founder.post("/do/register", account="prd-ada", request="founding")
    assert answer.status_code == 403
    assert "rule: founding" in answer.text


def test_the_pass_is_nothing_in_an_open_room(founder: Client) -> None:
    ready(founder)
    for one in NAMES:
        found(founder, one)
    for path in STEPS:
        assert founder.post(path, account="prd-mallory", person="P", roles="", **RECORD).status_code == 403
        assert founder.get(path).headers["location"] == "/"


def test_founders_are_named_by_terminal_too(founder: Client) -> None:
    """One begins in a terminal, the others go on by the page: it is the same room."""
    world = founder.world
    world.founder("prd-ada", "P-ada")
    for one in NAMES[1:]:
        name(founder, one)
        for _ in range(2):
            key(founder, one)
    for one in NAMES:
        found(founder, one)
    assert world.door.open_for_requests
    assert screening(START)["level"] == world.door.record(Person, "prd-ada").level
    assert options_of(Client(world).post("/do/sign-in", account="prd-ada"))["rpId"] == "access.prod.example"
