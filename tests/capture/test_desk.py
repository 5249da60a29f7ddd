"""The desk: everybody is accounted for, bounds hold, and one bad core costs no other."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from immure.capture import desk as desks
from immure.capture.counters import REASONS
from immure.capture.crash import Crash
from immure.capture.desk import Desk
from immure.capture.intake import Intake
from immure.capture.journal import Journal
from immure.capture.keeping import Keeper, Kept
from immure.capture.line import Bounds

from .helpers import CRASH, BytesChannel, MemoryVault, core, resources, wait_until

CORE = core(2)


class GatedKeeper(Keeper):
    """Finishes a core only when it is allowed to."""

    def __init__(self, vault: MemoryVault, gate: threading.Event | None = None) -> None:
        super().__init__("sealed", vault)
        object.__setattr__(self, "gate", gate)

    __slots__ = ("gate",)

    def finish(self, intake: Intake) -> Kept:
        if self.gate is not None:
            self.gate.wait(30)
        return super().finish(intake)


@contextmanager
def running(desk: Desk) -> Iterator[Desk]:
    thread = threading.Thread(target=desk.run, daemon=True)
    thread.start()
    try:
        yield desk
    finally:
        desk.close()
        thread.join(30)
        assert not thread.is_alive()


def make(tmp_path: Path, keeper: Keeper, bounds: Bounds, **more: object) -> Desk:
    return Desk(keeper, resources(tmp_path), bounds, workers=2, **more)  # type: ignore[arg-type]


def check(desk: Desk, arrived: int) -> None:
    counters = desk.counters
    assert counters.arrived == arrived == counters.captured + counters.dropped.total()
    assert counters.unaccounted == 0
    assert set(counters.dropped) <= set(REASONS)
    assert desk.resources.memory.used == desk.resources.disk.used == 0


@settings(max_examples=30, deadline=None)
@given(
    kinds=st.lists(st.sampled_from(["good", "empty", "broken", "bug"]), max_size=30),
    reading=st.integers(1, 3),
    more=st.integers(0, 3),
    waiting=st.integers(0, 10),
)
def test_whatever_comes_all_are_accounted_for(
    tmp_path_factory: pytest.TempPathFactory, kinds: list[str], reading: int, more: int, waiting: int
) -> None:
    make_channel: dict[str, Callable[[], BytesChannel]] = {
        "good": lambda: BytesChannel(CORE),
        "empty": lambda: BytesChannel(b""),
        "broken": lambda: BytesChannel(CORE, error=OSError(5, "Input/output error")),
        "bug": lambda: BytesChannel(CORE, error=ZeroDivisionError("surprise")),
    }
    channels = [make_channel[kind]() for kind in kinds]
    vault = MemoryVault()
    bounds = Bounds(reading, reading + more, waiting)
    desk = make(tmp_path_factory.mktemp("desk"), Keeper("sealed", vault), bounds)
    with running(desk):
        for channel in channels:
            desk.arrive(CRASH, channel)
    check(desk, len(kinds))
    assert desk.counters.captured == len(vault.dumps)
    assert all(channel.closed_at is not None for channel in channels)
    assert desk.counters.captured <= kinds.count("good")


def test_a_line_that_is_full_lets_the_oldest_go(tmp_path: Path) -> None:
    gate, vault = threading.Event(), MemoryVault()
    channels = [BytesChannel(CORE) for _ in range(10)]
    desk = make(tmp_path, GatedKeeper(vault, gate), Bounds(reading=1, in_hand=2, waiting=3))
    with running(desk):
        for number, channel in enumerate(channels):
            desk.arrive(replace(CRASH, pid=number + 1), channel)
            if number < 2:
                wait_until(lambda in_hand=number + 1: desk.line.in_hand == in_hand and not desk.line.reading)
        wait_until(lambda: desk.counters.dropped.total() == 5)
        assert [channel.refused for channel in channels] == [False] * 2 + [True] * 5 + [False] * 3
        assert not any(channel.begun for channel in channels[2:])
        gate.set()
        wait_until(lambda: desk.counters.captured == 5)
    check(desk, 10)
    assert [fact["pid"] for fact in desk.last if fact["outcome"] == "dropped"] == [3, 4, 5, 6, 7]


def test_nobody_is_held_for_longer_than_patience_lasts(tmp_path: Path) -> None:
    gate = threading.Event()
    waiting = BytesChannel(CORE)
    desk = make(tmp_path, GatedKeeper(MemoryVault(), gate), Bounds(1, 1, 9, patience=0.3))
    with running(desk):
        desk.arrive(CRASH, BytesChannel(CORE))
        desk.arrive(CRASH, waiting)
        wait_until(lambda: waiting.refused)
        gate.set()
    check(desk, 2)
    assert desk.counters.dropped == {"patience": 1}


def test_closing_finishes_what_is_in_hand(tmp_path: Path) -> None:
    gate, vault = threading.Event(), MemoryVault()
    first, second = BytesChannel(CORE, gate=gate), BytesChannel(CORE)
    desk = make(tmp_path, Keeper("sealed", vault), Bounds(1, 1, 9))
    with running(desk):
        desk.arrive(CRASH, first)
        desk.arrive(CRASH, second)
        desk.close()
        wait_until(lambda: second.refused)
        gate.set()
    check(desk, 2)
    assert (desk.counters.captured, desk.counters.dropped) == (1, {"stopping": 1})
    assert len(vault.dumps) == 1


def test_a_bug_costs_one_core(tmp_path: Path) -> None:
    class Broken(MemoryVault):
        def seal(self, pieces, *, name):  # type: ignore[no-untyped-def]
            if not self._count:
                self._count = 1
                raise ZeroDivisionError("surprise")
            return super().seal(pieces, name=name)

    desk = make(tmp_path, Keeper("sealed", Broken()), Bounds(1, 1, 9))
    with running(desk):
        desk.arrive(CRASH, BytesChannel(CORE))
        desk.arrive(CRASH, BytesChannel(CORE))
        wait_until(lambda: desk.counters.captured == 1)
    check(desk, 2)
    assert desk.counters.dropped == {"error": 1}
    assert desk.last[0]["detail"] == "ZeroDivisionError: surprise"


def test_no_thread_to_be_had_costs_one_core(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = make(tmp_path, Keeper("sealed", MemoryVault()), Bounds())

    def cannot(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    channel = BytesChannel(CORE)
    monkeypatch.setattr(desks, "Intake", cannot)
    with running(desk):
        desk.arrive(CRASH, channel)
    check(desk, 1)
    assert desk.counters.dropped == {"error": 1}
    assert channel.closed_at is not None


def test_events_are_lines_of_json_without_a_byte_of_the_core(tmp_path: Path) -> None:
    stream, marker = io.StringIO(), "immure-marker-that-must-not-be-told"
    desk = make(tmp_path, Keeper("sealed", MemoryVault()), Bounds(), journal=Journal(stream))
    with running(desk):
        desk.arrive(replace(CRASH, comm="a\nb\x1b[31m"), BytesChannel(marker.encode() * 1000))
        desk.arrive(CRASH, BytesChannel(b""))
        desk.refuse("process 7 is not being dumped")
        desk.rotated("sha256:0")
    events = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert sorted(event["event"] for event in events) == ["captured", "dropped", "refused", "rotated"]
    assert marker not in stream.getvalue()
    assert (desk.counters.refused, desk.counters.rotated) == (1, 1)


def test_what_is_kept_is_told_before_it_counts(tmp_path: Path) -> None:
    told: list[Crash] = []
    desk = make(
        tmp_path, Keeper("sealed", MemoryVault()), Bounds(), on_kept=lambda crash, kept: told.append(crash)
    )
    with running(desk):
        desk.arrive(CRASH, BytesChannel(CORE))
        wait_until(lambda: desk.counters.captured == 1)
        assert told == [CRASH]
