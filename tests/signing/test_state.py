"""What the service remembers, in SQLite and in PostgreSQL: the same answers, and once is once over all."""

from __future__ import annotations

import os
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from immure.signing.errors import StateError
from immure.signing.fetches import Fetch
from immure.signing.heartbeat import Beat
from immure.signing.sqlite_state import SqliteState
from immure.signing.state import Heir, State
from immure.signing.state_opening import open_state
from servers.postgres import Postgres

NOW = 1_790_000_000
Open = Callable[[], State]


@pytest.fixture(params=["sqlite", "postgresql"])
def opening(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    """Opens the same state again and again, as other processes would."""
    place = str(tmp_path / "state.db")
    if request.param == "postgresql":
        server: Postgres = request.getfixturevalue("postgres")
        place = server.url(database=server.database())
    made: list[State] = []

    def once_more() -> State:
        made.append(open_state(place, create=True))
        return made[-1]

    yield once_more
    for one in made:
        one.close()


@pytest.fixture
def state(opening: Open) -> State:
    return opening()


def test_what_was_used_is_used(state: State, opening: Open) -> None:
    other = opening()
    assert state.once("dpop", b"1", until=NOW + 60, now=NOW)
    assert not other.once("dpop", b"1", until=NOW + 60, now=NOW)
    assert other.once("assertion", b"1", until=NOW + 60, now=NOW)
    assert not state.once("dpop", b"1", until=NOW + 120, now=NOW + 60)
    assert state.once("dpop", b"1", until=NOW + 120, now=NOW + 61)  # it does not count any more


def test_a_code(state: State, opening: Open) -> None:
    other = opening()
    state.keep("code", "secret", b"family", {"user": "ada\x00\ud800"}, until=NOW + 60)
    assert other.look("code", "secret", now=NOW + 60) is None
    assert other.look("refresh", "secret", now=NOW) is None
    found = other.take("code", "secret", now=NOW)
    assert found is not None
    assert (found.family, dict(found.plain), found.used) == (b"family", {"user": "ada\x00\ud800"}, False)
    again = state.take("code", "secret", now=NOW)
    assert again is not None
    assert again.used
    assert other.is_revoked_family(b"family")


def test_an_heir(state: State) -> None:
    """Both, or neither; and none in a family that is over."""
    state.keep("refresh", "one", b"family", {"n": 1}, until=NOW + 60)
    state.take("refresh", "one", now=NOW, heir=Heir("refresh", "two", {"n": 2}, NOW + 600))
    two = state.look("refresh", "two", now=NOW + 599)
    assert two is not None
    assert (two.family, two.plain["n"], two.revoked) == (b"family", 2, False)
    state.revoke_family(b"family")
    taken = state.take("refresh", "two", now=NOW, heir=Heir("refresh", "three", {}, NOW + 600))
    assert taken is not None
    assert taken.revoked
    assert state.look("refresh", "three", now=NOW) is None


def test_an_heir_that_is_there_already(state: State) -> None:
    """Nothing is taken if what comes in its place cannot be kept."""
    for name in ("one", "two"):
        state.keep("refresh", name, b"family", {}, until=NOW + 60)
    with pytest.raises(StateError):
        state.take("refresh", "one", now=NOW, heir=Heir("refresh", "two", {}, NOW + 60))
    one = state.look("refresh", "one", now=NOW)
    assert one is not None
    assert not one.used


def test_access_tokens_that_are_over(state: State) -> None:
    state.keep("code", "c", b"\xff\xfe", {}, until=NOW)
    assert not state.is_over(b"d", "")
    state.revoke(b"d", until=NOW)
    state.revoke(b"d", until=NOW)
    assert state.is_over(b"d", "")
    assert not state.is_over(b"e", "__4")
    state.revoke_family_named("__4")
    assert state.is_over(b"e", "__4")
    state.revoke_family_named("no base64url \ud800")
    assert not state.is_over(b"e", "x")


def test_sweeping(state: State) -> None:
    state.keep("code", "old", b"1", {}, until=NOW)
    state.keep("code", "new", b"2", {}, until=NOW + 9)
    state.once("dpop", b"1", until=NOW, now=NOW)
    state.revoke(b"1", until=NOW)
    state.revoke(b"2", until=NOW + 9)
    state.sweep(NOW + 1)
    assert state.look("code", "old", now=0) is None
    assert state.look("code", "new", now=0) is not None
    assert (state.is_revoked(b"1"), state.is_revoked(b"2")) == (False, True)


def test_a_family_outlives_what_is_in_it(state: State) -> None:
    """Access tokens came of it, and live for up to a day after the last code or refresh token ran out."""
    state.keep("code", "c", b"1", {}, until=NOW)
    state.revoke_family(b"1")
    state.sweep(NOW + 86_400)
    assert state.look("code", "c", now=0) is None
    assert state.is_revoked_family(b"1")
    state.sweep(NOW + 3 * 86_400)
    assert not state.is_revoked_family(b"1")


def test_a_file_that_is_not_for_everybody(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        state = open_state(tmp_path / "state.db")
        state.revoke(b"1", until=NOW)
        assert {one.name[:8]: one.stat().st_mode & 0o777 for one in tmp_path.iterdir()} == {"state.db": 0o640}
        state.close()
    finally:
        os.umask(before)


def test_one_leads(state: State, opening: Open) -> None:
    other = opening()
    assert state.lead("rotation", "a", seconds=60)
    assert state.lead("rotation", "a", seconds=60)
    assert not other.lead("rotation", "b", seconds=60)
    assert other.lead("something else", "b", seconds=60)
    state.resign("a")
    assert other.lead("rotation", "b", seconds=60)


def test_a_lease_of_a_clock_that_was_wrong(state: State, opening: Open) -> None:
    assert state.lead("rotation", "a", seconds=1_000_000)
    assert opening().lead("rotation", "b", seconds=60)


def test_a_lease_that_is_over(state: State) -> None:
    assert state.lead("rotation", "a", seconds=-2)
    assert state.lead("rotation", "b", seconds=60)


def test_beats(state: State) -> None:
    for number in range(120):
        state.beat(Beat(f"boot-{number}", 1.5, NOW + number))
    state.beat(Beat("boot-119", 2.5, NOW + 500))
    beats = state.beats()
    assert len(beats) == 100
    assert beats[0] == Beat("boot-119", 2.5, NOW + 500)


def test_fetches(state: State) -> None:
    state.fetched([Fetch("i", "a", "k1", NOW, NOW), Fetch("i", "b", "k1", NOW + 5, NOW + 9)])
    state.fetched([Fetch("i", "a", "k1", NOW - 5, NOW + 5), Fetch("j", "a", "k1", NOW, NOW)])
    assert state.fetches("i") == [
        Fetch("i", "a", "k1", NOW - 5, NOW + 5),
        Fetch("i", "b", "k1", NOW + 5, NOW + 9),
    ]
    state.sweep(NOW + 91 * 86400)
    assert state.fetches("i") == []


def test_more_relying_parties_than_are_told_apart(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("sqlite_state", "postgres_state"):
        monkeypatch.setattr(f"immure.signing.{module}.MOST_FETCHES", 10)
    state.fetched([Fetch("i", f"{number:02}", "k", NOW, NOW) for number in range(50)])
    state.fetched([Fetch("i", f"{number:02}", "k", NOW, NOW) for number in range(50, 90)])
    assert {one.party for one in state.fetches("i")} == {*(f"{n:02}" for n in range(10)), "(others)"}


def test_once_is_once_whoever_asks(opening: Open) -> None:
    """Many threads of several connections show the same things at the same time."""
    states = [opening() for _ in range(3)]
    for number in range(6):
        states[0].keep("code", f"code {number}", os.urandom(16), {}, until=NOW + 60)

    def ask(turn: int) -> tuple[str, bool]:
        state, number = states[turn % 3], turn // 12
        if turn % 2:
            return f"once {number}", state.once("dpop", bytes([number]), until=NOW + 60, now=NOW)
        found = state.take("code", f"code {number}", now=NOW)
        return f"code {number}", found is not None and not found.used

    with ThreadPoolExecutor(12) as pool:
        won = Counter(name for name, first in pool.map(ask, range(72)) if first)
    assert won == {f"{kind} {number}": 1 for kind in ("once", "code") for number in range(6)}


class Model:
    """What a family of refresh tokens should be."""

    def __init__(self) -> None:
        self.known: dict[str, bool] = {}
        self.revoked = False


@settings(max_examples=25, deadline=None)
@given(turns=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.booleans()), max_size=25))
def test_a_family(turns: list[tuple[int, int, bool]]) -> None:
    """Whatever is shown in which order: nothing is good for twice, and after a second time nothing is."""
    state, model = SqliteState(":memory:"), Model()
    state.keep("refresh", "0", b"f", {}, until=NOW)
    model.known["0"] = False
    for shown, heir, renews in turns:
        name, new = str(shown), str(heir + 100 + len(model.known))
        found = state.take("refresh", name, now=0, heir=Heir("refresh", new, {}, NOW) if renews else None)
        if name not in model.known:
            assert found is None
            continue
        assert found is not None
        assert (found.used, found.revoked) == (model.known[name], model.revoked)
        if found.used:
            model.revoked = True
        elif renews and not model.revoked:
            model.known[new] = False
        model.known[name] = True
    assert state.is_revoked_family(b"f") == model.revoked
    state.close()


# --- what it is opened from ---


def test_an_older_layout(tmp_path: Path) -> None:
    """That of the first release has no leases; they are added, and what was used stays used."""
    from immure.signing import sqlite_state

    path = tmp_path / "state.db"
    with sqlite3.connect(path) as database:
        for statement in sqlite_state._FIRST:
            database.execute(statement)
        database.execute("PRAGMA user_version = 1")
        database.execute("INSERT INTO once VALUES ('dpop', ?, ?)", (b"1", NOW))
    database.close()
    state = open_state(path)
    assert not state.once("dpop", b"1", until=NOW, now=NOW)
    assert state.lead("rotation", "a", seconds=9)
    state.close()


@pytest.mark.parametrize("version", [0, 3])
def test_another_database(tmp_path: Path, version: int) -> None:
    path = tmp_path / "state.db"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE other (x)")
        database.execute(f"PRAGMA user_version = {version}")
    database.close()
    with pytest.raises(StateError, match="not the state of this service"):
        open_state(path)


def test_a_directory(tmp_path: Path) -> None:
    with pytest.raises(StateError):
        open_state(tmp_path)


def test_a_database_without_tables(postgres: Postgres) -> None:
    with pytest.raises(StateError, match="has no state of this service"):
        open_state(postgres.url(database=postgres.database()))


def test_a_newer_layout(postgres: Postgres) -> None:
    name = postgres.database()
    open_state(postgres.url(database=name), create=True).close()
    postgres.execute(name, "UPDATE immure_signing_layout SET version = 99")
    with pytest.raises(StateError, match="layout 99"):
        open_state(postgres.url(database=name))


def test_no_server_and_no_password_in_the_message() -> None:
    with pytest.raises(StateError) as caught:
        open_state("postgresql://ops:a-password@127.0.0.1:1/db?sslpassword=another")
    assert "password" not in str(caught.value)


def test_a_connection_that_is_lost(postgres: Postgres) -> None:
    """The call under way fails; the next one finds another connection."""
    name = postgres.database()
    state = open_state(postgres.url(database=name), create=True)
    try:
        postgres.execute(
            "postgres", f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
        )
        with pytest.raises(StateError):
            state.once("dpop", b"1", until=NOW, now=NOW)
        assert state.once("dpop", b"1", until=NOW, now=NOW)
    finally:
        state.close()


def test_closed(tmp_path: Path) -> None:
    import asyncio

    state = open_state(tmp_path / "state.db")
    state.close()

    async def ask() -> None:
        await state.ask(state.sweep, NOW)

    with pytest.raises(StateError, match="closed"):
        asyncio.run(ask())
    with pytest.raises(StateError):
        state.sweep(NOW)
