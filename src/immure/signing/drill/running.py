"""The drill: services that are crashed again and again, one backend beside the other.

A service lives for some crashes; a new one has other keys. What is done, in which order and when, comes from
the seed alone; what the processes were doing at that moment does not.
"""

from __future__ import annotations

import os
import random
import shutil
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from immure.custody.algorithms import Algorithm
from immure.errors import ImmureError, UsageError
from immure.signing.drill.backend import Backend
from immure.signing.drill.backends import BACKENDS, USUAL
from immure.signing.drill.cage import Cage, caged
from immure.signing.drill.canaries import Canary
from immure.signing.drill.errors import DrillError
from immure.signing.drill.house import House
from immure.signing.drill.looking import Mode
from immure.signing.drill.redacting import Redactions
from immure.signing.drill.report import Report
from immure.signing.drill.scene import Scene, free_of_cores
from immure.signing.drill.service import Running
from immure.signing.drill.trials import Trial, plan
from immure.signing.drill.ways import WAYS, WayName
from immure.signing.service import set_up

#: Algorithms of the two issuers, from one service to the next.
_ALGORITHMS: Final[tuple[tuple[Algorithm, Algorithm], ...]] = (
    ("RS256", "ES256"), ("ES256", "RS256"), ("RS256", "EdDSA"), ("EdDSA", "ES256"), ("PS256", "ES384"),
)  # fmt: skip
#: Crashes of one service, and crashes of a control that was not asked for.
_LIFE, _CONTROL = 24, 12
_MOST_FAILURES: Final = 5
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Options:
    """How to drill.

    Attributes:
        crashes: of each backend.
        seed: of all that is drawn.
        ways: to crash.
        mode: of the search for keys by their public halves.
        directory: where images are for a moment; the system's for temporary files by default.
        cores: directory where the kernel's core of process N arrives as ``core.N``, whole before N is gone;
            None if none arrives.
        jobs: services that are drilled at a time; what is drawn depends on it, too.
        algorithms: of the services' keys, in turn.
        progress: told of each crash: backend, how many, of how many.
        stopped: once it is set, the drill ends as soon as it can.
    """

    crashes: int = 50
    seed: int = 1
    ways: Collection[WayName] = WAYS
    mode: Mode = "quick"
    directory: str | None = None
    cores: Path | None = None
    jobs: int = 1
    algorithms: Sequence[tuple[Algorithm, Algorithm]] = _ALGORITHMS
    progress: Progress = field(default=lambda *_: None)
    stopped: threading.Event = field(default_factory=threading.Event)


