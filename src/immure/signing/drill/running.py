"""The drill: services that are crashed again and again, a backend after the other.

A service lives for some crashes; a new one has other keys. What is done, in which order and when, comes from
the seed alone; what the processes were doing at that moment does not.
"""

from __future__ import annotations

import os
import random
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from immure.custody.algorithms import Algorithm
from immure.errors import ImmureError, UsageError
from immure.registry.opening import open_store
from immure.registry.state import KeyState
from immure.signing.drill.backends import BACKENDS, USUAL, Backend
from immure.signing.drill.cage import Cage, caged
from immure.signing.drill.canaries import Canary
from immure.signing.drill.errors import DrillError, EndedError, GoneError
from immure.signing.drill.house import TURNING, URL, House
from immure.signing.drill.looking import Mode, Residue, look
from immure.signing.drill.redacting import Redactions
from immure.signing.drill.report import Part, Report, Row
from immure.signing.drill.service import MOST_HOLDERS, Running
from immure.signing.drill.ways import WAYS, Cores, Taken, WayName, take
from immure.signing.service import set_up

#: Algorithms of the two issuers, from one service to the next.
_ALGORITHMS: Final[tuple[tuple[Algorithm, Algorithm], ...]] = (
    ("RS256", "RS256"), ("ES256", "RS256"), ("RS256", "ES256"), ("PS256", "ES384"),
)  # fmt: skip
_MOMENTS: Final = ("load", "load", "key load", "rotation")
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
        mode: of the search for keys by their public halves.
        directory: where images are for a moment; the system's for temporary files by default.
        cores: lets the kernel write cores into a directory; None if we may not.
        algorithms: of the services' keys, in turn.
        progress: told of each crash: backend, how many, of how many.
    """

    crashes: int = 50
    seed: int = 1
    mode: Mode = "quick"
    directory: str | None = None
    cores: Cores | None = None
    algorithms: Sequence[tuple[Algorithm, Algorithm]] = _ALGORITHMS
    progress: Progress = field(default=lambda *_: None)


@dataclass(frozen=True, slots=True)
class Trial:
    """One thing to do to one process."""

    part: Part
    way: WayName
    moment: str


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
    began = time.monotonic()
    wanted = dict.fromkeys(names or USUAL, options.crashes)
    for name, one in BACKENDS.items():
        if one.is_control:
            wanted.setdefault(name, min(options.crashes, _CONTROL))
            report.controls.add(name)
    for name, crashes in wanted.items():
        reason = BACKENDS[name].why_not()
        if reason is not None:
            report.skipped[name] = reason
            if name in names:
                report.failed[name] = reason
            continue
        _BackendDrill(BACKENDS[name], crashes, options, report).run()
    report.seconds = time.monotonic() - began
    return report


class _BackendDrill:
    def __init__(self, kind: type[Backend], crashes: int, options: Options, report: Report) -> None:
        self._kind, self._crashes, self._options, self._report = kind, crashes, options, report
        self._draw = random.Random(f"{options.seed} {kind.name}")  # noqa: S311 - to come out the same again
        self._done = 0
        self._failures = 0

    def run(self) -> None:
        """One service after the other, until there were enough crashes."""
        number = 0
        while self._done < self._crashes:
            before = self._done
            try:
                with self._place() as place, caged(f"immure-drill-{os.getpid()}") as cage:
                    self._one_service(place, cage, number)
            except ImmureError as error:
                self._failures = 1 if self._done > before else self._failures + 1
                self._report.retries[error.reason] += 1
                if self._failures >= _MOST_FAILURES:
                    self._report.failed[self._kind.name] = f"{error.reason} ({error.path or 'no file'})"
                    return
            else:
                self._failures = 0
            number += 1

    @contextmanager
    def _place(self) -> Iterator[Path]:
        """A directory that only we may enter, gone after the block with all that is in it."""
        place = tempfile.mkdtemp(prefix="immure-drill-", dir=self._options.directory)
        try:
            for name in ("service", "custody", "images"):
                os.mkdir(os.path.join(place, name), mode=0o700)
            yield Path(place)
        finally:
            shutil.rmtree(place, ignore_errors=True)

    def _one_service(self, place: Path, cage: Cage | None, number: int) -> None:
        steady, turning = self._options.algorithms[number % len(self._options.algorithms)]
        house = House(place / "service", steady, turning)
        canary = Canary.make(steady)
        backend = self._kind(place / "custody")
        try:
            settings = house.write(backend.custody)
            set_up(settings, origin="drill")
            backend.prepare(house, settings, canary)
            bare = number % 2 == 1
            scene = _Scene(self, house, backend, canary, place / "images", bare)
            trials = self._trials(backend, bare=bare, cage=cage)
            with Running(house, backend, bare=bare, cage=cage) as service:
                scene.play(service, trials)
            self._report.tokens += service.tokens
            scene.look_at_files()
        finally:
            backend.close()

    def _trials(self, backend: Backend, *, bare: bool, cage: Cage | None) -> Iterator[Trial]:
        """What is done to a service: each process each way, in an order that is drawn; memory goes last."""
        if cage is None:
            self._report.skipped["oom"] = "no memory cgroup can be made here"
        parts: list[Part] = ["front end"]
        if backend.name == "keyholder":
            parts.append("holder")
        if backend.token_processes.__func__ is not Backend.token_processes:  # type: ignore[attr-defined]
            parts.append("token")
        left = min(_LIFE, self._crashes - self._done)
        while left > 0:
            some = [
                Trial(part, way, self._draw.choice(_MOMENTS))
                for part in parts
                for way in WAYS
                if way != "oom" and (part != "token" or way in ("gcore", "live"))
            ]
            some.append(Trial("redactor", "gcore", "redaction"))
            self._draw.shuffle(some)
            yield from some[: max(0, left - 1)]
            left -= len(some) + 1
            if cage is not None:
                yield Trial(self._draw.choice(parts[:2]) if "holder" in parts else "front end", "oom", "load")
                return

    # --- what scenes report ---

    def count(self, row: Row, residue: Residue | None, moment: str, note: str = "") -> None:
        row.count(residue, moment=moment, note=note)

    def next(self) -> None:
        self._done += 1
        self._options.progress(self._kind.name, self._done, self._crashes)


class _Scene:
    """One service, and the crashes of it."""

    def __init__(
        self, drill: _BackendDrill, house: House, backend: Backend, canary: Canary, images: Path, bare: bool
    ) -> None:
        self._drill, self._house, self._backend = drill, house, backend
        self._canary, self._images, self._bare = canary, images, bare
        self._options, self._report, self._draw = drill._options, drill._report, drill._draw
        self._redactions = Redactions(images, self._draw)
        self._is_fresh = True

    def play(self, service: Running, trials: Iterator[Trial]) -> None:
        """Crash after crash; files are searched while the service comes up again."""
        with ThreadPoolExecutor(1) as searcher:
            waiting: list[Future[None]] = []
            for trial in trials:
                try:
                    if not self._tried(service, trial, searcher, waiting):
                        continue
                except EndedError as error:
                    self._report.retries[error.reason] += 1
                    break
                self._drill.next()
                while len(waiting) > 1:
                    waiting.pop(0).result()
                if service.holders_killed >= MOST_HOLDERS:
                    break
            for one in waiting:
                one.result()

    def _tried(
        self, service: Running, trial: Trial, searcher: ThreadPoolExecutor, waiting: list[Future[None]]
    ) -> bool:
        """Whether it was done, within three tries: a process may be gone before it is its turn."""
        for _ in range(3):
            try:
                self._one(service, trial, searcher, waiting)
            except GoneError as error:
                self._report.retries[error.reason] += 1
            else:
                return True
        return False

    def _one(
        self, service: Running, trial: Trial, searcher: ThreadPoolExecutor, waiting: list[Future[None]]
    ) -> None:
        pid = self._await_moment(service, trial)
        taken = take(trial.way, pid, service, self._images, self._options.cores)
        row = self._row(trial)
        if taken.is_fatal:
            self._is_fresh = True
            service.holders_killed += trial.part == "holder"
        if taken.target is None:
            self._drill.count(row, None, trial.moment, taken.note)
        elif taken.is_live:
            self._search(row, taken, trial.moment)
        else:
            waiting.append(searcher.submit(self._search, row, taken, trial.moment))
        if trial.way == "oom" and service.cage is not None:
            service.cage.kill()

    def _await_moment(self, service: Running, trial: Trial) -> int:
        """Wait for the moment of a crash; the process that is then to be crashed."""
        if trial.moment == "key load":
            front = service.front()
            if not self._is_fresh:
                with suppress(ProcessLookupError):
                    os.kill(front, 9)
                front = service.front(front)
            self._is_fresh = False
            time.sleep(self._draw.uniform(0.0, 1.0))
            return front if trial.part == "front end" else self._pid(service, trial)
        service.await_tokens()
        self._is_fresh = False
        if trial.moment == "rotation":
            self._compromise()
            time.sleep(self._draw.uniform(0.0, 1.4))
        else:
            time.sleep(self._draw.uniform(0.0, 0.3))
        return self._pid(service, trial)

    def _pid(self, service: Running, trial: Trial) -> int:
        if trial.part == "holder":
            return service.holder()
        if trial.part == "token":
            pids = self._backend.token_processes()
            if not pids:
                raise GoneError("the token's process is gone")
            return max(pids)
        return service.front()

    def _compromise(self) -> None:
        """A key that signs may not sign any more: the service makes another one within a second."""
        with open_store(str(self._house.directory / "keys.db")) as store, suppress(ImmureError):
            for record in store.records():
                if record.issuer == f"{URL}/{TURNING}" and record.state is KeyState.ACTIVE:
                    store.change_state(record.thumbprint, KeyState.COMPROMISED, reason="a drill", by="drill")

    def _row(self, trial: Trial) -> Row:
        guards = "off" if self._bare else "as shipped"
        must = self._backend.must_be_clean and trial.part != "token"
        if trial.part == "redactor":
            return self._report.row(self._backend.name, "redactor", "killed", guards, must_be_clean=True)
        return self._report.row(self._backend.name, trial.part, trial.way, guards, must)

    def _search(self, row: Row, taken: Taken, moment: str) -> None:
        """Look at an image, which is gone afterwards."""
        target = str(taken.target)
        publics = self._house.publics()
        try:
            if row.part == "redactor":
                left = self._redactions.interrupt(Path(target), publics)
                self._drill.count(row, self._look(left), moment)
                shutil.rmtree(left)
                return
            mode: Mode = "quick" if taken.is_live else self._options.mode
            residue = look(target, publics, [self._canary], mode)
            if taken.is_live and residue.error and residue.is_clean:
                self._drill.count(row, None, moment, "it ended while it was searched")
            else:
                self._drill.count(row, residue, moment)
        finally:
            if not taken.is_live:
                Path(target).unlink(missing_ok=True)

    def _look(self, directory: Path) -> Residue:
        if not any(directory.iterdir()):
            return Residue()
        return look(directory, self._house.publics(), [self._canary], self._options.mode)

    def look_at_files(self) -> None:
        """What the service has written: registry, ledger, state, journal."""
        with suppress(OSError):
            self._house.socket.unlink()
        guards = "off" if self._bare else "as shipped"
        row = self._report.row(self._backend.name, "files", "left", guards, must_be_clean=True)
        self._drill.count(row, self._look(self._house.directory), "end")
