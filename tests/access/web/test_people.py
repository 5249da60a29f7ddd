"""People, their screening, keys and workstations, by the page: who is there, and every deed to its end."""

from __future__ import annotations

import re

import pytest

from access.rooms import World
from access.web.client import HEADER, TOOLS, Client
from access.web.machines import certificate, digest, field_of, pem
from immure.access import Grant, HardwareKey, Person, Workstation
from immure.access.records import Session

RECORD = {
    "attester": "Example Screening Ltd", "level": "enhanced", "reference": "case 80",
    "screened": "2026-11-29", "expires": "2028-11-29",
}  # fmt: skip


def asked(client: Client, deed: str, **values: str) -> str:
    """Ask for something by the page; the id of the request."""
    done = client.sign(client.post(f"/do/{deed}", **values)).text
    found = re.search(r"request ([a-z2-7]{16}): (open|keys)", done)
    assert found, done
    return found[1]


def approved(world: World, request: str, *, by: tuple[str, ...] = ("prd-grace", "prd-edsger")) -> None:
    """Others approve, by the page."""
    for account in by:
        approver = Client(world).sign_in(account)
        answer = approver.sign(approver.post("/do/approve", request=request))
        assert answer.status_code == 200, answer.text
    assert f"approve {request}: done" in answer.text


# --- screening ---


def test_a_screening_is_recorded(world: World) -> None:
    grace = Client(world).sign_in("prd-barbara")
    page = grace.post("/do/screening", account="prd-ada", **RECORD)
    assert "a newer screening record" in page.text
    assert "attester: Example Screening Ltd" in page.text
    assert "good until: 2028-11-29T00:00:00Z" in page.text
    approved(world, asked(grace, "screening", account="prd-ada", **RECORD))
    person = world.door.record(Person, "prd-ada")
    assert (person.expires.year, person.reference) == (2028, "case 80")
    shown = grace.get("/person?account=prd-ada").text
    assert "attested by Example Screening Ltd, screened on 2026-11-29T00:00:00Z" in shown
    assert "screened to enhanced, until 2028-11-29T00:00:00Z" in shown


def test_levels_are_those_of_the_policy(world: World) -> None:
    page = Client(world).sign_in().get("/do/screening").text
    assert "<option>basic</option><option>enhanced</option>" in page


SCREENINGS = {
    "a level that there is not": ({"level": "top"}, "rule: screening"),
    "run out": ({"screened": "2025-01-01", "expires": "2026-01-01"}, "rule: screening"),
    "of the future": ({"screened": "2027-01-01"}, "rule: screening"),
    "longer than ten years": ({"expires": "2037-12-01"}, "rule: screening"),
    "nobody attests it": ({"attester": ""}, "rule: screening"),
    "no reference": ({"reference": " "}, "rule: screening"),
    "no day": ({"expires": "soon"}, "is not a time"),
    "nobody": ({"account": "prd-nobody"}, "rule: account"),
}


@pytest.mark.parametrize("case", SCREENINGS)
def test_screenings_that_are_none(world: World, case: str) -> None:
    changes, words = SCREENINGS[case]
    answer = Client(world).sign_in().post("/do/screening", **{"account": "prd-grace", **RECORD, **changes})
    assert answer.status_code in (400, 403)
    assert words in answer.text
    assert 'id="sign"' not in answer.text


# --- workstations ---


def test_a_workstation_is_bound_and_retired(world: World) -> None:
    one = certificate()
    ada = Client(world, header=HEADER, tools=TOOLS).sign_in()
    assert "shows no certificate" in ada.get("/workstations").text
    approved(world, asked(ada, "workstation", account="prd-ada", certificate=pem(one)))
    known = world.door.record(Workstation, digest(one))
    assert (known.account, known.state) == ("prd-ada", "active")

    ada = Client(world, header=HEADER, tools=TOOLS)
    ada.fields["client-cert"] = field_of(one)
    ada.sign_in()
    page = ada.get("/workstations").text
    assert f"This connection shows the certificate {digest(one)}" in page
    assert "this connection is from it" in page
    assert "its key is in software" in page
    grant = world.granted()
    assert ada.sign(ada.post("/do/enter", grant=grant)).status_code == 200
    inside = [each for each in world.door.records(Session, state="open") if each.workstation == digest(one)]
    assert len(inside) == 2  # to look, and on the grant

    grace = Client(world).sign_in("prd-grace")
    page = grace.post("/do/retire", workstation=digest(one), reason="laptop was lost")
    assert "prd-grace: retire a workstation" in page.text
    assert f"retire {digest(one)}: retired" in grace.sign(page).text
    assert all(world.door.record(Session, each.id).state == "ended" for each in inside)
    assert ada.get("/").text.count("Sign in") > 0
    assert "rule: workstation" in grace.post("/do/retire", workstation=digest(one), reason="once more").text
    assert world.door.record(Grant, grant).state == "granted"
    assert world.door.verify() == len(world.door.log)


