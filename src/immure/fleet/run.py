"""A fleet's run, from targets to the report.

>>> from immure.fleet.engines import open_engine
>>> with open_engine("threads:2") as engine:                     # doctest: +SKIP
...     result = scan_fleet(["s3://dumps/2026/"], engine, keys=keys)
>>> result.account.totals()["failed"]                            # doctest: +SKIP
0
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Final

from immure.errors import ImmureError, UsageError
from immure.fleet.account import Account, ImageAccount
from immure.fleet.dispatch import Dispatcher
from immure.fleet.engine import Engine
from immure.fleet.errors import FleetError
from immure.fleet.jobs import SplitJob, WholeJob
from immure.fleet.policy import Patience
from immure.fleet.ranges import GRID, plan_ranges
from immure.fleet.store import Unlisted, list_places
from immure.fleet.tasks import Place, Question
from immure.fleet.unit import Unit
from immure.keymaterial.key import PublicKey
from immure.scanning.finding import Finding, ImageReport, ScanReport
from immure.scanning.options import NoProgress, Progress, ScanOptions
from immure.scanning.scanner import check_options, searched_by

OnFinding = Callable[[ImageReport, Finding], None]
#: Attempts of this process, in whatever run.
_NUMBERS: Final = count(1)


@dataclass(frozen=True, slots=True)
class Sizes:
    """What a task may be.

    Attributes:
        split_bytes: images larger than this are cut into ranges of at most so much.
        memory_bytes: bytes of an image that a task keeps, so that they are fetched once.
    """

    split_bytes: int = 1 << 30
    memory_bytes: int = 1 << 30


@dataclass
class FleetReport:
    """What was found, and the account of who searched what."""

    scan: ScanReport
    account: Account


def scan_fleet(
    targets: Sequence[str],
    engine: Engine,
    *,
    keys: Sequence[PublicKey] = (),
    options: ScanOptions | None = None,
    sizes: Sizes | None = None,
    patience: Patience | None = None,
    progress: Progress | None = None,
    on_finding: OnFinding | None = None,
) -> FleetReport:
    """Scan all images in the targets on an engine, which stays the caller's.

    The findings are those of :func:`immure.scanning.scanner.scan_targets`. What could not be searched is in
    the report of its image, and in the account.

    Raises:
        UsageError: the options make no sense, or do not go with a fleet.
        FleetError: the engine has no worker, or they cannot be asked.
    """
    options = replace(options or ScanOptions(), threads=1)
    check_options(options)
    sizes = sizes or Sizes()
    plan_ranges(1, sizes.split_bytes, min(GRID, options.chunk_bytes))
    if options.token is not None:
        raise UsageError("a token is not sent to other machines: use immure scan --token")
    run = _Run(engine, tuple(keys), options, sizes, progress or NoProgress(), on_finding)
    return run.scan(targets, patience or Patience())


class _Run:
    def __init__(
        self,
        engine: Engine,
        keys: tuple[PublicKey, ...],
        options: ScanOptions,
        sizes: Sizes,
        progress: Progress,
        on_finding: OnFinding | None,
    ) -> None:
        self._engine = engine
        self._keys = keys
        self._options = options
        self._sizes = sizes
        self._progress = progress
        self._on_finding = on_finding
        self._account = Account(engine.name)
        self._report = ScanReport(keys=list(keys), mode=options.mode, detectors=searched_by(options))
        self._report.sketched = sum(len(sketch.secrets) for sketch in options.sketches)
        self._reports: list[Sequence[ImageReport]] = []

    def scan(self, targets: Sequence[str], patience: Patience) -> FleetReport:
        began = time.perf_counter()
        self._progress.start(self._engine.name, None)
        self._progress.phase("search")
        self._engine.start(Question(self._options, self._keys, self._sizes.memory_bytes))
        dispatcher = Dispatcher(self._engine, patience, self._advance, _NUMBERS)
        try:
            dispatcher.run(self._units(targets))
        except FleetError as error:
            dispatcher.abandon(str(error))
        self._account.workers_seen = len(dispatcher.workers_seen)
        self._account.workers_lost = dispatcher.workers_lost
        return self._conclude(time.perf_counter() - began)

    def _units(self, targets: Sequence[str]) -> Iterator[Unit]:
        for target in targets:
            try:
                for place in list_places(target):
                    if isinstance(place, Unlisted):
                        self._reports.append([_unlisted(place)])
                    else:
                        yield self._unit(place)
            except UsageError:
                raise
            except ImmureError as error:
                words = str(error).removeprefix(f"{target}: ")
                self._reports.append([ImageReport(target, "none", 0, error=words)])

    def _unit(self, place: Place) -> Unit:
        account = ImageAccount(place.url, place.size)
        self._account.images.append(account)
        index = len(self._reports)
        self._reports.append([])

        def told(reports: Sequence[ImageReport]) -> None:
            self._reports[index] = reports
            for report in reports:
                for finding in report.findings if self._on_finding is not None else ():
                    self._on_finding(report, finding)  # type: ignore[misc]

        # damaged keys are put together from pieces of all of an image
        if place.size > self._sizes.split_bytes and not self._options.deep:
            ranges = plan_ranges(place.size, self._sizes.split_bytes, min(GRID, self._options.chunk_bytes))
            return SplitJob(place, self._keys, ranges, account, told).begin()
        return WholeJob(place, account, told).begin()

    def _advance(self, unit: Unit) -> None:
        if unit.stage in ("scan", "search"):
            self._progress.advance(unit.length)

    def _conclude(self, seconds: float) -> FleetReport:
        report = self._report
        report.images = [image for reports in self._reports for image in reports]
        total = sum(image.size for image in report.images)
        report.statistics = {"images": len(report.images), "bytes": total, "seconds": round(seconds, 6)}
        return FleetReport(report, self._account)


def _unlisted(place: Unlisted) -> ImageReport:
    report = ImageReport(place.url, "none", 0)
    if place.skipped:
        report.warnings.append(place.reason)
    else:
        report.error = place.reason
    return report
