"""The proof that a key is refused: which rows of a log are of it, and what keeps a proof from holding."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from immure.registry.scope import KeyScope
from immure.registry.sqlite_store import SqliteStore
from immure.response.containment.action import Scene
from immure.response.containment.settings import Party
from immure.response.incident import Incident
from immure.response.proof import Proof, Prover
from immure.response.proof_asking import Seen
from immure.response.proof_logs import RowsOfKey, accepted_since
from immure.tokens.acceptance.decision import Decision
from immure.tokens.acceptance.log import AcceptanceLog
from response.containment.light import Light, light

TENANT = "7ab8a5a2-4c4e-4b5c-8d7c-0b7a3c9d1e2f"
TEMPLATE = "https://login.example/{tenantid}/v2.0"
OF_TENANT = f"https://login.example/{TENANT}/v2.0"
OTHER = "https://other.example/"
#: The key, and what another key under its kid may sign for.
ROWS = RowsOfKey("k1", "thumb", (KeyScope(OTHER), KeyScope("https://b.example/{tenantid}")))


@pytest.mark.parametrize(
    ("row", "counts"),
    [
        ({"issuer": OF_TENANT, "kid": "k1", "thumbprint": "thumb"}, True),  # the key's issuer is a template
        ({"issuer": OTHER, "kid": "k1", "thumbprint": "thumb"}, True),  # it signed for whom it must not
        ({"issuer": OF_TENANT, "kid": "renamed", "thumbprint": "thumb"}, True),
        ({"issuer": OF_TENANT, "kid": "k1", "thumbprint": "another"}, False),
        ({"issuer": OF_TENANT, "kid": "k1"}, True),
        ({"issuer": "https://c.example/", "kid": "k1"}, True),
        ({"kid": "k1"}, True),
        ({"issuer": OTHER, "kid": "k1"}, False),  # there it is the name of another key
        ({"issuer": f"https://b.example/{TENANT}", "kid": "k1"}, False),
        ({"issuer": OF_TENANT, "kid": "k2"}, False),
        ({"issuer": OF_TENANT}, False),
    ],
)
def test_rows_of_a_key(tmp_path: Path, row: dict[str, Any], counts: bool) -> None:
    with AcceptanceLog(tmp_path / "log") as log:
        log.record(Decision(time=20.0, digest=bytes(16), **row))
        log.record(Decision(time=30.0, digest=bytes(16), rule="deny-list", **row))
    logged = accepted_since(tmp_path / "log", ROWS, since=10.0)
    assert (logged.count, logged.last, logged.refused) == ((1, 20.0, 1) if counts else (0, None, 0))


REFUSES = Seen("mail", "refuses", "a token of the key is refused", 10.0)


@pytest.mark.parametrize(
    ("proof", "holds"),
    [
        (Proof("i", "k", (REFUSES,)), True),
        (Proof("i", "k", ()), False),
        (Proof("i", "k", (replace(REFUSES, verdict="cannot tell"),)), False),
        (Proof("i", "k", (REFUSES,), 0, "0 forged tokens", True), True),
        (Proof("i", "k", (REFUSES,), 1, "1 forged tokens", True), False),
        (Proof("i", "k", (REFUSES,), None, "not compared with the ledger: …", True), False),
    ],
)
def test_what_holds(proof: Proof, holds: bool) -> None:
    assert proof.holds is holds


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Light]:
    with light(tmp_path) as running:
        yield running


def prove(house: Light, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Proof:
    """The proof of a relying party that refuses, by what logs and ledger say."""

    def refuses(scene: Scene, party: Party) -> Seen:
        return replace(REFUSES, party=party.name, at=float(scene.since()))

    monkeypatch.setattr("immure.response.proof.ask", refuses)
    scene = Scene.of(house.settings, Incident.load(folder), actor="ann")
    return Prover(scene).run(seconds=0)


@pytest.mark.parametrize(
    ("accepted", "words"),
    [
        ("", "no relying party has a log of acceptances"),
        ('accepted = "accepted"\n', "not compared with the ledger: .*segments"),
    ],
)
def test_a_comparison_that_fails(
    house: Light, monkeypatch: pytest.MonkeyPatch, accepted: str, words: str
) -> None:
    """The settings ask for it: that everybody refuses the key is not enough then."""
    folder = house.fresh()
    AcceptanceLog(house.directory / "accepted").close()
    house.change("[relying_parties.mail]\n", f"[relying_parties.mail]\n{accepted}")
    assert prove(house, folder, monkeypatch).holds
    house.change("[deny_list]", '[reconcile]\nsegments = "segments"\n[deny_list]')
    proof = prove(house, folder, monkeypatch)
    assert (proof.holding, proof.forged, proof.holds) == ((), None, False)
    assert re.search(words, proof.why)


def test_an_acceptance_for_another_issuer(house: Light, monkeypatch: pytest.MonkeyPatch) -> None:
    """The relying party refuses what it is asked with, and its log shows that the key still opens it."""
    folder = house.fresh()
    with SqliteStore(house.directory / "keys.db") as store:
        thumbprint = store.find(house.kid).thumbprint
    with AcceptanceLog(house.directory / "accepted") as log:
        log.record(Decision(time=4e9, digest=bytes(16), issuer=OTHER, kid=house.kid, thumbprint=thumbprint))
    house.change("[relying_parties.mail]\n", '[relying_parties.mail]\naccepted = "accepted"\n')
    [seen] = prove(house, folder, monkeypatch).seen
    assert seen.verdict == "accepts"
    assert "accepted since it refused one" in seen.why


def test_a_registry_that_cannot_be_read_any_more(house: Light, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which rows are of the key cannot be told then; nothing is claimed."""
    folder = house.fresh()
    house.change("[relying_parties.mail]\n", '[relying_parties.mail]\naccepted = "accepted"\n')
    scene = Scene.of(house.settings, Incident.load(folder), actor="ann")
    gone = replace(scene, settings=replace(scene.settings, registry=str(house.directory / "gone.db")))
    monkeypatch.setattr(Scene, "since", lambda self: 1)
    monkeypatch.setattr("immure.response.proof.ask", lambda scene, party: replace(REFUSES, party=party.name))
    proof = Prover(gone).run(seconds=0)
    assert [one.verdict for one in proof.seen] == ["cannot tell"]
    assert "gone.db" in proof.seen[0].why