def test_the_workstation_that_one_sits_at(world: World) -> None:
    """No certificate is pasted: the one that the connection shows is taken."""
    one = certificate()
    ada = Client(world, header=HEADER)
    ada.fields["client-cert"] = field_of(one)
    ada.sign_in()
    page = ada.post("/do/workstation", account="prd-ada", certificate="")
    assert f"workstation: {digest(one)}" in page.text


def test_a_certificate_pasted_on_another_system(world: World) -> None:
    """Browsers send CR LF; a certificate is the same with it."""
    one = certificate()
    page = Client(world).sign_in().post(
        "/do/workstation", account="prd-ada", certificate=pem(one).replace("\n", "\r\n")
    )  # fmt: skip
    assert f"workstation: {digest(one)}" in page.text


CERTIFICATES = {
    "nothing": lambda: "",
    "no certificate": lambda: "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    "a text": lambda: "laptop 17",
    "not for clients": lambda: pem(certificate(client=False)),
    "a private key": lambda: "-----BEGIN PRIVATE KEY-----\nMC4CAQ\n-----END PRIVATE KEY-----\n",
}


@pytest.mark.parametrize("case", CERTIFICATES)
def test_workstations_that_are_none(world: World, case: str) -> None:
    answer = (
        Client(world).sign_in().post("/do/workstation", account="prd-ada", certificate=CERTIFICATES[case]())
    )
    assert answer.status_code == 403
    assert "rule: workstation" in answer.text


EVIDENCE = {
    "no JSON": ("{", 400, "is no JSON"),
    "no object": ("[]", 400, "no object"),
    "something else": ("{}", 403, "rule: tpm"),
    "nested too deep": ("[" * 5000, 400, "is no JSON"),
}


@pytest.mark.parametrize("case", EVIDENCE)
def test_evidence_that_is_none(world: World, case: str) -> None:
    evidence, status, words = EVIDENCE[case]
    given = {"account": "prd-ada", "certificate": pem(certificate()), "evidence": evidence}
    answer = Client(world).sign_in().post("/do/workstation", **given)
    assert answer.status_code == status
    assert words in answer.text


def test_a_workstation_that_is_not_there(world: World) -> None:
    answer = Client(world).sign_in().post("/do/retire", workstation="0" * 64, reason="laptop was lost")
    assert "rule: workstation" in answer.text


def test_a_reason_to_retire(world: World) -> None:
    one = certificate()
    ada = Client(world).sign_in()
    approved(world, asked(ada, "workstation", account="prd-ada", certificate=pem(one)))
    assert "rule: reason" in ada.post("/do/retire", workstation=digest(one), reason="old").text


# --- who may not come in any more, and who may again ---


def test_suspended_and_back(world: World) -> None:
    grant = world.granted()
    ada, grace = Client(world).sign_in(), Client(world).sign_in("prd-grace")
    page = grace.post("/do/suspend", account="prd-ada", reason="laptop stolen")
    assert "prd-grace: suspend" in page.text
    assert "suspend prd-ada: suspended" in grace.sign(page).text
    assert world.door.record(Grant, grant).state == "revoked"
    assert "Sign in" in ada.get("/").text
    shown = grace.get("/person?account=prd-ada").text
    assert "P-ada, suspended" in shown
    assert "Let a suspended person come back" in shown
    request = asked(grace, "reinstate", account="prd-ada", reason="the laptop was found")
    approved(world, request, by=("prd-edsger", "prd-barbara"))
    ada.sign_in()
    assert world.door.record(Grant, grant).state == "revoked"


