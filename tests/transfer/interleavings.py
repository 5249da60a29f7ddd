"""Explores how releases and changes of the world can interleave, one step at a time.

A *scenario* names actors. A *schedule* says whose step is next, until all are done. :func:`every_schedule`
goes through all of them, by running again from the beginning and going another way at the last fork;
:func:`some_schedules` draws them at random. The steps of a release are those of the real
:class:`~immure.transfer.gate.Gate`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from itertools import combinations

from immure.auditlog import Entry
from immure.errors import ImmureError
from immure.transfer import Gate, Request
from immure.transfer.policy import Policy

from .model import (
    ALLOWED,
    BROKEN,
    CLEAN,
    DIRTY,
    ELSEWHERE,
    FOR_ONE,
    NOW,
    OTHER,
    PIECE_BYTES,
    STRICT,
    Crashed,
    MemoryClearance,
    MemoryDestination,
    MemoryLog,
    MemoryPolicies,
    MemorySource,
    MemoryStore,
    Process,
    Verifier,
    World,
    evidence,
)

#: Makes a gate out of its parts: the real one, or one that does something wrong.
MakeGate = Callable[..., Gate]


class Actor:
    """Somebody who does one thing after another."""

    def __init__(self, steps: Iterator[object], ready: Callable[[], bool] = lambda: True) -> None:
        self._steps = steps
        self._ready = ready
        self.done = False
        self.error: BaseException | None = None

    @property
    def enabled(self) -> bool:
        return not self.done and self._ready()

    def step(self) -> None:
        try:
            next(self._steps)
        except StopIteration:
            self.done = True
        except (ImmureError, Crashed) as error:
            self.done, self.error = True, error


def _release(world: World, make: MakeGate, path: str) -> tuple[Actor, Process]:
    process = Process()
    gate = make(
        store=MemoryStore(world, process),
        policies=MemoryPolicies(world, process),
        verifier=Verifier(),
        log=MemoryLog(world, process),
        clock=world.clock,
        piece_bytes=PIECE_BYTES,
    )
    source, clearance = MemorySource(world, path), MemoryClearance(world, path)
    request = Request(source, clearance, MemoryDestination(world, process), path.partition("-")[0])
    return Actor(gate.steps(request)), process


def _changes(*changes: Callable[[], object], ready: Callable[[], bool] = lambda: True) -> Actor:
    def steps() -> Iterator[None]:
        for change in changes[:-1]:
            change()
            yield
        changes[-1]()

    return Actor(steps(), ready)


def _swap(world: World) -> Actor:
    return _changes(lambda: world.files.update({"app.core": DIRTY}))


def _swap_and_back(world: World) -> Actor:
    files = world.files
    return _changes(lambda: files.update({"app.core": DIRTY}), lambda: files.update({"app.core": CLEAN}))


def _swap_link(world: World) -> Actor:
    links = world.links
    links["app.core"] = "good"
    return _changes(lambda: links.update({"app.core": "bad"}))


def _dirty_then_clean(world: World) -> Actor:
    world.files["app.core"] = DIRTY
    return _changes(lambda: world.files.update({"app.core": CLEAN}))


def _other_clearance(world: World) -> Actor:
    return _changes(lambda: world.clearances.update({"app.core": evidence()["other"]}))


def _forged_clearance(world: World) -> Actor:
    return _changes(lambda: world.clearances.update({"app.core": evidence()["forged"]}))


def _install(text: bytes) -> Callable[[World], Actor]:
    """Under the lock, as ``install_policy`` does it: not while a release is in its last step."""

    def actor(world: World) -> Actor:
        return _changes(lambda: setattr(world, "policy", text), ready=lambda: world.holds == 0)

    return actor


def _edit(text: bytes, *more: bytes) -> Callable[[World], Actor]:
    """By an editor that knows of no lock."""

    def actor(world: World) -> Actor:
        return _changes(*(partial(setattr, world, "policy", new) for new in (text, *more)))

    return actor


def _clock(hours: int) -> Callable[[World], Actor]:
    def actor(world: World) -> Actor:
        return _changes(lambda: setattr(world, "now", NOW + timedelta(hours=hours)))

    return actor


def _log_breaks(world: World) -> Actor:
    return _changes(lambda: setattr(world, "log_fails", True))


def _log_comes_back(world: World) -> Actor:
    world.log_fails = True
    return _changes(lambda: setattr(world, "log_fails", False))


def _sealed_is_altered(world: World) -> Actor:
    def alter() -> None:
        for name in world.sealed:
            world.sealed[name] = DIRTY

    return _changes(alter)


def _destination_vanishes(world: World) -> Actor:
    return _changes(lambda: setattr(world, "gone", True))


#: What may happen beside a release; each of one step, or two.
CHANGES: dict[str, Callable[[World], Actor]] = {
    "file swapped": _swap,
    "file swapped and back": _swap_and_back,
    "link turned": _swap_link,
    "dirty, then clean": _dirty_then_clean,
    "other clearance": _other_clearance,
    "forged clearance": _forged_clearance,
    "policy installed": _install(STRICT),
    "policy installed for one": _install(FOR_ONE),
    "policy edited": _edit(ELSEWHERE),
    "policy edited and back": _edit(STRICT, ALLOWED),
    "policy broken": _edit(BROKEN),
    "clock ahead": _clock(2),
    "clock back": _clock(-48),
    "log breaks": _log_breaks,
    "log comes back": _log_comes_back,
    "sealed copy altered": _sealed_is_altered,
    "destination vanishes": _destination_vanishes,
}


@dataclass(frozen=True)
class Scenario:
    """Who acts: releases (by the path of their dump), changes, and whether the first release may die."""

    releases: tuple[str, ...] = ("app.core",)
    changes: tuple[str, ...] = ()
    crash: bool = False
    make: MakeGate = Gate

    @property
    def name(self) -> str:
        return " + ".join([*self.releases, *self.changes, *(["crash"] if self.crash else [])])

    def begin(self) -> tuple[World, list[Actor]]:
        world = World()
        world.files |= {"app.core-2": OTHER, "b.core": OTHER}
        world.clearances |= {name: evidence()["other"] for name in ("app.core-2", "b.core")}
        world.clearances["app.core-3"] = evidence()["clean"]
        world.files["app.core-3"] = CLEAN
        actors = [CHANGES[name](world) for name in self.changes]
        processes = []
        for path in self.releases:
            actor, process = _release(world, self.make, path)
            actors.append(actor)
            processes.append(process)
        if self.crash:
            actors.append(_changes(lambda: setattr(processes[0], "dead", True)))
        return world, actors


@dataclass
class Run:
    """One way things went: the schedule, at each fork how many ways there were, the world and the actors."""

    schedule: tuple[int, ...]
    widths: tuple[int, ...]
    world: World
    actors: list[Actor]


def run(scenario: Scenario, choose: Callable[[int, int], int]) -> Run:
    """Act it out; ``choose(step, ways)`` says whose turn it is among those who can act."""
    world, actors = scenario.begin()
    schedule: list[int] = []
    widths: list[int] = []
    while enabled := [actor for actor in actors if actor.enabled]:
        pick = choose(len(schedule), len(enabled))
        schedule.append(pick)
        widths.append(len(enabled))
        enabled[pick].step()
    return Run(tuple(schedule), tuple(widths), world, actors)


def every_schedule(scenario: Scenario) -> Iterator[Run]:
    """All ways things can go, each once."""
    prefix: list[int] | None = []
    while prefix is not None:
        fixed = prefix
        done = run(scenario, lambda step, ways, fixed=fixed: fixed[step] if step < len(fixed) else 0)
        yield done
        prefix = _next_fork(done)


def _next_fork(done: Run) -> list[int] | None:
    for step in reversed(range(len(done.schedule))):
        if done.schedule[step] + 1 < done.widths[step]:
            return [*done.schedule[:step], done.schedule[step] + 1]
    return None


def some_schedules(scenario: Scenario, count: int, chance: random.Random) -> Iterator[Run]:
    """``count`` ways things can go, drawn at random, no two the same (fewer if there are hardly so many)."""
    seen: set[tuple[int, ...]] = set()
    for _ in range(4 * count):
        if len(seen) == count:
            return
        done = run(scenario, lambda step, ways: chance.randrange(ways))
        if done.schedule not in seen:
            seen.add(done.schedule)
            yield done


def scenarios(changes: int, *releases: str, crash: bool = False) -> list[Scenario]:
    """With every choice of so many changes."""
    return [Scenario(releases or ("app.core",), chosen, crash) for chosen in combinations(CHANGES, changes)]


def complaints(done: Run) -> list[str]:
    """What is wrong with a way things went."""
    world = done.world
    found = list(world.violations)
    if world.holds:
        found.append("a lock on the policy is left")
    for name, data in world.visible.items():
        if data not in (CLEAN, OTHER):
            found.append(f"{name} holds bytes that were never cleared")
    for actor in done.actors:
        if actor.error is not None and not isinstance(actor.error, (ImmureError, Crashed)):
            found.append(f"{actor.error!r}")
    return found


# --- gates that do something wrong, to see that it is found ---


class NaiveGate(Gate):
    """Looks at the file, and then opens it again to send it."""

    def steps(self, request):
        inner = super().steps(request)
        allowed = None
        for step in inner:
            yield step
            if step.name == "LOGGED":
                allowed = step
                break
        assert allowed is not None
        inner.close()
        data = request.source.world.at(request.source.path)
        with request.destination.stage(request.name, len(data)) as stage:
            stage.write(data)
            yield
            stage.commit("")
        yield


class ForgetfulGate(Gate):
    """Does not ask again before the last step."""

    def _check_again(self, decision, policy: Policy, path: str) -> None:
        pass


class UnlockedGate(Gate):
    """Reads the policy again, but does not hold it."""

    def __init__(self, **parts) -> None:
        super().__init__(**parts)
        policies = parts["policies"]

        class Loose:
            read = policies.read

            def held(self):
                from contextlib import nullcontext

                return nullcontext(policies.read())

        self._policies = Loose()


class TrustingGate(Gate):
    """Does not compare what it has sent."""

    def _stage(self, stage, case):
        reader = self._store.open_dump(f"sha256:{case.sha256}")
        stage.write(reader.read(0, 100))
        yield


class LateGate(Gate):
    """Logs when it is done, and not before."""

    def __init__(self, *, log, **parts) -> None:
        class Late:
            def append(self, kind, body):
                if kind == "release.allowed":
                    return Entry(0, NOW, kind, body, b"")
                return log.append(kind, body)

            checkpoint = log.checkpoint

        super().__init__(log=Late(), **parts)


FAULTY: dict[str, tuple[MakeGate, str]] = {
    "naive": (NaiveGate, "not cleared under the policy in force"),
    "forgetful": (ForgetfulGate, "not cleared under the policy in force"),
    "unlocked": (UnlockedGate, "not cleared under the policy in force"),
    "trusting": (TrustingGate, "not cleared under the policy in force"),
    "late": (LateGate, "the log has not allowed it before"),
}


def sample(count: int, seed: int, all_scenarios: Sequence[Scenario]) -> Iterator[tuple[Scenario, Run]]:
    """``count`` ways over many scenarios, about as many in each."""
    chance = random.Random(seed)
    each = max(1, -(-count // len(all_scenarios)))
    left = count
    for scenario in all_scenarios:
        for done in some_schedules(scenario, min(each, left), chance):
            left -= 1
            yield scenario, done
