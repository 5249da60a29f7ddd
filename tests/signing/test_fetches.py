"""Who read which key set, and until when a key may have been accepted that was taken out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from immure.keymaterial.key import OkpNumbers, Origin, PublicKey
from immure.registry.record import KeyRecord
from immure.registry.scope import KeyScope
from immure.registry.state import KeyState
from immure.signing.fetches import OTHERS, Fetch, FetchLog, acceptances, party_of
from immure.signing.letting_go import look
from immure.signing.sqlite_state import SqliteState
from immure.tokens.acceptance.decision import Decision
from immure.tokens.acceptance.log import AcceptanceLog
from signing.house import ENTERPRISE, House

START = datetime(2026, 1, 1, tzinfo=UTC)
T0 = int(START.timestamp())


def scope(agent: bytes, client: tuple[str, int] | None = ("192.0.2.7", 5)):
    return {"client": client, "headers": [(b"user-agent", agent)]}


PARTIES = [
    (b"guard/1", ("192.0.2.7", 5), "192.0.2.7 guard/1"),
    (b"", ("192.0.2.7", 5), "192.0.2.7"),
    (b"x", None, "local x"),
    (b"evil\r\nline \x1b[31m\xff\x00end", ("::1", 5), "::1 evil line [31m end"),
    (b"a" * 5000, ("::1", 5), "::1 " + "a" * 80),
]


@pytest.mark.parametrize(("agent", "client", "name"), PARTIES, ids=[str(n) for n in range(len(PARTIES))])
def test_what_a_relying_party_is_called(agent: bytes, client: tuple[str, int] | None, name: str) -> None:
    assert party_of(scope(agent, client)) == name


def test_what_was_read_is_written_down_once() -> None:
    moments = iter([START, START + timedelta(seconds=5), START])
    log = FetchLog(time=lambda: next(moments))
    for _ in range(3):
        log.note("i", scope(b"a"), "k1 k2")
    found = log.drain()
    assert found == [Fetch("i", "192.0.2.7 a", "k1 k2", T0, T0 + 5)]
    assert log.drain() == []
    log.put_back(found)
    assert log.drain() == found


def test_a_flood_of_names() -> None:
    log = FetchLog(time=lambda: START)
    for number in range(3000):
        log.note("i", scope(b"%d" % number), "k")
    found = log.drain()
    assert len(found) == 1025
    assert found[-1].party == OTHERS


#: Fetches (party, kids, first, last), and until when each party may have accepted k1; 300 s may be kept.
LETTING_GO: list[tuple[str, list[tuple[str, str, int, int]], dict[str, tuple[bool, int]]]] = [
    ("read again", [("a", "k1", 0, 100), ("a", "k2", 130, 500)], {"a": (True, 130)}),
    ("not yet", [("a", "k1 k2", 0, 100)], {"a": (False, 400)}),
    ("never had it", [("a", "k2", 0, 100)], {}),
    ("a name that begins so", [("a", "k10", 0, 100)], {}),
    ("later than allowed", [("a", "k1", 0, 100), ("a", "k2", 900, 950)], {"a": (True, 400)}),
    ("another front end was behind", [("a", "k2", 90, 200), ("a", "k1", 0, 100)], {"a": (True, 100)}),
    ("had others before", [("a", "k0", 0, 50), ("a", "k0 k1", 60, 100)], {"a": (False, 400)}),
    (
        "two",
        [("a", "k1", 0, 100), ("b", "k1", 0, 110), ("a", "k2", 120, 120)],
        {"a": (True, 120), "b": (False, 410)},
    ),
]


@pytest.mark.parametrize(("what", "fetches", "expected"), LETTING_GO, ids=[one[0] for one in LETTING_GO])
def test_letting_go(what: str, fetches: list[tuple[str, str, int, int]], expected: dict) -> None:
    found = acceptances([Fetch("i", *one) for one in fetches], "k1", 300)
    until = {one.party: (one.without is not None, int(one.until.timestamp())) for one in found}
    assert until == expected
    assert [one.until for one in found] == sorted(one.until for one in found)


def test_what_the_logs_of_relying_parties_say(tmp_path: Path) -> None:
    """A relying party that does not obey is found by its own log."""
    key = PublicKey(OkpNumbers("Ed25519", bytes(31) + b"\x01"), Origin("test"))
    record = KeyRecord.new(
        key,
        "k1",
        KeyScope("i", frozenset({"consumer"})),
        by="ada",
        at=START,
        reason="made",
        state=KeyState.ACTIVE,
    )
    out = START + timedelta(seconds=100)
    record = record.become(KeyState.COMPROMISED, reason="found", by="ada", at=out)
    state = SqliteState(":memory:")
    state.fetched([Fetch("i", "a", "k1", T0, T0 + 90), Fetch("i", "a", "", T0 + 130, T0 + 130)])
    with AcceptanceLog(tmp_path / "accepted") as log:
        for second, rule, kid in ((50, "", "k1"), (500, "", "k1"), (600, "key-state", "k1"), (700, "", "k2")):
            log.record(
                Decision(
                    time=T0 + second,
                    digest=bytes(16),
                    issuer="i",
                    kid=kid,
                    rule=rule,
                    relying_party="mail",
                    channel="http",
                )
            )
    now = START + timedelta(seconds=1000)
    without = look(state, record, now=now)
    assert without.stopped == START + timedelta(seconds=130)
    found = look(state, record, [str(tmp_path / "accepted")], now=now)
    assert [(one.party, one.count) for one in found.accepted] == [("mail", 1)]
    assert found.stopped == START + timedelta(seconds=500)
    assert look(state, record, now=START + timedelta(seconds=125)).stopped is None
    state.close()


def test_the_service_writes_it_down(house: House, run) -> None:
    async def work(client, service):
        for _ in range(3):
            await client.get(f"{ENTERPRISE}/jwks", headers={"user-agent": "guard/1"})
        await client.head(f"{ENTERPRISE}/jwks", headers={"user-agent": "guard/2"})

    run(house, work)
    state = SqliteState(house.directory / "state.db")
    found = {(one.party, one.kids) for one in state.fetches(ENTERPRISE)}
    assert found == {("127.0.0.1 guard/1", "enterprise-0001"), ("127.0.0.1 guard/2", "enterprise-0001")}
    assert len(state.beats()) == 1
    assert state.lead("rotation", "another", seconds=15)  # it let go when it stopped
    state.close()