def test_leaving(world: World) -> None:
    grace = Client(world).sign_in("prd-grace")
    done = grace.sign(grace.post("/do/leave", account="prd-ada", reason="new job"))
    assert "leave prd-ada: left" in done.text
    shown = grace.get("/person?account=prd-ada").text
    assert "/do/leave" not in shown
    assert "/do/lost-key" not in shown
    assert Client(world).post("/do/sign-in", account="prd-ada").status_code == 403
    assert "rule: person" in grace.post("/do/reinstate", account="prd-ada", reason="came back").text


def test_a_lost_key(world: World) -> None:
    """What it has done since then is undone; what it did before stays."""
    before = world.granted()
    world.clock.pass_(hours=1)
    after = world.granted()
    edsger = Client(world).sign_in("prd-edsger")
    key = world.door.record(Grant, after).credentials[0]
    assert key in edsger.get("/person?account=prd-ada").text
    answer = edsger.post("/do/lost-key", credential=key, since="2026-11-30", time="09:30")
    assert "since: 2026-11-30T09:30:00Z" in answer.text
    assert f"lost-key {key}: lost" in edsger.sign(answer).text
    states = [world.door.record(Grant, one).state for one in (before, after)]
    assert states == ["granted", "revoked"]
    assert world.door.record(HardwareKey, key).state == "lost"
    assert "ada has fewer than 2 hardware keys" in edsger.get("/people").text


TIMES = {
    "of the future": ({"since": "2026-12-01", "time": ""}, "rule: document"),
    "no day": ({"since": "30.11.2026", "time": ""}, "is not a time"),
    "no time": ({"since": "2026-11-30", "time": "noon"}, "is not a time"),
    "25 o'clock": ({"since": "2026-11-30", "time": "25:00"}, "is not a time"),
    "a key that there is not": (
        {"since": "2026-11-29", "time": "", "credential": "AAAA"},
        "rule: credential",
    ),
}


@pytest.mark.parametrize("case", TIMES)
def test_lost_keys_that_are_none(world: World, case: str) -> None:
    changes, words = TIMES[case]
    [key, _] = world.door.records(HardwareKey, about="prd-grace")
    answer = Client(world).sign_in().post("/do/lost-key", **{"credential": key.id, **changes})
    assert answer.status_code in (400, 403)
    assert words in answer.text


def test_one_more_key(world: World) -> None:
    ada = Client(world).sign_in()
    request = asked(ada, "key", account="prd-ada")
    guest = Client(world)
    assert (
        guest.register(guest.post("/do/register", account="prd-ada", request=request), "prd-ada").status_code
        == 200
    )
    assert "proposed since" in ada.get("/person?account=prd-ada").text
    approved(world, request)
    assert len(world.door.records(HardwareKey, about="prd-ada", state="active")) == 3


# --- looking ---


def test_people_are_shown(world: World) -> None:
    page = Client(world).sign_in().get("/people").text
    for one in ("ada", "grace", "edsger", "barbara"):
        assert f"<h3>prd-{one}</h3>" in page
    assert page.count("now: may act") == 4
    world.clock.pass_(days=366)
    assert Client(world).post("/do/sign-in", account="prd-ada").status_code == 403


def test_who_is_not_there(world: World) -> None:
    client = Client(world).sign_in()
    for query in ("?account=prd-nobody", "?account=%3Cscript%3E", ""):
        answer = client.get(f"/person{query}")
        assert answer.status_code == 403
        assert "<script>" not in answer.text


@pytest.mark.parametrize("path", ["/people", "/person?account=prd-ada", "/workstations", "/policy"])
def test_nobody_looks_without_signing_in(world: World, path: str) -> None:
    answer = Client(world).get(path)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")


def test_one_takes_back_what_one_asks_for(world: World) -> None:
    request = world.ask()
    ada, grace = Client(world).sign_in(), Client(world).sign_in("prd-grace")
    assert "Take back" in ada.get("/").text
    assert "Deny" in grace.get("/").text
    assert "deny" in ada.sign(ada.post("/do/deny", request=request)).text
    assert request not in grace.get("/").text
