"""Engines, images and comparisons for the tests of the fleet."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from immure.fleet.engine import Engine
from immure.fleet.results import Scanned
from immure.fleet.run import FleetReport, Sizes, scan_fleet
from immure.fleet.simulate import Fate, SimulatedEngine
from immure.fleet.tasks import Place, Question, Task, Whole
from immure.fleet.unit import Unit
from immure.keymaterial.key import PublicKey
from immure.scanning.finding import ImageReport, ScanReport
from immure.scanning.options import ScanOptions

KIB = 1 << 10


def facts(report: ScanReport) -> list[object]:
    """What two reports of the same images must agree on."""
    return [
        (
            image.path, image.format, image.size, image.error, image.regions,
            [(one.key, one.key.origin, one.kind, one.proof, one.occurrences, one.also_known_as, one.partial)
             for one in image.findings],
            gaps(image),
        )
        for image in report.images
    ]  # fmt: skip


def gaps(image: ImageReport) -> Counter[tuple[str, str]]:
    """Bytes that were not searched, by detector and reason: ranges list them each for itself."""
    found: Counter[tuple[str, str]] = Counter()
    for gap in image.not_searched:
        found[gap.detector, gap.reason] += gap.length
    return found


def assert_each_byte_once(report: FleetReport) -> None:
    for image in report.account.images:
        assert image.fault is None
        assert image.searched_bytes == image.size


def scan_on(
    engine: Engine,
    targets: Iterable[str],
    keys: Iterable[PublicKey] = (),
    options: ScanOptions | None = None,
    split: int = 64 * KIB,
    **more: object,
) -> FleetReport:
    sizes = Sizes(split_bytes=split, memory_bytes=1 << 20)
    return scan_fleet(list(targets), engine, keys=list(keys), options=options, sizes=sizes, **more)  # type: ignore[arg-type]


def quiet_memory(size: int, seed: int = 5) -> bytearray:
    """Memory of small numbers and pointers: nothing in it takes long to search."""
    chance = random.Random(seed)
    memory = bytearray(size)
    for at in range(0, size - 8, 64):
        memory[at : at + 6] = chance.randbytes(6)
    return memory


@dataclass
class Recorder:
    """A job that notes how often each unit was settled."""

    settled_units: list[Unit] = field(default_factory=list)
    answers: list[object] = field(default_factory=list)

    def unit(self, number: int, length: int = 1000) -> Unit:
        return Unit(self, Whole(Place(f"image {number}", length)), "scan", length)

    def settled(self, unit: Unit, answer: object) -> Iterable[Unit]:
        self.settled_units.append(unit)
        self.answers.append(answer)
        return ()


def engine_of(workers: int, fate: Callable[[str, int, Task], Fate], slots: int = 1) -> SimulatedEngine:
    engine = SimulatedEngine(workers, lambda worker, attempt, task, _: fate(worker, attempt, task), slots)
    engine.start(Question(ScanOptions()))
    return engine


def answer_to(task: Task) -> Scanned:
    return Scanned((ImageReport(task.place.url, "raw", task.place.size),), ((0, task.place.size),))
