"""Sessions, Dovecot, PostgreSQL, and relying parties that do not refuse: with the real signing service."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from immure.registry.opening import open_store
from immure.registry.state import KeyState
from immure.response.containment.action import Scene
from immure.response.containment.running import ACTIONS, ContainmentRun
from immure.response.containment.witness import witness_path
from immure.response.events.kinds import SESSION_REVOKED
from immure.response.incident import Incident
from immure.response.proof import Proof, Prover, write_down
from response.containment.house import Contained, contained
from servers.postgres import running as postgres
from signing.browsing import WEB, answered, asked, refresh, sign_in, trade

pytestmark = pytest.mark.drill


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Contained]:
    """One for all: each containment leaves another key that signs."""
    with contained(tmp_path_factory.mktemp("doors"), dovecot=True) as running:
        yield running


def contain(house: Contained, folder: Path) -> None:
    with house.incident(folder) as incident:
        outcome = ContainmentRun(incident, house.settings, actor="ann").carry_out()
    assert outcome.failed == ()
    assert {one.step for one in outcome.lines} == {one.name for one in ACTIONS}


def prove(house: Contained, folder: Path, seconds: float = 10.0) -> Proof:
    with house.incident(folder) as incident:
        scene = Scene.of(house.settings, incident, actor="ann")
        proof = Prover(scene).run(seconds=seconds)
        write_down(proof, incident, scene)
    return proof


def signed_in(house: Contained) -> dict[str, Any]:
    """What a client has of somebody who signs in: tokens, and the cookie."""

    async def work() -> dict[str, Any]:
        async with httpx.AsyncClient(base_url=house.issuer.removesuffix("/enterprise")) as client:
            query = asked(redirect_uri="https://app.example/back", scope="openid offline_access")
            page = await sign_in(client, house.issuer, "grace", "hopper", query)
            assert page.status_code == 303, page.text
            back = await client.get(page.headers["location"])
            code = answered(back.headers["location"])["code"]
            got = await trade(client, code, WEB, house.issuer, redirect_uri="https://app.example/back")
            assert got.status_code == 200, got.text
            return {**got.json(), "cookies": dict(client.cookies)}

    return asyncio.run(work())


def refreshed(house: Contained, token: str) -> int:
    async def work() -> int:
        async with httpx.AsyncClient(base_url=house.issuer.removesuffix("/enterprise")) as client:
            return (await refresh(client, token, WEB, house.issuer)).status_code

    return asyncio.run(work())


def test_dovecot_and_sessions(house: Contained) -> None:
    """Who is signed in is out, and Dovecot refuses the key; a new sign-in and a new token are taken."""
    mine = signed_in(house)
    folder = house.open("first")
    contain(house, folder)
    proof = prove(house, folder)
    assert [(one.party, one.verdict) for one in proof.seen] == [
        ("mail", "refuses"),
        ("calendar", "refuses"),
        ("dovecot", "refuses"),
    ]
    assert proof.holds
    assert refreshed(house, mine["refresh_token"]) == 400
    assert not house.takes("mail", mine["access_token"])
    query = asked(redirect_uri="https://app.example/back", scope="openid")
    again = httpx.get(f"{house.issuer}/authorize?{query}", cookies=mine["cookies"])
    assert (again.status_code, "password" in again.text) == (200, True)  # it asks for the password again
    subjects = [
        one["sub_id"]["sub"] for one in house.receiver.taken.values() if SESSION_REVOKED in one["events"]
    ]
    assert subjects == ["grace"]
    fresh = signed_in(house)
    assert house.takes("mail", fresh["access_token"])
    assert refreshed(house, fresh["refresh_token"]) == 200
    facts = [one.body["proof"] for one in Incident.load(folder).entries() if one.kind == "fact"]
    assert json.loads(json.dumps(facts))[0]["holding"] == []


def test_a_relying_party_that_goes_on(house: Contained) -> None:
    """Its list cannot be pushed, its file of keys stays as it is: it is listed, until it refuses."""
    good = house.config.read_text()
    folder = house.open("second")
    text = good.replace(f"127.0.0.1:{house.ports['mail']}/deny-list", "127.0.0.1:9/deny-list")
    house.config.write_text(
        text.replace("[caches.mail-keys]\ncommand", "[caches.mail-keys]\ncommand = ['true']\n#")
    )
    with house.incident(folder) as incident:
        outcome = ContainmentRun(incident, house.settings, actor="ann").carry_out()
    assert [(one.step, one.target) for one in outcome.failed] == [("push", "mail")]
    scene = Scene.of(house.settings, Incident.load(folder), actor="ann")
    assert witness_path(scene, "mail").stat().st_mode & 0o777 == 0o600
    proof = prove(house, folder, seconds=1)
    seen = {one.party: one for one in proof.seen}
    assert seen["calendar"].verdict == "refuses"
    # without a good token that is let in, nothing can be told of it
    assert seen["mail"].verdict == "cannot tell"
    assert "a good token is not let in" in seen["mail"].why
    assert {one.party for one in proof.holding} == {"mail", "dovecot"}
    # its keys come, and the list does not: now it is seen to accept, as the old key is still in the file
    path = house.directory / "mail" / "enterprise.json"
    old = json.loads(path.read_text())["keys"]
    new = httpx.get(f"{house.issuer}/jwks").json()["keys"]
    path.write_text(json.dumps({"keys": [*new, *(one for one in old if one["kid"] not in house.jwks())]}))
    proof = prove(house, folder, seconds=6)
    seen = {one.party: one for one in proof.seen}
    assert (seen["mail"].verdict, seen["dovecot"].verdict) == ("accepts", "accepts")
    assert "a token of the key is let in" in seen["mail"].why
    assert not proof.holds
    house.config.write_text(good)
    contain(house, folder)
    assert prove(house, folder).holds


def test_without_a_witness(house: Contained) -> None:
    """The key had stopped before anybody thought of it: nothing is claimed."""
    kid = house.signs()
    with open_store(house.settings.registry) as store:
        record = store.find(kid)
        store.change_state(record.thumbprint, KeyState.COMPROMISED, reason="by hand", by="test")
    folder = house.open("third", kid=kid)
    with house.incident(folder) as incident:
        outcome = ContainmentRun(incident, house.settings, actor="ann").carry_out()
    assert outcome.is_done  # a witness only helps to show it
    assert {one.state for one in outcome.lines if one.step == "witness"} == {"failed"}
    proof = prove(house, folder, seconds=0)
    assert {one.why for one in proof.seen} == {"there is no token of the key to ask it with"}
    assert not proof.holds


def test_a_forged_token_as_witness(house: Contained) -> None:
    """A token that was found shows it, without any client of ours."""
    token = house.token()
    (house.directory / "found.jwt").write_text(token)
    folder = house.open("fourth")
    contain(house, folder)
    good = house.config.read_text()
    (house.directory / "good.jwt").write_text(house.token())
    files = 'file = "found.jwt"\ncontrol_file = "good.jwt"\n'
    mail = good[good.index("[relying_parties.mail]") : good.index("[relying_parties.calendar]")]
    mail = mail.replace('client = "ada"\nsecret_file = "client.secret"\n', files)
    head = good[: good.index("[relying_parties.mail]")]
    house.config.write_text(head + mail)
    try:
        with house.incident(folder) as incident:
            scene = Scene.of(house.settings, incident, actor="ann")
            witness_path(scene, "mail").unlink(missing_ok=True)
            proof = Prover(scene).run(seconds=5)
        assert [(one.party, one.verdict) for one in proof.seen] == [("mail", "refuses")]
        (house.directory / "found.jwt").write_text((house.directory / "good.jwt").read_text())
        with house.incident(folder) as incident:
            proof = Prover(Scene.of(house.settings, incident, actor="ann")).run(seconds=0)
        assert "is a token of another key" in proof.seen[0].why
    finally:
        house.config.write_text(good)


def test_with_postgresql(tmp_path: Path) -> None:
    """Registry, state and ledger in PostgreSQL."""
    with postgres() as server:
        places = {name: server.url() for name in ("registry", "state", "ledger")}
        with contained(tmp_path, places=places) as house:
            mine = signed_in(house)
            folder = house.open()
            contain(house, folder)
            assert prove(house, folder).holds
            assert refreshed(house, mine["refresh_token"]) == 400
