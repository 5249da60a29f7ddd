"""The scan of one image, from top to bottom: survey, search (which sweeps on its way), sweep of the rest."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from typing import Any, Final

from immure.dumps.dump import Image
from immure.scanning.chunks import OVERLAP, Chunk, chunks_under_way, load
from immure.scanning.conclusion import conclude, describe
from immure.scanning.deep.search import Deep
from immure.scanning.finding import ImageReport, NotSearched
from immure.scanning.harvest import Harvest
from immure.scanning.hunts import Hunts, HuntsSeen
from immure.scanning.image_survey import ImageSurvey
from immure.scanning.kernels.workspace import Workspace
from immure.scanning.keyset import KeySet
from immure.scanning.occurrences import Place, Sweeper, Sweeps
from immure.scanning.options import Progress, ScanOptions
from immure.scanning.part import Part, joined
from immure.scanning.pieces import Pieces
from immure.scanning.plan import Counts, Plan, count, is_settled, make_plan
from immure.scanning.proofs import Proof
from immure.scanning.proved import Proved
from immure.scanning.search import Searched, Searcher
from immure.scanning.sketches import Hunt
from immure.scanning.survey import Surveyor

#: Longest chunks of a stream that is read once: what is under way has to stay in memory.
PASSED_CHUNK_BYTES: Final = 4 << 20

#: What the detectors make of a chunk; what the sweep does: for how many proofs, and the places; and what the
#: hunts do.
_Examined = tuple[Searched, int, list[Place], HuntsSeen]


class ImageScan:
    """The scan of one image. ``run`` does everything; its steps are the methods below it, in order."""

    def __init__(
        self,
        image: Image,
        named: KeySet,
        options: ScanOptions,
        progress: Progress,
        sweeps: Sweeps | None = None,
        hunt: Hunt | None = None,
        part: Part | None = None,
    ) -> None:
        self._image = image
        self._options = options
        self._progress = progress
        #: What is searched for: the named keys and, after the survey, those that the image brought.
        self.keys = named.copy()
        self._pieces = Pieces(image, options, progress, part)
        structure = "structure" in options.detectors
        self._harvest = Harvest(self.keys, public=options.harvest, private=structure)
        self._survey = ImageSurvey(image, self._pieces, options, self._harvest, part)
        self._sweeps = sweeps if sweeps is not None else Sweeps()
        self._proved = Proved(self._sweeps)
        self._hunts = Hunts(options, hunt)
        self._deep: Deep | None = None
        self._searcher: Searcher | None = None
        self._searched: set[Chunk] = set()
        self._told: set[NotSearched] = set()
        self.report = ImageReport(image.path, image.format, image.reader.size or 0)

    def run(self) -> ImageReport:
        """Survey the image, search it for its keys and the named ones, sweep for all places of those that are
        there."""
        began = time.perf_counter()
        try:
            plan = make_plan(self._options.mode, self._count())
            self._search_texts(plan)
            self._search(plan)
            self._search_deep(plan)
            self._sweep()
        finally:
            self._pieces.wipe()
        places = self._harvest.occurrences(self._image)
        for numbers, occurrences in self._sweeps.occurrences(self._image).items():
            places.setdefault(numbers, []).extend(occurrences)
        conclude(self.report, self._image, self.keys, self._proved, places, self._hunts, self._deep)
        self.report.warnings += [*self._image.warnings, *self._harvest.notes, *self._hunts.notes]
        describe(self.report, self._image, self.keys, self._hunts, time.perf_counter() - began)
        return self.report

    @property
    def proofs(self) -> list[Proof]:
        """After :meth:`run`, the proof of each key in the report's findings. They hold the private keys."""
        found = {finding.key.numbers for finding in self.report.findings}
        return [proof for numbers, proof in self._proved.items() if numbers in found]

    def survey(self) -> Counts:
        """Only the first step: the windows of the image (or the part of it); ``keys`` has its keys then."""
        try:
            return self._count()
        finally:
            self._pieces.wipe()

    @property
    def text_bytes(self) -> int:
        """Decoded text that the survey gathered."""
        return self._survey.texts.size

    def covered(self) -> list[tuple[int, int]]:
        """The bytes that :meth:`run` goes through, as (start, stop) in order."""
        return joined(self.chunks())

    def chunks(self) -> Iterator[Chunk]:
        """The pieces in which :meth:`run` goes through them."""
        return self._pieces.chunks()

    def _count(self) -> Counts:
        # of a stream whose words can be aligned before its end, if all keys are known
        if not self._survey.reads and self._image.reader.size is None and self._image.regions:
            return self._pass_over()
        counts = self._survey.run(self._progress)
        self.report.not_searched += self._survey.not_searched
        self._told.update(self._survey.not_searched)
        self._proved.add(self._harvest.proofs.values())
        return counts

    def _pass_over(self) -> Counts:
        """Count a stream's windows, and search what comes when that is enough to make the plan; so most of
        it is read once."""
        options, counts, reader = self._options, Counts(), self._image.reader
        surveyor = Surveyor(reader, structures=False, texts=False)
        self._pieces.shorten(PASSED_CHUNK_BYTES)
        reader.once(chunks_under_way(options.threads) * (self._pieces.chunk_bytes + 2 * OVERLAP))

        def examine(space: Workspace, chunk: Chunk) -> tuple[Counts, _Examined | None]:
            searcher = self._searcher
            if searcher is None:
                return surveyor.examine(space, chunk).counts, None
            examined = self._examine(searcher, space, chunk)
            return count(space), examined

        self._progress.phase("search")
        for chunk, (counted, examined) in self._pieces.each(self.chunks(), examine):
            counts.add(counted)
            if self._searcher is not None and examined is not None:
                self._take(self._searcher, chunk, examined)
            elif self._searcher is None and is_settled(options.mode, counts, options.detectors):
                self._searcher = self._new_searcher(make_plan(options.mode, counts))
        self._image.settle()
        return counts

    def _search_texts(self, plan: Plan) -> None:
        texts = self._survey.texts
        self._proved.add(texts.search(self.keys, self._options.detectors, plan))
        self.report.not_searched += texts.not_searched

    def _new_searcher(self, plan: Plan) -> Searcher:
        self._hunts.sketches.leaves_noise = plan.tier("sketches") != "all"
        searcher = Searcher(
            self._image.reader,
            self.keys,
            plan,
            self._options.detectors,
            is_jvm=_is_jvm(self._image),
            is_heap_dump=self._image.format == "hprof",
        )
        for numbers, reason in searcher.unusable():
            entry = self.keys.get(numbers)
            if entry is not None and entry.kind == "named":
                key = entry.key
                self.report.warnings.append(f"{key.label} key {key.thumbprint} is not searched for: {reason}")
        return searcher

    def _search(self, plan: Plan) -> None:
        """Search what has not been searched yet."""
        searcher = self._searcher = self._searcher or self._new_searcher(plan)
        self.report.not_searched += searcher.not_searched(plan, self._image.reader.size or 0)
        if not searcher.detectors and self._sweeps.is_idle and self._hunts.is_idle:
            return
        chunks = self.chunks()
        if not self._searched:
            self._progress.phase("search")
        self._sweeps.prepare()
        rest = (chunk for chunk in chunks if chunk not in self._searched)
        for chunk, examined in self._pieces.each(rest, partial(self._examine, searcher)):
            self._take(searcher, chunk, examined)
        self._proved.add(searcher.finish())

    def _examine(self, searcher: Searcher, space: Workspace, chunk: Chunk) -> _Examined:
        searched = searcher.examine(space, chunk)
        swept = self._sweeps.examine(space, chunk)
        return searched, *swept, self._hunts.examine(space, chunk, has_runs=bool(searched.examined))

    def _take(self, searcher: Searcher, chunk: Chunk, examined: _Examined) -> None:
        """What one chunk's search gave."""
        searched, known, places, seen = examined
        self._searched.add(chunk)
        # what cannot be read is told once; what the survey could read, and the search could not, as well
        self.report.not_searched += [gap for gap in searched.not_searched if gap not in self._told]
        self._sweeps.take(chunk, known, places)
        self._hunts.take(chunk, seen, self.keys, self._proved)
        self._proved.add(searcher.settle(searched))
        self._sweeps.prepare()

    def _search_deep(self, plan: Plan) -> None:
        """Look for what is left of the keys that are not found by now."""
        if not self._options.deep:
            return
        lost = (entry for entry in self.keys.entries() if entry.key.numbers not in self._proved)
        deep = self._deep = Deep(
            list(lost), everywhere=plan.mode == "exhaustive", is_jvm=_is_jvm(self._image)
        )
        reader = self._image.reader

        def examine(space: Workspace, chunk: Chunk) -> list[Any]:
            load(reader, chunk, space)
            return deep.examine(space, chunk)

        if not deep.is_idle:
            self._progress.phase("deep search")
            for _, examined in self._pieces.each(self.chunks(), examine):
                deep.take(examined)
            self._proved.add(rebuilt.proof for rebuilt in deep.solve(self._image))
        self.report.not_searched += deep.not_searched(reader.size or 0)
        self.report.statistics["deep_attempts"] = deep.attempts

    def _sweep(self) -> None:
        """Sweep what was searched before the last keys were proved."""
        reader = self._image.reader

        def examine(sweeper: Sweeper, space: Workspace, chunk: Chunk) -> list[Place]:
            load(reader, chunk, space)
            return sweeper.examine(space, chunk)

        for sweeper, chunks in self._sweeps.rest():
            self._progress.phase("sweep")
            for _, places in self._pieces.each(chunks, partial(examine, sweeper)):
                self._sweeps.found(places)


def _is_jvm(image: Image) -> bool:
    return image.format == "hprof" or any("libjvm" in region.name for region in image.regions)