def drill_signer(names: Sequence[str], options: Options) -> Report:
    """Drill backends; the control that must leak is drilled in any case, a little if it was not asked for.

    Raises:
        UsageError: a backend is unknown.
        DrillError: this takes root.
    """
    unknown = sorted(set(names) - BACKENDS.keys())
    if unknown:
        raise UsageError(f"unknown backend {unknown[0][:80]!a}; there are {', '.join(BACKENDS)}")
    if os.geteuid() != 0:
        raise DrillError("memory is read as root, who sees more than anybody else: run it as root")
    report = Report(options.seed)
    wanted = list(_wanted(names, options, report))
    tally = _Tally({kind.name: total for kind, total in wanted}, options.progress)
    began = time.monotonic()
    with _place(options.directory) as place, ThreadPoolExecutor(options.jobs) as workers:
        drills = [
            _BackendDrill(kind, part, crashes, place, options, report, tally)
            for kind, total in wanted
            for part, crashes in enumerate(_parts(total, max(1, options.jobs // len(wanted))))
        ]
        try:
            for done in as_completed([workers.submit(drill.run) for drill in drills]):
                done.result()
        except BaseException:
            options.stopped.set()
            raise
    report.strays = free_of_cores(options.cores)
    report.seconds = time.monotonic() - began
    return report


def _wanted(names: Sequence[str], options: Options, report: Report) -> Iterator[tuple[type[Backend], int]]:
    """Backends that can be drilled here, and how often."""
    wanted = dict.fromkeys(names or USUAL, options.crashes)
    for name, one in BACKENDS.items():
        if one.is_control:
            wanted.setdefault(name, min(options.crashes, _CONTROL))
            report.controls.add(name)
    for name, crashes in wanted.items():
        reason = BACKENDS[name].why_not()
        if reason is None:
            yield BACKENDS[name], crashes
            continue
        report.skipped[name] = reason
        if name in names:
            report.failed[name] = reason


@contextmanager
def _place(directory: str | None) -> Iterator[Path]:
    """A directory that only we may enter, gone after the block with all that is in it."""
    place = tempfile.mkdtemp(prefix="immure-drill-", dir=directory)
    try:
        yield Path(place)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _parts(total: int, count: int) -> list[int]:
    """So many crashes in so many parts that run beside one another."""
    return [total // count + (part < total % count) for part in range(min(total, count))]


class _Tally:
    """Counts the crashes of each backend, whichever part of its drill they are of."""

    def __init__(self, totals: dict[str, int], progress: Progress) -> None:
        self._totals, self._progress = totals, progress
        self._done: Counter[str] = Counter()
        self._lock = threading.Lock()

    def count(self, name: str) -> None:
        """One more."""
        with self._lock:
            self._done[name] += 1
            self._progress(name, self._done[name], self._totals[name])


class _BackendDrill:
    def __init__(
        self,
        kind: type[Backend],
        part: int,
        crashes: int,
        top: Path,
        options: Options,
        report: Report,
        tally: _Tally,
    ) -> None:
        self._kind, self._part, self._crashes, self._top = kind, part, crashes, top
        self._options, self._report, self._tally = options, report, tally
        seed = f"{options.seed} {kind.name} {part}"
        self._draw = random.Random(seed)  # noqa: S311 - to come out the same again
        self._done = 0

    def run(self) -> None:
        """One service after the other, until there were enough crashes."""
        failures = 0
        number = self._part  # so that the parts begin with different keys
        place = Path(tempfile.mkdtemp(dir=self._top))
        redactions = Redactions(place, self._draw, self._options.cores, self._options.stopped)
        while self._done < self._crashes and not self._options.stopped.is_set():
            before = self._done
            try:
                self._one_service(place / f"{number}", number, redactions)
            except ImmureError as error:
                failures = 1 if self._done > before else failures + 1
                self._report.again(error.reason)
                if failures >= _MOST_FAILURES:
                    self._report.failed[self._kind.name] = f"{error.reason} ({error.path or 'no file'})"
                    return
            else:
                failures = 0
            number += 1

    def _one_service(self, place: Path, number: int, redactions: Redactions) -> None:
        for name in ("service", "custody", "images"):
            (place / name).mkdir(mode=0o700, parents=True)
        steady, turning = self._options.algorithms[number % len(self._options.algorithms)]
        house = House(place / "service", steady, turning)
        canary = Canary.make(steady)
        backend = self._kind(place / "custody")
        bare = number % 2 == 1
        scene = Scene(
            house, backend, canary, place / "images", self._options.cores, bare, self._options.mode,
            self._draw, self._report, redactions, self._count, self._options.stopped,
        )  # fmt: skip
        try:
            settings = house.write(backend.custody)
            set_up(settings, origin="drill")
            backend.prepare(house, settings, canary)
            with caged(f"immure-drill-{os.getpid()}-{self._kind.name}-{self._part}") as cage:
                trials = self._trials(backend, cage)
                stopped = self._options.stopped
                with Running(
                    house, backend, bare=bare, cage=cage, stopped=stopped, bytecode=self._top / "bytecode"
                ) as service:
                    scene.play(service, trials)
            self._report.gave(service.tokens)
            scene.look_at_files()
        finally:
            backend.close()
            shutil.rmtree(place, ignore_errors=True)

    def _trials(self, backend: Backend, cage: Cage | None) -> list[Trial]:
        if cage is None and "oom" in self._options.ways:
            self._report.skipped["oom"] = "no memory cgroup can be made here"
        return plan(
            backend.parts(),
            self._options.ways,
            self._draw,
            min(_LIFE, self._crashes - self._done),
            redacts=backend.is_control,
            has_cage=cage is not None,
        )

    def _count(self) -> None:
        self._done += 1
        self._tally.count(self._kind.name)
