"""Two front ends at once, on one PostgreSQL and one key holder: what may happen once happens once; both, and
the database, may go and come back."""

from __future__ import annotations

import asyncio
import signal
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from immure.auditlog import AuditLog
from immure.ledger.opening import open_ledger
from immure.ledger.verify import verify_ledger
from immure.registry.opening import open_store
from immure.registry.state import KeyState
from servers.postgres import Postgres
from signing.browsing import VERIFIER, code_of
from signing.house import BACK, ENTERPRISE, HERE, SECRET, House, claims_of
from signing.proving import assertion, proof
from signing.real.conftest import KEYS
from signing.real.load import Load
from signing.real.pair import Pair, holding_again, pair_at
from signing.real.serving import Serving, until
from signing.test_service import _kid

CREDENTIALS = {"grant_type": "client_credentials"}
DAEMON, WEB = ("daemon", SECRET), ("web", SECRET)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory, postgres: Postgres) -> Iterator[Pair]:
    with pair_at(tmp_path_factory.mktemp("pair") / "house", postgres, idp=KEYS, signer=KEYS) as made:
        yield made


def rows_of(house: House, issuer: str) -> dict[bytes, tuple[int, str]]:
    """Numbers and keys by digest; there is no gap."""
    with open_ledger(house.settings.ledger) as store:
        rows = {row.digest: (number, row.kid) for number, row in store.rows(issuer, 1, 1 << 40)}
    assert sorted(number for number, _ in rows.values()) == list(range(1, len(rows) + 1))
    return rows


def at_once(pair: Pair, data: dict[str, str], auth: Any = None, **headers: str) -> list[httpx.Response]:
    """The same request sixteen times, to one and to the other."""
    clients = [served.client() for served in pair]
    try:
        with ThreadPoolExecutor(16) as pool:
            return list(
                pool.map(
                    lambda turn: clients[turn % 2].post(
                        "/enterprise/token", data=data, auth=auth, headers=headers
                    ),
                    range(16),
                )
            )
    finally:
        for client in clients:
            client.close()


def statuses(answers: list[httpx.Response]) -> Counter[int]:
    return Counter(one.status_code for one in answers)


def new_code(served: Serving) -> str:
    """A person signs in at one of them."""

    async def work() -> str:
        # the form names its issuer by the first one's port
        async with httpx.AsyncClient(base_url=served.here) as client:
            return await code_of(Renamed(client, served.enterprise))

    return asyncio.run(work())


class Renamed:
    """A browser for which ``HERE`` is somewhere else."""

    def __init__(self, client: httpx.AsyncClient, issuer: str) -> None:
        self._client, self._issuer = client, issuer

    def _there(self, url: str) -> str:
        return url.replace(ENTERPRISE, self._issuer).replace(HERE, self._issuer.rpartition("/")[0])

    async def get(self, url: str, **more: Any) -> httpx.Response:
        return await self._client.get(self._there(url), **more)

    async def post(self, url: str, **more: Any) -> httpx.Response:
        return await self._client.post(self._there(url), **more)


def trade(served: Serving, code: str) -> dict[str, Any]:
    answer = httpx.post(f"{served.enterprise}/token", data=_code(code), auth=WEB, timeout=40)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def _code(code: str) -> dict[str, str]:
    return {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": BACK,
        "code_verifier": VERIFIER,
    }


# --- once is once over both ---


def test_a_code(pair: Pair) -> None:
    """One gets tokens; as the others showed it again, they are over at once."""
    code = new_code(pair.first)
    answers = at_once(pair, _code(code), WEB)
    assert statuses(answers) <= Counter({200: 1, 400: 16})
    (won,) = [one.json() for one in answers if one.status_code == 200] or [None]
    if won is not None:
        again = {"grant_type": "refresh_token", "refresh_token": won["refresh_token"]}
        answer = httpx.post(f"{pair.second.enterprise}/token", data=again, auth=WEB, timeout=40)
        assert answer.json()["error"] == "invalid_grant"


def test_a_code_of_the_other_one(pair: Pair) -> None:
    tokens = trade(pair.second, new_code(pair.first))
    asked = {"token": tokens["access_token"]}
    seen = [
        httpx.post(f"{one.enterprise}/introspect", data=asked, auth=WEB, timeout=40).json()["active"]
        for one in pair
    ]
    assert seen == [True, True]
    httpx.post(f"{pair.second.enterprise}/revoke", data=asked, auth=WEB, timeout=40)
    seen = [
        httpx.post(f"{one.enterprise}/introspect", data=asked, auth=WEB, timeout=40).json()["active"]
        for one in pair
    ]
    assert seen == [False, False]


def test_a_refresh_token(pair: Pair) -> None:
    tokens = trade(pair.second, new_code(pair.first))
    sent = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    answers = at_once(pair, sent, WEB)
    assert statuses(answers) <= Counter({200: 1, 400: 16})
    asked = {"token": tokens["access_token"]}
    for one in pair:  # the whole sign-in is over
        answer = httpx.post(f"{one.enterprise}/introspect", data=asked, auth=WEB, timeout=40)
        assert answer.json() == {"active": False}


