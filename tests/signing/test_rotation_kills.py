"""Rotation by processes that are killed with SIGKILL, before and after each step; and clocks that jump."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from immure.errors import ImmureError
from immure.registry.sqlite_store import SqliteStore
from immure.registry.state import KeyState
from immure.signing.errors import ClockError
from immure.signing.file_keys import FileKeys
from immure.signing.heartbeat import Beat, expected
from immure.signing.rotation import Plan, Rotator
from immure.signing.watch import Watch
from signing.test_rotation import DAY, HOUR, ISSUER, SCOPE, START, World

PLAN = Plan(SCOPE, "EdDSA", "consumer", lifetime=30 * DAY, announce=DAY, overlap=DAY)
#: Where a process can be killed: before or after a call that lasts.
STEPS = [(name, when) for name in ("generate", "add", "update", "destroy") for when in ("before", "after")]
#: Days on which a process runs: a first key; the next one is announced; takes over; the old one is destroyed.
DAYS = (0, 29, 30, 31)


def killed_at(call: Callable[..., Any], when: str, turn: int) -> Callable[..., Any]:
    """The call, in which the process kills itself the n-th time."""
    left = [turn]

    def killing(*arguments: Any, **named: Any) -> Any:
        left[0] -= 1
        if left[0] == 0 and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = call(*arguments, **named)
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    return killing


def process(directory: Path, now: datetime, kill: tuple[str, str, int] | None, emergency: str = "") -> int:
    """How a process ended that looked at what is due: 0, or the signal."""
    pid = os.fork()
    if pid == 0:
        code = 99
        try:
            store, keys = SqliteStore(directory / "keys.db"), FileKeys(directory / "private")
            if kill is not None:
                name, when, turn = kill
                target: Any = store if name in ("add", "update") else keys
                setattr(target, name, killed_at(getattr(target, name), when, turn))
            rotator = Rotator(store, keys, {ISSUER: PLAN}, watch=Watch(lambda: now, monotonic=lambda: 0.0))
            if emergency:
                list(rotator.replace_now(ISSUER, emergency, reason="r", by="ada"))
            list(rotator.run())
            code = 0
        except ImmureError:
            code = 98
        finally:
            os._exit(code)
    _, status = os.waitpid(pid, 0)
    return os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def states(directory: Path) -> dict[str, KeyState]:
    store = SqliteStore(directory / "keys.db")
    try:
        return {record.kid: record.state for record in store.records()}
    finally:
        store.close()


def private(directory: Path) -> set[str]:
    return {path.stem for path in (directory / "private").glob("*.pem")}


#: A process writes two states of keys on some days.
TURNS = [(name, when, 1) for name, when in STEPS] + [("update", "before", 2), ("update", "after", 2)]


@pytest.mark.parametrize(("name", "when", "turn"), TURNS, ids=[f"{w} {n} {t}" for n, w, t in TURNS])
def test_killed(tmp_path: Path, name: str, when: str, turn: int) -> None:
    """On each day the first process is killed at that step; the next one ends where it would have ended."""
    SqliteStore(tmp_path / "keys.db", create=True).close()
    kills = 0
    for day in DAYS:
        now = START + day * DAY
        ended = process(tmp_path, now, (name, when, turn))
        assert ended in (0, signal.SIGKILL)
        if ended == 0:
            continue
        kills += 1
        assert sum(one is KeyState.ACTIVE for one in states(tmp_path).values()) <= 2
        assert process(tmp_path, now, None) == 0
        assert list(states(tmp_path).values()).count(KeyState.ACTIVE) == 1
    assert states(tmp_path) == {"consumer-0001": KeyState.DESTROYED, "consumer-0002": KeyState.ACTIVE}
    assert private(tmp_path) == {"consumer-0002"}
    assert kills > 0


EMERGENCY = [one for one in TURNS if one[0] != "destroy"]


@pytest.mark.parametrize(("name", "when", "turn"), EMERGENCY, ids=[f"{w} {n} {t}" for n, w, t in EMERGENCY])
def test_killed_in_an_emergency(tmp_path: Path, name: str, when: str, turn: int) -> None:
    SqliteStore(tmp_path / "keys.db", create=True).close()
    assert process(tmp_path, START, None) == 0
    assert process(tmp_path, START, (name, when, turn), "consumer-0001") == signal.SIGKILL
    assert KeyState.ACTIVE in states(tmp_path).values()  # somebody always signs
    assert process(tmp_path, START, None, "consumer-0001") == 0
    assert states(tmp_path) == {"consumer-0001": KeyState.COMPROMISED, "consumer-0002": KeyState.ACTIVE}


# --- clocks that jump ---

JUMPS = st.one_of(st.just(0), st.integers(-400 * 86400, 400 * 86400))


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 40 * 24), JUMPS, st.booleans(), st.booleans()), min_size=3, max_size=30)
)
def test_a_clock_that_jumps(
    tmp_path_factory: pytest.TempPathFactory, events: list[tuple[int, int, bool, bool]]
) -> None:
    """Hours pass, the clock is set, the process may start anew, the machine too. Whatever happens: no key
    signs that was published for less than its announcement, less what one start of the machine may hide; none
    is destroyed before its overlap; none comes back."""
    world = World(tmp_path_factory.mktemp("rotation"))
    world.run()
    true, boot, beats = 0.0, 0, [Beat("0", 0.0, int(START.timestamp()))]
    published: dict[str, float] = {"consumer-0001": 0.0}
    retired: dict[str, float] = {}
    last = {"consumer-0001": KeyState.ACTIVE}
    hidden = 0.0
    for hours, jump, restarts, reboots in events:
        world.times.go(hours * HOUR)
        true += hours * 3600
        world.times.moment = max(world.times.moment + timedelta(seconds=jump), START - 300 * DAY)
        if reboots:
            boot += 1
            hidden += 3600
        if restarts or reboots:
            newest = max(beats, key=lambda beat: beat.at)
            world.start(
                before=datetime.fromtimestamp(newest.at, UTC), expected=expected(beats, str(boot), true)
            )
        try:
            world.run()
            beats.append(Beat(str(boot), true, int(world.times.moment.timestamp())))
        except ClockError:
            pass
        for kid, state in world.states().items():
            published.setdefault(kid, true)
            if state is not last.get(kid):
                _check(
                    kid,
                    last.get(kid),
                    state,
                    true - published[kid] + hidden,
                    true - retired.get(kid, true) + hidden,
                )
                if state is KeyState.DEACTIVATED:
                    retired[kid] = true
                last[kid] = state
    world.store.close()


def _check(kid: str, before: KeyState | None, after: KeyState, published: float, retired: float) -> None:
    if after is KeyState.ACTIVE:
        assert before is KeyState.PRE_ACTIVE, f"{kid} came back"
        assert published >= DAY.total_seconds() - 60, f"{kid} signs, and nobody has seen it"
    if after is KeyState.DESTROYED:
        assert before is KeyState.DEACTIVATED
        assert retired >= DAY.total_seconds() - 60, f"{kid} is gone before its last token"
