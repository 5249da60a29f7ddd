"""The drill: each program is started anew for each way of dumping, with a canary of its own."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from immure.capture.drill.canary import CanaryKind, make_canary
from immure.capture.drill.program import Recipe, Running
from immure.capture.drill.residue import Residue, ResidueSearch
from immure.capture.drill.way import Way
from immure.capture.drill.ways import WAYS
from immure.dumps.open import open_image
from immure.errors import ImmureError, UsageError

SCHEMA_ID: Final = "https://immure.example/schemas/drill-1.json"


@dataclass(frozen=True, slots=True)
class Subject:
    """What is crashed: a program, and what to call it; why it cannot be, if so; whether its key is in memory
    that not even the kernel can read."""

    name: str
    recipe: Recipe
    why_not: str | None = None
    is_hidden: bool = False


@dataclass(frozen=True, slots=True)
class Trial:
    """One program, dumped one way.

    Attributes:
        program, way: names.
        must_be_clean: whether residue is a failure.
        skipped: why it was not tried.
        failed: why there is no result.
        live: what was in the running program, as far as it can be read (memory from ``memfd_secret`` cannot).
        residue: what was in the dump.
        size: bytes that were looked at.
        note: what else there is to say.
    """

    program: str
    way: str
    must_be_clean: bool
    skipped: str | None = None
    failed: str | None = None
    live: Residue | None = None
    residue: Residue | None = None
    size: int = 0
    seconds: float = 0.0
    note: str | None = None

    @property
    def is_leak(self) -> bool:
        """Whether something is left where nothing may be."""
        return self.must_be_clean and self.residue is not None and not self.residue.is_clean

    def to_json(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "program": self.program,
            "way": self.way,
            "must_be_clean": self.must_be_clean,
            "skipped": self.skipped,
            "failed": self.failed,
            "live": self.live.to_json() if self.live is not None else None,
            "residue": self.residue.to_json() if self.residue is not None else None,
            "bytes": self.size,
            "seconds": round(self.seconds, 3),
            "note": self.note,
        }


@dataclass
class DrillReport:
    """All trials."""

    kind: str
    trials: list[Trial] = field(default_factory=list)
    hidden: frozenset[str] = frozenset()

    @property
    def leaks(self) -> list[Trial]:
        """Those that are failures."""
        return [trial for trial in self.trials if trial.is_leak]

    @property
    def is_complete(self) -> bool:
        """Whether there is a result for at least one trial, and for every one that was tried."""
        return any(t.residue is not None for t in self.trials) and not any(t.failed for t in self.trials)

    @property
    def never_loaded(self) -> list[str]:
        """Programs in which nothing of the canary was ever seen, neither alive nor dumped."""
        seen = {
            t.program for t in self.trials for r in (t.live, t.residue) if r is not None and not r.is_clean
        }
        tried = [t.program for t in self.trials if t.residue is not None]
        return sorted(set(tried) - seen - self.hidden)

    def to_json(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "schema": SCHEMA_ID,
            "canary": self.kind,
            "leaks": len(self.leaks),
            "complete": self.is_complete,
            "never_loaded": self.never_loaded,
            "trials": [trial.to_json() for trial in self.trials],
        }


def ways_named(names: Collection[str]) -> list[Way]:
    """The ways of those names, all if there are none.

    Raises:
        UsageError: one is unknown.
    """
    unknown = sorted(set(names) - {way.name for way in WAYS})
    if unknown:
        raise UsageError(f"unknown way '{unknown[0]}'; there are {', '.join(way.name for way in WAYS)}")
    return [way for way in WAYS if way.name in names or not names]


def drill(
    subjects: Sequence[Subject],
    ways: Sequence[Way],
    *,
    kind: CanaryKind = "rsa",
    clean: Collection[str] = (),
    directory: str | None = None,
    on_trial: Callable[[Trial], None] = lambda _: None,
) -> DrillReport:
    """Crash each program each way.

    Args:
        subjects: programs.
        ways: of dumping them.
        kind: of canary.
        clean: further ways that have to be clean, because the program is meant to see to that.
        directory: where temporary files go, plain cores among them; the system's by default.
        on_trial: told of each result.

    Raises:
        UsageError: a program cannot be started.
    """
    report = DrillReport(kind, hidden=frozenset(s.name for s in subjects if s.is_hidden))
    for trial in _trials(subjects, ways, kind, clean, directory):
        report.trials.append(trial)
        on_trial(trial)
    return report


def _trials(
    subjects: Sequence[Subject],
    ways: Sequence[Way],
    kind: CanaryKind,
    clean: Collection[str],
    top: str | None,
) -> Iterator[Trial]:
    for subject in subjects:
        for way in ways:
            must = way.must_be_clean or way.name in clean
            why_not = subject.why_not or way.why_not()
            if why_not is not None:
                yield Trial(subject.name, way.name, must, skipped=why_not)
                continue
            with tempfile.TemporaryDirectory(prefix="immure-drill-", dir=top) as directory:
                yield _try(subject, way, must, kind, Path(directory))


def _try(subject: Subject, way: Way, must: bool, kind: CanaryKind, directory: Path) -> Trial:
    began = time.monotonic()
    canary = make_canary(kind)
    key = canary.write(directory)
    live = None
    try:
        with Running(subject.recipe, key, directory) as program:
            program.await_ready()
            live = _living(program, search=ResidueSearch(canary))
            key.unlink()
            search = ResidueSearch(canary)
            size, note = way.dump(program, directory, search)
    except UsageError:
        raise
    except ImmureError as error:
        return Trial(subject.name, way.name, must, failed=str(error), live=live)
    seconds = time.monotonic() - began
    return Trial(subject.name, way.name, must, None, None, live, search.residue(), size, seconds, note)


def _living(program: Running, search: ResidueSearch) -> Residue | None:
    """What is in the running program; None if we may not look."""
    try:
        search.look(open_image(f"pid:{program.pid}"))
    except ImmureError:
        return None
    return search.residue()
