"""An image, from tasks to its report.

A small one is one task. A large one is looked at, cut into ranges, surveyed (windows are counted, keys
gathered), searched with the plan and the keys of all of it, and, if keys were found, swept for places in
ranges that did not prove them themselves. Each stage waits for all ranges of the one before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from immure.fleet.account import ImageAccount
from immure.fleet.merge import merged_keys, merged_report
from immure.fleet.ranges import tiling_fault, without
from immure.fleet.results import Looked, Scanned, Searched, Surveyed, Swept
from immure.fleet.tasks import Look, Place, Pointer, Search, Survey, Sweep, Tally, Whole
from immure.fleet.unit import Unit
from immure.keymaterial.key import PublicKey
from immure.scanning.finding import ImageReport, NotSearched

#: Is told the reports on an image when there is nothing more to do for it.
Told = Callable[[Sequence[ImageReport]], None]


class WholeJob:
    """An object in one task."""

    def __init__(self, place: Place, account: ImageAccount, told: Told) -> None:
        self._place = place
        self._account = account
        self._told = told

    def begin(self) -> Unit:
        """The only unit."""
        unit = Unit(self, Whole(self._place), "scan", self._place.size)
        return self._account.open(unit, 0, self._place.size)

    def settled(self, unit: Unit, answer: object) -> Iterable[Unit]:
        """See :class:`~immure.fleet.unit.Job`."""
        if isinstance(answer, Scanned):
            self._account.searched_bytes = self._place.size
            self._told(answer.reports)
        else:
            self._told([failed_report(self._place, unit)])
        return ()


class SplitJob:
    """An object that is larger than a task should be; if it cannot be cut, it is one task all the same."""

    def __init__(
        self,
        place: Place,
        keys: Sequence[PublicKey],
        ranges: Sequence[tuple[int, int]],
        account: ImageAccount,
        told: Told,
    ) -> None:
        self._place = place
        self._named = keys
        self._ranges = ranges
        self._account = account
        self._told = told
        self._waiting: set[Unit] = set()
        self._lost: dict[tuple[int, int], Unit] = {}
        self._surveyed: dict[int, Surveyed] = {}
        self._searched: dict[int, Searched] = {}
        self._swept: dict[int, Swept] = {}
        self._tally = Tally()

    def begin(self) -> Unit:
        """The first unit: a look."""
        return self._account.open(Unit(self, Look(self._place), "look", 0), 0, 0)

    def settled(self, unit: Unit, answer: object) -> Iterable[Unit]:
        """See :class:`~immure.fleet.unit.Job`."""
        if isinstance(unit.task, Look):
            return self._looked(unit, answer)
        self._waiting.discard(unit)
        self._note(unit, answer)
        return () if self._waiting else self._next_stage(unit.stage)

    def _looked(self, unit: Unit, answer: object) -> Iterable[Unit]:
        if not isinstance(answer, Looked):
            self._told([failed_report(self._place, unit)])
            return ()
        if not answer.can_split:
            return (WholeJob(self._place, self._account, self._told).begin(),)
        return self._stage("survey", [Survey(self._place, start, stop) for start, stop in self._ranges])

    def _stage(self, name: str, tasks: Iterable[Survey | Search | Sweep]) -> list[Unit]:
        units = []
        for task in tasks:
            unit = Unit(self, task, name, task.stop - task.start)
            units.append(self._account.open(unit, task.start, task.stop))
        self._waiting = set(units)
        return units

    def _note(self, unit: Unit, answer: object) -> None:
        task = unit.task
        if not isinstance(task, Survey | Search | Sweep):
            return
        if isinstance(answer, Surveyed):
            self._surveyed[task.start] = answer
            self._tally.counts.add(answer.tally.counts)
            text_bytes = self._tally.text_bytes + answer.tally.text_bytes
            self._tally = Tally(self._tally.counts, text_bytes)
        elif isinstance(answer, Searched):
            self._searched[task.start] = answer
        elif isinstance(answer, Swept):
            self._swept[task.start] = answer
        else:
            self._lost.setdefault((task.start, task.stop), unit)

    def _next_stage(self, done: str) -> Iterable[Unit]:
        if done == "survey":
            keys = merged_keys(self._named, self._surveyed)
            alive = [one for one in self._ranges if one not in self._lost]
            if alive:
                tasks = [Search(self._place, start, stop, self._tally, keys) for start, stop in alive]
                return self._stage("search", tasks)
        elif done == "search" and (sweeps := list(self._sweeps())):
            return self._stage("sweep", sweeps)
        self._finish()
        return ()

    def _sweeps(self) -> Iterable[Sweep]:
        """For each range a sweep for the keys that others proved and it did not."""
        ranges = dict(self._ranges)
        best: dict[object, Pointer] = {}
        for start, searched in sorted(self._searched.items()):
            keys = {finding.key.numbers: finding.key for finding in searched.report.findings}
            for numbers, rank in searched.ranks:
                best.setdefault(numbers, Pointer(keys[numbers], rank.offset, start, ranges[start]))
        for start, searched in sorted(self._searched.items()):
            own = {numbers for numbers, _ in searched.ranks}
            pointers = tuple(one for numbers, one in best.items() if numbers not in own)
            if pointers:
                yield Sweep(self._place, start, ranges[start], self._tally, pointers)

    def _finish(self) -> None:
        spans = [span for searched in self._searched.values() for span in searched.covered]
        gaps = without(spans, self._place.size)
        report = merged_report(self._place, self._named, self._surveyed, self._searched, self._swept)
        lost = [(start, stop, unit) for (start, stop), unit in sorted(self._lost.items())]
        report.not_searched += [_lost_range(*one) for one in lost]
        report.not_searched.sort(key=lambda gap: (gap.offset, gap.length, gap.detector, gap.reason))
        unsearched = [(start, stop) for start, stop, unit in lost if unit.stage != "sweep"]
        self._account.searched_bytes = self._place.size - sum(stop - start for start, stop in gaps)
        self._account.fault = tiling_fault([*spans, *_whole_gaps(unsearched, gaps)], self._place.size)
        if self._account.fault is not None:
            report.error = f"the ranges do not add up: {self._account.fault}; this is a bug in Immure"
        self._told([report])


def _whole_gaps(lost: Sequence[tuple[int, int]], gaps: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Gaps that ranges leave which were lost: chunks may begin in one range and end in the next."""
    return [gap for gap in gaps if any(start < gap[1] and gap[0] < stop for start, stop in lost)]


def _lost_range(start: int, stop: int, unit: Unit) -> NotSearched:
    words = f"the {unit.stage} of this range {_how(unit)} after {unit.attempts} attempts: {unit.reason}"
    return NotSearched(start, stop - start, "all", words)


def _how(unit: Unit) -> str:
    return "is in quarantine" if unit.outcome == "quarantined" else "failed"


def failed_report(place: Place, unit: Unit) -> ImageReport:
    """The report on an object of which nothing is known."""
    reason = unit.reason.removeprefix(f"{place.url}: ")
    words = f"{_how(unit)} after {unit.attempts} attempts: {reason}"
    return ImageReport(place.url, "none", place.size, error=words)
