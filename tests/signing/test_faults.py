"""Faults of the parts, one by one: each is 503 and no token, and over when the fault is."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import time
from pathlib import Path

import pytest

from immure.cli.signing import _first_keys
from immure.ledger.sqlite_store import SqliteLedger
from immure.registry.state import KeyState
from immure.signing import service as module
from immure.signing import upkeep
from immure.signing.holder_keys import HolderKeys
from signing.browsing import code_of, trade
from signing.house import ENTERPRISE, SECRET, SETTINGS, House
from signing.proving import assertion
from tokens.minting import jwk

DAEMON = ("daemon", SECRET)
KEYS = {"keys": [jwk("ES256", issuer=None)]}


async def ask(client, auth=DAEMON, **more: str):
    return await client.post(
        f"{ENTERPRISE}/token", data={"grant_type": "client_credentials", **more}, auth=auth
    )


def test_a_ledger_that_can_only_be_read(house: House, run) -> None:
    async def work(client, service):
        good = await ask(client)
        database = service.ledger.store._database
        database.execute("PRAGMA query_only = ON")
        refused = [await ask(client) for _ in range(3)]
        database.execute("PRAGMA query_only = OFF")
        return good, refused, await ask(client)

    good, refused, after = run(house, work)
    assert (good.status_code, after.status_code) == (200, 200)
    assert {one.status_code for one in refused} == {503}
    assert "readonly" not in refused[0].text
    with SqliteLedger(house.directory / "ledger.db") as store:
        assert [number for number, _ in store.rows(ENTERPRISE, 1, 99)] == [1, 2]


def test_a_state_that_somebody_else_holds(tmp_path: Path, run) -> None:
    """Whoever needs it waits in vain, and nobody else waits for them."""
    house = House(tmp_path, signer=KEYS)

    async def work(client, service):
        code = await code_of(client)
        other = sqlite3.connect(house.directory / "state.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        waiting = [asyncio.create_task(ask(client, None, **assertion())) for _ in range(5)]
        waiting.append(asyncio.create_task(trade(client, code)))
        quick = [await ask(client) for _ in range(5)]
        still = [one for one in waiting if not one.done()]
        stuck = await asyncio.gather(*waiting)
        other.execute("ROLLBACK")
        other.close()
        return quick, still, stuck, await trade(client, code), await ask(client, None, **assertion())

    quick, still, stuck, *after = run(house, work)
    assert {one.status_code for one in quick} == {200}
    assert len(still) == 6
    assert {one.status_code for one in stuck} == {503}
    assert {one.status_code for one in after} == {200}


CLIENT_KEYS = [
    ("good", {}, 200),
    ("expired", {"exp": int(time.time()) - 3600}, 401),
    ("of another client", {"issuer": "daemon"}, 401),
    ("for encryption", {"use": "enc"}, 401),
]


@pytest.mark.parametrize(("what", "members", "status"), CLIENT_KEYS, ids=[one[0] for one in CLIENT_KEYS])
def test_keys_of_clients(tmp_path: Path, run, what: str, members: dict[str, object], status: int) -> None:
    key = {**jwk("ES256", issuer=None), **members}
    house = House(tmp_path, signer={"keys": [key]})

    async def work(client, service):
        return await ask(client, None, **assertion())

    assert run(house, work).status_code == status


@pytest.fixture
def held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    """With a key holder that has two seconds to answer."""
    text = SETTINGS.replace("file+unsafe:private", "keyholder:holder/keys.sealed?pin-source=pin")
    (tmp_path / "pin").write_text("a pin of the tests\n")
    (tmp_path / "pin").chmod(0o600)
    house = House(tmp_path, f"custody_seconds = 1\n{text}")

    def quick(uri: str) -> HolderKeys:
        return HolderKeys(tmp_path / "holder" / "keys.sealed", [tmp_path / "pin"], timeout=2.0)

    _first_keys(house.settings)
    monkeypatch.setattr(module, "open_keys", quick)
    return house


def test_a_key_holder_that_stands_still(held: House, run) -> None:
    """It is given up after a second, ended after two, and another one is started."""

    async def work(client, service):
        good = await ask(client)
        os.kill(service.keys._holder.pid, signal.SIGSTOP)
        refused = await asyncio.gather(*(ask(client) for _ in range(4)))
        healthy = await client.get("/healthz")
        end = time.monotonic() + 60
        while (after := await ask(client)).status_code != 200 and time.monotonic() < end:
            await asyncio.sleep(0.05)
        return good, refused, healthy, after

    good, refused, healthy, after = run(held, work)
    assert {one.status_code for one in refused} == {503}
    assert refused[0].json()["error"] == "temporarily_unavailable"
    assert (good.status_code, healthy.status_code, after.status_code) == (200, 200, 200)


def test_what_fails_unforeseen_stops_nothing(house: House, run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rotation goes on after an error that nobody thought of; the journal says where it was."""
    import io

    written, broken = io.StringIO(), [True]
    monkeypatch.setattr(upkeep, "EVERY", 0.05)

    class Broken(upkeep.Rotator):
        def run(self, **given):
            if broken[0]:
                raise ZeroDivisionError("a secret")
            return super().run(**given)

    async def work(client, service):
        service.upkeep.rotator.__class__ = Broken
        while "rotation-failed" not in written.getvalue():
            await asyncio.sleep(0.02)
        broken[0] = False
        record = service.registry.find("enterprise-0001")
        service.registry.change_state(record.thumbprint, KeyState.COMPROMISED, reason="?", by="ada")
        for _ in range(200):
            if (answer := await ask(client)).status_code == 200:
                return answer
            await asyncio.sleep(0.05)
        raise AssertionError("no token")

    assert run(house, work, stream=written).status_code == 200
    assert '"code": "bug", "error": "ZeroDivisionError"' in written.getvalue()
    assert "a secret" not in written.getvalue()