def test_an_assertion(pair: Pair) -> None:
    sent = {**CREDENTIALS, **assertion(aud=pair.first.enterprise)}
    assert statuses(at_once(pair, sent)) == {200: 1, 401: 15}


def test_a_proof(pair: Pair) -> None:
    """A DPoP proof (RFC 9449, section 11.1)."""
    shown = proof(issuer=pair.first.enterprise)
    answers = at_once(pair, CREDENTIALS, DAEMON, dpop=shown)
    assert statuses(answers) == {200: 1, 400: 15}
    assert {one.json()["error"] for one in answers if one.status_code == 400} == {"invalid_dpop_proof"}


# --- keys ---


def test_a_key_is_replaced_by_one_of_them(pair: Pair) -> None:
    """Both sign with the new key at once; it was made once."""
    with Load([pair.first.enterprise], 3) as one, Load([pair.second.enterprise], 3) as other:
        loads = (one, other)
        until(lambda: all(len(load.tokens) > 50 for load in loads), "no tokens")
        with open_store(pair.house.settings.registry) as store:
            record = store.find("enterprise-0001")
            store.change_state(record.thumbprint, KeyState.COMPROMISED, reason="in a dump", by="ada")
        burnt = time.time()
        until(lambda: all(_kid(load.tokens[-1]) == "enterprise-0002" for load in loads), "not replaced")
        until(lambda: all(len(load.tokens) > 150 for load in loads), "no tokens")
    assert one.digests() | other.digests() <= rows_of(pair.house, pair.first.enterprise).keys()
    for load in loads:
        assert set(load.statuses) <= {200, 503}
        late = [
            token
            for token in load.tokens
            if _kid(token) == "enterprise-0001" and claims_of(token)["iat"] > burnt + 1
        ]
        assert late == []
    with open_store(pair.house.settings.registry) as store:
        kids = [one.kid for one in store.records() if one.issuer == pair.first.enterprise]
        assert kids == ["enterprise-0001", "enterprise-0002"]
        (made,) = [
            change for change in store.find("enterprise-0002").history if change.state is KeyState.PRE_ACTIVE
        ]
        assert made


# --- what goes and comes back ---


def test_the_key_holder(pair: Pair) -> None:
    """It is killed, and started again by whoever looks after it; both front ends find it."""
    pair.holder.program.process.kill()
    pair.holder.program.process.wait()
    until(lambda: all(_ask(one) == 503 for one in pair), "tokens without a key holder")
    assert [httpx.get(f"{one.here}/healthz").status_code for one in pair] == [200, 200]
    again = holding_again(pair.house)
    pair.holder = again.__enter__()
    pair.stack.callback(again.__exit__, None, None, None)
    until(lambda: all(_ask(one) == 200 for one in pair), pair.first.program.printed())
    codes = {one["code"] for served in pair for one in served.events("unavailable")}
    assert "holder-gone" in codes


def _ask(served: Serving) -> int:
    return httpx.post(f"{served.enterprise}/token", data=CREDENTIALS, auth=DAEMON, timeout=40).status_code


def test_the_database(pair: Pair, postgres: Postgres) -> None:
    with Load([pair.first.enterprise], 2) as load:
        until(lambda: len(load.tokens) > 20, "no tokens")
        postgres.stop(signal.SIGQUIT)
        until(lambda: load.statuses.get(503, 0) > 3, "nothing was refused")
        sent = {**CREDENTIALS, **assertion(aud=pair.first.enterprise)}
        refused = httpx.post(f"{pair.second.enterprise}/token", data=sent, timeout=40)
        assert httpx.get(f"{pair.first.here}/healthz", timeout=5).status_code == 200
        postgres.start()
        before = len(load.tokens)
        until(lambda: len(load.tokens) > before + 20, pair.first.program.printed())
    assert refused.status_code == 503
    assert "postgres" not in refused.text.lower()
    assert set(load.statuses) == {200, 503}
    assert load.digests() <= rows_of(pair.house, pair.first.enterprise).keys()
    sent = {**CREDENTIALS, **assertion(aud=pair.first.enterprise)}
    until(
        lambda: httpx.post(f"{pair.second.enterprise}/token", data=sent, timeout=40).status_code != 503,
        "assertions are not taken again",
    )


def test_the_ledger_when_both_have_stopped(pair: Pair) -> None:
    """Each batch was closed by one of them; all rows are in one."""
    for served in pair:
        served.program.process.terminate()
    assert [one.program.process.wait(20) for one in pair] == [0, 0]
    numbers = [(one["issuer"], one["number"]) for served in pair for one in served.events("batch")]
    assert len(numbers) == len(set(numbers)) > 0
    with open_ledger(pair.house.settings.ledger) as store:
        entries = AuditLog.open(pair.house.directory / "ledger-log").entries()
        count = sum(batch.rows for batch in verify_ledger(store, entries))
    rows = [rows_of(pair.house, issuer) for issuer in (pair.first.enterprise,)]
    assert count == sum(map(len, rows))
