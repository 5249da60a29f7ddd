"""Releases on real parts (vault, log, policy file, directory), in any order with whatever others may do."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Generator
from datetime import timedelta
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from immure.auditlog import AuditLog
from immure.errors import ImmureError, LogError
from immure.transfer import ClearanceFile, FileSource, Request, install_policy, open_destination
from immure.transfer.gate import Step

from .material import NOW, RAM, World, clearance_json, envelope, sha256

CLEAN = b"a clean dump " * 100
OTHER = b"another clean one " * 100
DIRTY = b"the private key itself " * 100
SAME_NAME = st.sampled_from(["app.core", "b.core"])


class Breakable:
    """The real log, which can be told to fail."""

    def __init__(self, log: AuditLog) -> None:
        self._log = log
        self.broken = False

    def append(self, kind, body):
        if self.broken:
            raise LogError("No space left on device", path="entries.jsonl")
        return self._log.append(kind, body)

    def checkpoint(self):
        return self._log.checkpoint()


class Releases(RuleBasedStateMachine):
    """What is visible was cleared, under a policy that was in force, and the log had allowed it."""

    def __init__(self) -> None:
        super().__init__()
        self.top = Path(tempfile.mkdtemp(prefix="immure-", dir=RAM))
        self.world = World(self.top)
        self.world.dump.write_bytes(CLEAN)
        self.good, self.strict = self.world.policy.read_text(), self.top / "strict.toml"
        self.strict.write_text(self.good.replace('"4 MiB"', "10"))
        self.again = self.top / "again.toml"
        self.again.write_text(self.good)
        self.clear(CLEAN)
        self.log = Breakable(self.world.log)
        self.running: list[list] = []
        self.is_good = True

    def teardown(self) -> None:
        for steps, _ in self.running:
            steps.close()
        shutil.rmtree(self.top)

    def clear(self, dump: bytes) -> None:
        self.world.clearance.write_bytes(envelope(clearance_json(dump), dump, self.world.signer))

    # --- releases ---

    @precondition(lambda self: len(self.running) < 3)
    @rule(name=SAME_NAME, count=st.integers(0, 11))
    def begin(self, name: str, count: int) -> None:
        there = open_destination(str(self.world.out))
        source, clearance = FileSource(str(self.world.dump)), ClearanceFile(str(self.world.clearance))
        steps = self.world.gate(log=self.log, piece_bytes=1000).steps(Request(source, clearance, there, name))
        self.running.append([steps, None])
        self.go_on(-1, count)

    @precondition(lambda self: self.running)
    @rule(which=st.integers(0, 2), count=st.integers(1, 20))
    def go_on(self, which: int, count: int) -> None:
        turn = self.running[min(which, len(self.running) - 1)]
        while count and self._advance(turn):
            count -= 1

    @precondition(lambda self: self.running)
    @rule()
    def die(self) -> None:
        steps, _ = self.running.pop()
        steps.close()

    def _advance(self, turn: list) -> bool:
        steps: Generator[Step, None, object] = turn[0]
        before = set(self.world.visible())
        try:
            turn[1] = next(steps)
        except StopIteration:
            self.running.remove(turn)
        except ImmureError:
            self.running.remove(turn)
        self._judge(before)
        return turn in self.running

    def _judge(self, before: set[str]) -> None:
        """Whatever has become visible in this step."""
        allowed = {
            (entry.body["dump"]["sha256"], entry.body["name"])
            for entry in self.world.log.entries()
            if entry.kind == "release.allowed"
        }
        for name in set(self.world.visible()) - before:
            data = (self.world.out / name).read_bytes()
            assert data in (CLEAN, OTHER)
            assert (sha256(data), name) in allowed
            assert self.is_good
            assert NOW - timedelta(hours=1, minutes=5) <= self.world.now < NOW + timedelta(hours=1)

    # --- others ---

    @rule(
        data=st.sampled_from([CLEAN, CLEAN, OTHER, DIRTY]),
        over=st.booleans(),
        what=st.sampled_from([CLEAN, OTHER]),
    )
    def change_a_file(self, data: bytes, over: bool, what: bytes) -> None:
        """The dump is written over or replaced, or there is another clearance."""
        if not over:
            self.world.dump.unlink()
        self.world.dump.write_bytes(data)
        self.clear(what)

    @precondition(lambda self: all(reached is not Step.HELD for _, reached in self.running))
    @rule(good=st.booleans())
    def install_a_policy(self, good: bool) -> None:
        install_policy(self.again if good else self.strict, self.world.policy)
        self.is_good = good

    @rule(hours=st.sampled_from([0, 0, 2, -48]), broken=st.sampled_from([False, False, False, True]))
    def change_the_rest(self, hours: int, broken: bool) -> None:
        """The clock is set, and the log fails or works again."""
        self.world.now = NOW + timedelta(hours=hours)
        self.log.broken = broken

    @invariant()
    def nothing_but_dumps_is_visible(self) -> None:
        assert set(self.world.visible()) <= {"app.core", "b.core"}


Releases.TestCase.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
TestReleases = Releases.TestCase
