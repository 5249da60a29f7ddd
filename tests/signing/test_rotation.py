"""Rotation: by plan, after crashes, with two at once, and with clocks that lie."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from immure.errors import SignerError
from immure.keymaterial.key import OkpNumbers, Origin, PublicKey
from immure.registry.record import KeyRecord
from immure.registry.scope import KeyScope
from immure.registry.sqlite_store import SqliteStore
from immure.registry.state import KeyState
from immure.signing.errors import ClockError, NoKeyError, SigningError
from immure.signing.rotation import Action, KeyMaker, Plan, Rotator, Step
from immure.signing.watch import Watch

START = datetime(2026, 1, 1, tzinfo=UTC)
ISSUER = "https://login.example/consumer"
SCOPE = KeyScope(ISSUER, frozenset({"consumer"}))
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
PLAN = Plan(SCOPE, "EdDSA", "consumer", lifetime=30 * DAY, announce=DAY, overlap=DAY)


class Killed(Exception):
    """Stands for a kill -9: nothing after it happens."""


class Times:
    """A clock, and the seconds that really pass."""

    def __init__(self) -> None:
        self.moment = START
        self.passed = 0.0

    def now(self) -> datetime:
        return self.moment

    def monotonic(self) -> float:
        return self.passed

    def go(self, span: timedelta) -> None:
        self.moment += span
        self.passed += span.total_seconds()


class Budget:
    """How many calls until the process is killed; a call may be killed before or after its work."""

    def __init__(self) -> None:
        self.left: int | None = None

    def spend(self) -> None:
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                raise Killed


class Maker(KeyMaker):
    """Private keys in memory, which outlive the processes of the test."""

    def __init__(self, budget: Budget | None = None) -> None:
        self.keys: dict[str, Ed25519PrivateKey] = {}
        self.made: list[str] = []
        self.destroyed: list[str] = []
        self.counts: dict[str, int] = {}
        self.budget = budget or Budget()

    def generate(self, kid: str, plan: Plan) -> PublicKey:
        self.budget.spend()
        if kid in self.destroyed:
            raise SignerError("was destroyed")
        if kid not in self.keys:
            self.keys[kid] = Ed25519PrivateKey.generate()
            self.made.append(kid)
        self.budget.spend()
        raw = self.keys[kid].public_key().public_bytes_raw()
        return PublicKey(OkpNumbers("Ed25519", raw), Origin("holder"))

    def destroy(self, kid: str) -> None:
        self.budget.spend()
        self.keys.pop(kid, None)
        self.destroyed.append(kid)
        self.budget.spend()

    def uses(self, kid: str) -> int:
        return self.counts.get(kid, 0)


class Store(SqliteStore):
    """A registry whose writer can be killed before and after each write."""

    budget = Budget()

    def add(self, records: Any) -> None:
        self.budget.spend()
        super().add(records)
        self.budget.spend()

    def update(self, thumbprint: str, change: Any) -> KeyRecord:
        self.budget.spend()
        made = super().update(thumbprint, change)
        self.budget.spend()
        return made


class World:
    """A registry, private keys and a clock."""

    def __init__(self, path: Path, plan: Plan = PLAN) -> None:
        self.times = Times()
        self.budget = Budget()
        self.maker = Maker(self.budget)
        self.store = Store(path / "keys.db", create=True)
        self.store.budget = self.budget
        self.plan = plan
        self.start()

    def start(self, *, before: datetime | None = None, expected: datetime | None = None) -> None:
        """A new process."""
        watch = Watch(self.times.now, monotonic=self.times.monotonic, before=before, expected=expected)
        self.rotator = Rotator(self.store, self.maker, {ISSUER: self.plan}, watch=watch)

    def run(self) -> list[tuple[Action, str]]:
        return [(step.action, step.kid) for step in self.rotator.run()]

    def states(self) -> dict[str, KeyState]:
        return {record.kid: record.state for record in self.store.records()}


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_a_life(world: World) -> None:
    one, two = "consumer-0001", "consumer-0002"
    with pytest.raises(NoKeyError):
        world.rotator.signing(ISSUER)
    assert world.run() == [(Action.GENERATE, one), (Action.ACTIVATE, one)]
    assert world.run() == []
    assert world.rotator.signing(ISSUER).kid == one
    world.times.go(29 * DAY)
    assert world.run() == [(Action.GENERATE, two)]
    assert world.rotator.signing(ISSUER).kid == one
    world.times.go(DAY - HOUR)
    assert world.run() == []
    world.times.go(HOUR)
    assert world.run() == [(Action.ACTIVATE, two), (Action.DEACTIVATE, one)]
    assert world.rotator.signing(ISSUER).kid == two
    world.times.go(DAY - HOUR)
    assert world.run() == []
    world.times.go(HOUR)
    assert world.run() == [(Action.DESTROY, one)]
    assert world.states() == {one: KeyState.DESTROYED, two: KeyState.ACTIVE}
    assert list(world.maker.keys) == [two]


def test_a_next_key_that_came_late_is_still_announced(world: World) -> None:
    """The service was down while the next key should have been made: it is not used before anybody has it."""
    world.run()
    world.times.go(45 * DAY)
    assert world.run() == [(Action.GENERATE, "consumer-0002")]
    assert world.rotator.signing(ISSUER).kid == "consumer-0001"
    world.times.go(DAY)
    assert world.run()[0] == (Action.ACTIVATE, "consumer-0002")


def test_by_number_of_tokens(tmp_path: Path) -> None:
    world = World(tmp_path, Plan(SCOPE, "EdDSA", "consumer", announce=DAY, most_uses=1000))
    world.run()
    world.maker.counts["consumer-0001"] = 899
    assert world.run() == []
    world.maker.counts["consumer-0001"] = 900
    assert world.run() == [(Action.GENERATE, "consumer-0002")]
    world.maker.counts["consumer-0001"] = 1000
    assert world.run() == []  # not announced long enough: the key itself refuses more, if it has a quota
    world.times.go(DAY)
    assert world.run()[0] == (Action.ACTIVATE, "consumer-0002")


def test_emergency(world: World) -> None:
    world.run()
    steps = list(world.rotator.replace_now(ISSUER, "consumer-0001", reason="in a dump", by="ada"))
    assert [step.action for step in steps] == [Action.GENERATE, Action.ACTIVATE, Action.COMPROMISE]
    assert world.states() == {"consumer-0001": KeyState.COMPROMISED, "consumer-0002": KeyState.ACTIVE}
    assert list(world.rotator.replace_now(ISSUER, "consumer-0001", reason="in a dump", by="ada")) == []
    change = world.store.find("consumer-0001").history[-1]
    assert (change.reason, change.by) == ("in a dump", "ada")


def test_emergency_takes_the_announced_key(world: World) -> None:
    world.run()
    world.times.go(29 * DAY)
    world.run()
    steps = list(world.rotator.replace_now(ISSUER, "consumer-0001", reason="r", by="ada"))
    assert [(step.action, step.kid) for step in steps] == [
        (Action.ACTIVATE, "consumer-0002"),
        (Action.COMPROMISE, "consumer-0001"),
    ]


def test_emergency_of_a_key_that_does_not_sign_any_more(world: World) -> None:
    world.run()
    world.times.go(29 * DAY)
    world.run()
    world.times.go(DAY)
    world.run()
    steps = list(world.rotator.replace_now(ISSUER, "consumer-0001", reason="r", by="ada"))
    assert [(step.action, step.kid) for step in steps] == [(Action.COMPROMISE, "consumer-0001")]
    assert world.rotator.signing(ISSUER).kid == "consumer-0002"


def test_emergency_of_the_announced_key(world: World) -> None:
    world.run()
    world.times.go(29 * DAY)
    world.run()
    steps = list(world.rotator.replace_now(ISSUER, "consumer-0002", reason="r", by="ada"))
    assert [(step.action, step.kid) for step in steps] == [(Action.COMPROMISE, "consumer-0002")]
    assert world.run() == [(Action.GENERATE, "consumer-0003")]


def test_emergency_when_the_clock_was_set(world: World) -> None:
    world.run()
    world.times.moment += 400 * DAY
    with pytest.raises(ClockError):
        world.run()
    assert len(list(world.rotator.replace_now(ISSUER, "consumer-0001", reason="r", by="ada"))) == 3


def test_a_compromise_while_the_clock_was_set(world: World) -> None:
    """Another process, or a person, has marked the key; somebody must sign, whatever the clock says."""
    world.run()
    record = world.store.find("consumer-0001")
    world.store.change_state(
        record.thumbprint, KeyState.COMPROMISED, reason="?", by="ada", now=world.times.now
    )
    world.times.moment += 400 * DAY
    with pytest.raises(ClockError):
        world.run()
    assert world.rotator.signing(ISSUER).kid == "consumer-0002"


@pytest.mark.parametrize("kid", ["consumer-0002", ""])
def test_emergency_of_a_key_that_is_not_there(world: World, kid: str) -> None:
    world.run()
    with pytest.raises(SigningError, match="has no key"):
        list(world.rotator.replace_now(ISSUER, kid, reason="r", by="ada"))


def test_a_suspended_key_is_left_to_people(world: World) -> None:
    world.run()
    record = world.store.find("consumer-0001")
    world.store.change_state(record.thumbprint, KeyState.SUSPENDED, reason="?", by="ada", now=world.times.now)
    assert world.run() == []
    with pytest.raises(NoKeyError):
        world.rotator.signing(ISSUER)


@pytest.mark.parametrize("jump", [400 * DAY, -400 * DAY, timedelta(minutes=2), -timedelta(minutes=2)])
def test_a_clock_that_was_set(world: World, jump: timedelta) -> None:
    world.run()
    world.times.go(29 * DAY)
    world.run()
    world.times.moment += jump
    before = world.states()
    with pytest.raises(ClockError):
        world.run()
    assert world.states() == before


def test_a_clock_that_was_wrong_when_the_process_began(world: World) -> None:
    """Set by a year while nothing ran: the announced key, which nobody may have seen, waits; nothing is
    destroyed."""
    world.run()
    world.times.go(29 * DAY)
    world.run()
    last = world.times.moment
    world.times.moment += 365 * DAY
    world.start(before=last)
    assert world.run() == []
    world.times.go(DAY)
    assert world.run()[0] == (Action.ACTIVATE, "consumer-0002")


def test_a_clock_that_was_set_back_between_processes(world: World) -> None:
    world.run()
    world.times.go(DAY)
    last = world.times.moment
    world.times.moment -= 7 * DAY
    world.start(before=last)
    with pytest.raises(ClockError):
        world.run()


BAD_PLANS: list[tuple[str, dict[str, Any]]] = [
    ("announced longer than it signs", {"lifetime": DAY, "announce": DAY}),
    ("negative announcement", {"announce": -DAY}),
    ("negative overlap", {"overlap": -DAY}),
    ("no uses", {"most_uses": 0}),
]


@pytest.mark.parametrize(("what", "changes"), BAD_PLANS, ids=[what for what, _ in BAD_PLANS])
def test_plans_that_cannot_be(what: str, changes: dict[str, Any]) -> None:
    with pytest.raises(SigningError):
        Plan(SCOPE, "EdDSA", "consumer", **changes)


def test_a_plan_of_another_issuer(world: World) -> None:
    with pytest.raises(SigningError):
        Rotator(world.store, world.maker, {"https://other.example": PLAN})


class Invariants:
    """What holds at any time, whatever was killed: looked at after each step."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.published_since: dict[str, datetime] = {}
        self.was: dict[str, list[KeyState]] = {}

    def look(self) -> None:
        world = self.world
        records = world.store.records()
        for record in records:
            self.published_since.setdefault(record.kid, world.times.moment)
            seen = self.was.setdefault(record.kid, [])
            states = [change.state for change in record.history]
            assert states[: len(seen)] == seen  # a history only grows
            self.was[record.kid] = states
            if record.state is not KeyState.DESTROYED:
                assert record.kid in world.maker.keys or record.kid in world.maker.destroyed
        active = [record for record in records if record.state is KeyState.ACTIVE]
        assert len(active) <= 2
        assert sum(record.state is KeyState.PRE_ACTIVE for record in records) <= 1
        for record in active[1:] if len(records) > 1 else []:
            assert world.times.moment - self.published_since[record.kid] >= world.plan.announce
        assert len(world.maker.made) == len(set(world.maker.made)) <= len(records) + 1


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 40 * 24), st.one_of(st.none(), st.integers(0, 9))), min_size=5, max_size=60
    )
)
def test_killed_at_any_step(
    tmp_path_factory: pytest.TempPathFactory, events: list[tuple[int, int | None]]
) -> None:
    """Hours pass, a process runs, and is killed after so many calls; the next goes on."""
    world = World(tmp_path_factory.mktemp("rotation"))
    checked = Invariants(world)
    for hours, life in events:
        world.times.go(hours * HOUR)
        world.budget.left = life
        world.start(before=world.times.moment)
        try:
            for _ in world.rotator.run():
                checked.look()
        except Killed:
            pass
        world.budget.left = None
        checked.look()
    world.start(before=world.times.moment)
    world.run()
    assert world.rotator.signing(ISSUER).state is KeyState.ACTIVE
    made = {record.kid for record in world.store.records()}
    assert set(world.maker.made) == made  # no private key without a record
    world.store.close()


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 24)), min_size=10, max_size=150))
def test_two_at_once(tmp_path_factory: pytest.TempPathFactory, turns: list[tuple[bool, int]]) -> None:
    """Two processes, whose steps are mixed in any order."""
    world = World(tmp_path_factory.mktemp("rotation"))
    checked = Invariants(world)
    runs: list[Iterator[Step] | None] = [None, None]
    for which, hours in turns:
        world.times.go(hours * HOUR)
        number = int(which)
        run = runs[number] or iter(world.rotator.run())
        step = next(run, None)
        runs[number] = None if step is None else run
        checked.look()
    for run in runs:
        for _ in run or ():
            checked.look()
    world.run()
    assert len([one for one in world.store.records() if one.state is KeyState.ACTIVE]) == 1
    world.store.close()


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 8), max_size=12), st.booleans())
def test_emergency_killed_at_any_step(
    tmp_path_factory: pytest.TempPathFactory, lives: list[int], announced: bool
) -> None:
    world = World(tmp_path_factory.mktemp("rotation"))
    world.run()
    if announced:
        world.times.go(29 * DAY)
        world.run()
    for life in [*lives, None]:
        world.budget.left = life
        with suppress(Killed):
            list(world.rotator.replace_now(ISSUER, "consumer-0001", reason="r", by="ada"))
        world.budget.left = None
        assert world.rotator.signing(ISSUER)  # somebody always signs
    assert world.states() == {"consumer-0001": KeyState.COMPROMISED, "consumer-0002": KeyState.ACTIVE}
    world.store.close()
