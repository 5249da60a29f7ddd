"""The scan of one image, from top to bottom: survey, search (which sweeps on its way), sweep of the rest."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, TypeVar

from immure.dumps.dump import Image
from immure.keymaterial.key import Numbers, PublicKey
from immure.keymaterial.published import where_published
from immure.keymaterial.structures import PrivateHit
from immure.scanning.chunks import (
    OVERLAP,
    Chunk,
    Spaces,
    chunks_under_way,
    for_each_chunk,
    load,
    mapped,
    plan_chunks,
    stream_chunks,
)
from immure.scanning.deep.search import Deep
from immure.scanning.finding import Finding, ImageReport, NotSearched, Occurrence
from immure.scanning.gaps import bytes_to_read, missing_part, within_mappings
from immure.scanning.harvest import Harvest
from immure.scanning.kernels.workspace import Workspace
from immure.scanning.keyset import KeySet
from immure.scanning.occurrences import Place, Sweeper, Sweeps, occurrence, tidy
from immure.scanning.options import Progress, ScanOptions
from immure.scanning.part import Part, joined
from immure.scanning.plan import Counts, Plan, count, is_settled, make_plan
from immure.scanning.proofs import Proof
from immure.scanning.schedules import ScheduleHunt
from immure.scanning.schedules import Seen as SchedulesSeen
from immure.scanning.search import Searched, Searcher
from immure.scanning.shielded import shielded_hits
from immure.scanning.sketches import AllSeen, Hunt
from immure.scanning.survey import Surveyor
from immure.scanning.texts import TextPool
from immure.scanning.token_key import Trial, Tried

#: Without structures or harvest the survey only counts: of images longer than this, one piece of so many
#: bytes in SAMPLED_OF.
SAMPLED_FROM = 64 << 20
SAMPLE_BYTES = 1 << 20
SAMPLED_OF = 16

#: Longest chunks of exhaustive mode.
EXHAUSTIVE_CHUNK_BYTES = 1 << 20

#: Longest chunks of a stream that is read once: what is under way has to stay in memory.
PASSED_CHUNK_BYTES = 4 << 20

T = TypeVar("T")
#: What the detectors make of a chunk; what the sweep does: for how many proofs, and the places; what agrees
#: with sketches; which bytes are the key of a token; and which are AES key schedules.
_Examined = tuple[Searched, int, list[Place], AllSeen, Tried | None, SchedulesSeen | None]


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
        self._part = part
        self._options = options
        self._progress = progress
        self._keys = named.copy()
        # where every window is a candidate, those of eight mebibytes would take a gigabyte
        most = EXHAUSTIVE_CHUNK_BYTES if options.mode == "exhaustive" else options.chunk_bytes
        self._chunk_bytes = min(most, options.chunk_bytes)
        self._planned: list[Chunk] = []
        self._proofs: dict[Numbers, Proof] = {}
        self._sweeps = sweeps if sweeps is not None else Sweeps()
        self._texts = TextPool(part.text_bytes if part is not None else 0)
        self._structure = "structure" in options.detectors
        self._mapping = mapped(image.reader)
        longest = max(self._chunk_bytes, SAMPLE_BYTES if self._is_only_counted() else 0)
        self._spaces = Spaces(longest, self._mapping)
        self._harvest = Harvest(self._keys, public=options.harvest, private=self._structure)
        self._hunt = hunt if hunt is not None else Hunt(options.sketches)
        self._trial = Trial(options.token, options.mode) if options.token is not None else None
        self._schedules = ScheduleHunt(options.mode) if options.aes else None
        self._deep: Deep | None = None
        self._searcher: Searcher | None = None
        self._searched: set[Chunk] = set()
        self._unread: set[NotSearched] = set()
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
            self._spaces.wipe()
        self._conclude()
        self._describe(time.perf_counter() - began)
        return self.report

    @property
    def proofs(self) -> list[Proof]:
        """After :meth:`run`, the proof of each key in the report's findings. They hold the private keys."""
        found = {finding.key.numbers for finding in self.report.findings}
        return [proof for numbers, proof in self._proofs.items() if numbers in found]

    @property
    def keys(self) -> KeySet:
        """What is searched for: the named keys and, after the survey, those that the image brought."""
        return self._keys

    def survey(self) -> Counts:
        """Only the first step: the windows of the image (or the part of it); ``keys`` has its keys then."""
        try:
            return self._count()
        finally:
            self._spaces.wipe()

    @property
    def text_bytes(self) -> int:
        """Decoded text that the survey gathered."""
        return self._texts.size

    def covered(self) -> list[tuple[int, int]]:
        """The bytes that :meth:`run` goes through, as (start, stop) in order."""
        return joined(self._chunks())

    def chunks(self) -> Iterator[Chunk]:
        """The pieces in which :meth:`run` goes through them."""
        return self._chunks()

    def _count(self) -> Counts:
        given = self._part.counts if self._part is not None else None
        if self._is_only_counted():
            return given or self._sample()
        counts = self._pass_over() if self._is_passed_over() else self._survey()
        return given or counts

    def _is_only_counted(self) -> bool:
        reads = self._structure or self._options.harvest
        return not reads and (self._image.reader.size or 0) > SAMPLED_FROM

    def _is_passed_over(self) -> bool:
        """Whether the image is a stream whose words can be aligned before its end, and all keys are known."""
        reads = self._structure or self._options.harvest
        return not reads and self._image.reader.size is None and bool(self._image.regions)

    def _pass_over(self) -> Counts:
        """Count a stream's windows, and search what comes when that is enough to make the plan; so most of
        it is read once."""
        options, counts, reader = self._options, Counts(), self._image.reader
        surveyor = Surveyor(reader, structures=False, texts=False)
        self._chunk_bytes = min(self._chunk_bytes, PASSED_CHUNK_BYTES)
        reader.once(chunks_under_way(options.threads) * (self._chunk_bytes + 2 * OVERLAP))

        def examine(space: Workspace, chunk: Chunk) -> tuple[Counts, _Examined | None]:
            searcher = self._searcher
            if searcher is None:
                return surveyor.examine(space, chunk).counts, None
            examined = self._examine(searcher, space, chunk)
            return count(space), examined

        self._progress.phase("search")
        for chunk, (counted, examined) in self._each(self._chunks(), examine):
            counts.add(counted)
            if self._searcher is not None and examined is not None:
                self._take(self._searcher, chunk, examined)
            elif self._searcher is None and is_settled(options.mode, counts, options.detectors):
                self._searcher = self._new_searcher(make_plan(options.mode, counts))
        self._image.settle()
        return counts

    def _sample(self) -> Counts:
        """Count windows here and there."""
        counts = Counts()
        surveyor = Surveyor(self._image.reader, structures=False, texts=False)
        pieces = self._mine(plan_chunks(self._image, SAMPLE_BYTES))
        sampled = (piece for piece in pieces if piece.start // SAMPLE_BYTES % SAMPLED_OF == 0)
        for _, surveyed in self._each(sampled, surveyor.examine):
            counts.add(surveyed.counts, SAMPLED_OF)
        return counts

    def _survey(self) -> Counts:
        options, counts = self._options, Counts()
        reads = self._structure or options.harvest
        surveyor = Surveyor(self._image.reader, structures=reads, texts=reads)
        stream = self._image.reader.size is None
        chunks = stream_chunks(self._chunk_bytes) if stream else self._chunks()
        self._progress.phase("survey")
        for chunk, surveyed in self._each(chunks, surveyor.examine):
            if stream and surveyed.length <= chunk.start - chunk.read_start:
                break
            counts.add(surveyed.counts)
            self.report.not_searched += surveyed.not_searched
            self._unread.update(surveyed.not_searched)
            for hit in surveyed.hits:
                self._harvest.take(hit)
            if surveyed.texts is not None:
                self._texts.add(surveyed.texts)
        self._image.settle()
        for hit in self._shielded():
            self._harvest.take(hit)
        self._harvest.settle()
        self.report.not_searched += self._harvest.not_searched
        self._prove(self._harvest.proofs.values())
        return counts

    def _shielded(self) -> Iterator[PrivateHit]:
        """Keys that OpenSSH has shielded; of the parts of an image the first finds them all, because that
        takes all of it."""
        if self._structure and (self._part is None or self._part.start == 0):
            yield from shielded_hits(self._image, self._options.mode)

    def _new_searcher(self, plan: Plan) -> Searcher:
        self._hunt.leaves_noise = plan.tier("primes") != "all"
        searcher = Searcher(
            self._image.reader,
            self._keys,
            plan,
            self._options.detectors,
            is_jvm=_is_jvm(self._image),
            is_heap_dump=self._image.format == "hprof",
        )
        for numbers, reason in searcher.unusable():
            entry = self._keys.get(numbers)
            if entry is not None and entry.kind == "named":
                key = entry.key
                self.report.warnings.append(f"{key.label} key {key.thumbprint} is not searched for: {reason}")
        return searcher

    def _search(self, plan: Plan) -> None:
        """Search what has not been searched yet."""
        searcher = self._searcher = self._searcher or self._new_searcher(plan)
        self.report.not_searched += searcher.not_searched(plan, self._image.reader.size or 0)
        others = self._trial is None and self._schedules is None and self._hunt.is_idle
        if not searcher.detectors and self._sweeps.is_idle and others:
            return
        chunks = self._chunks()
        if not self._searched:
            self._progress.phase("search")
        self._sweeps.prepare()
        rest = (chunk for chunk in chunks if chunk not in self._searched)
        for chunk, examined in self._each(rest, partial(self._examine, searcher)):
            self._take(searcher, chunk, examined)
        self._prove(searcher.finish())

    def _examine(self, searcher: Searcher, space: Workspace, chunk: Chunk) -> _Examined:
        searched = searcher.examine(space, chunk)
        swept = self._sweeps.examine(space, chunk)
        seen = self._hunt.examine(space, chunk, has_runs=bool(searched.examined))
        tried = self._trial.examine(space, chunk) if self._trial is not None else None
        schedules = self._schedules.examine(space, chunk) if self._schedules is not None else None
        return searched, *swept, seen, tried, schedules

    def _take(self, searcher: Searcher, chunk: Chunk, examined: _Examined) -> None:
        """What one chunk's search gave."""
        searched, known, places, seen, tried, schedules = examined
        self._searched.add(chunk)
        # what cannot be read is told once; what the survey could read, and the search could not, as well
        self.report.not_searched += [gap for gap in searched.not_searched if gap not in self._unread]
        self._sweeps.take(chunk, known, places)
        self._hunt.take(chunk, seen)
        if self._trial is not None and tried is not None:
            self._take_tried(self._trial, tried, chunk)
        if self._schedules is not None and schedules is not None:
            for key, proof in self._schedules.settle(schedules, chunk):
                self._keys.add(key, "schedule")
                self._prove([proof])
        self._prove(searcher.settle(searched))
        self._sweeps.prepare()

    def _take_tried(self, trial: Trial, tried: Tried, chunk: Chunk) -> None:
        proofs = trial.settle(tried, chunk)
        if proofs and self._options.token is not None:
            self._keys.add(self._options.token.key, "token")
        self._prove(proofs)

    def _search_texts(self, plan: Plan) -> None:
        self._prove(self._texts.search(self._keys, self._options.detectors, plan))
        self.report.not_searched += self._texts.not_searched

    def _prove(self, proofs: Iterable[Proof]) -> None:
        for proof in proofs:
            known = self._proofs.get(proof.public)
            if known is None or proof.rank < known.rank:
                self._proofs[proof.public] = proof
                if known is None or (known.private is None and proof.private is not None):
                    self._sweeps.add(proof)

    def _search_deep(self, plan: Plan) -> None:
        """Look for what is left of the keys that are not found by now."""
        if not self._options.deep:
            return
        lost = (entry for entry in self._keys.entries() if entry.key.numbers not in self._proofs)
        deep = self._deep = Deep(
            list(lost), everywhere=plan.mode == "exhaustive", is_jvm=_is_jvm(self._image)
        )
        reader = self._image.reader

        def examine(space: Workspace, chunk: Chunk) -> list[Any]:
            load(reader, chunk, space)
            return deep.examine(space, chunk)

        if not deep.is_idle:
            self._progress.phase("deep search")
            for _, examined in self._each(self._chunks(), examine):
                deep.take(examined)
            self._prove(rebuilt.proof for rebuilt in deep.solve(self._image))
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
            for _, places in self._each(chunks, partial(examine, sweeper)):
                self._sweeps.found(places)

    def _conclude(self) -> None:
        found = self._harvest.occurrences(self._image)
        for numbers, occurrences in self._sweeps.occurrences(self._image).items():
            found.setdefault(numbers, []).extend(occurrences)
        for numbers, proof in self._proofs.items():
            entry = self._keys.get(numbers)
            if entry is None:
                continue
            public_place = where_published(entry.key) if entry.kind != "named" else None
            if public_place is not None:
                self.report.warnings.append(_published(entry.key, proof, public_place))
                continue
            pieces = self._deep.pieces.get(numbers, []) if self._deep is not None else []
            if self._schedules is not None:
                pieces = [*pieces, *self._schedules.occurrences(self._image, numbers)]
            occurrences = tidy(_with_text([*found.get(numbers, []), *pieces], proof, self._image))
            if self._schedules is not None and self._schedules.is_harmless(proof, occurrences):
                continue
            partial = self._deep.partials.get(numbers) if self._deep is not None else None
            kind = entry.kind if partial is None else "partial"
            finding = Finding(entry.key, kind, proof.words, occurrences, entry.others, partial)
            self.report.findings.append(finding)
        self.report.findings += self._deep.fragments if self._deep is not None else []
        self.report.findings += self._hunt.findings(self._image)
        self.report.not_searched += self._hunt.not_searched
        self.report.not_searched += self._trial.not_searched if self._trial is not None else []
        self.report.not_searched += self._schedules.not_searched if self._schedules is not None else []
        self.report.findings.sort(
            key=lambda finding: finding.occurrences[0].offset if finding.occurrences else 0
        )

    def _describe(self, seconds: float) -> None:
        image, report = self._image, self.report
        report.size = bytes_to_read(image) or 0
        report.process, report.regions = image.process, image.regions
        report.warnings += [*image.warnings, *self._harvest.notes, *self._hunt.notes]
        report.warnings += self._schedules.notes if self._schedules is not None else []
        report.warnings += [
            f"{key.label} key {key.thumbprint} is of a size that is not searched for"
            for key in self._keys.unsearchable()
        ]
        missing = (*image.missing, *image.reader.faults())
        if image.format == "process":
            report.not_searched = within_mappings(report.not_searched, image)
        report.not_searched += [missing_part(part, report.size) for part in dict.fromkeys(missing)]
        report.not_searched.sort(key=lambda gap: (gap.offset, gap.length, gap.detector, gap.reason))
        kinds = [entry.kind for entry in self._keys.entries()]
        report.statistics.update(
            seconds=round(seconds, 6),
            keys_named=kinds.count("named"),
            keys_harvested=kinds.count("harvested"),
        )
        if not self._hunt.is_idle:
            report.statistics.update(sketch_digests=self._hunt.digests)

    def _chunks(self) -> Iterator[Chunk]:
        """All chunks; to ask the file system for the holes takes a while, so it is done once."""
        if self._planned:
            yield from self._planned
            return
        planned, is_final = [], self._image.reader.size is not None
        for chunk in self._mine(plan_chunks(self._image, self._chunk_bytes)):
            planned.append(chunk)
            yield chunk
        if is_final:
            self._planned = planned

    def _mine(self, chunks: Iterator[Chunk]) -> Iterator[Chunk]:
        return chunks if self._part is None else self._part.of(chunks)

    def _each(
        self, chunks: Iterable[Chunk], work: Callable[[Workspace, Chunk], T]
    ) -> Iterator[tuple[Chunk, T]]:
        for chunk, result in for_each_chunk(chunks, self._spaces, self._whole(work), self._options.threads):
            yield chunk, result
            self._progress.advance(chunk.stop - chunk.start)

    def _whole(self, work: Callable[[Workspace, Chunk], T]) -> Callable[[Workspace, Chunk], T]:
        """The same work, done again where the file was cut short while it was looked at: what was seen may
        be zeros that never were. From then on the workspaces copy."""
        mapping = self._mapping
        if mapping is None:
            return work

        def run(space: Workspace, chunk: Chunk) -> T:
            faults = mapping.faults
            result = work(space, chunk)
            return result if mapping.faults == faults else work(space, chunk)

        return run


def _published(key: PublicKey, proof: Proof, place: str) -> str:
    return (
        f"{key.label} key {key.thumbprint} at offset {proof.offset} is a published example key ({place}), not"
        " reported"
    )


def _with_text(found: list[Occurrence], proof: Proof, image: Image) -> list[Occurrence]:
    """The text in which a number was written is an occurrence, too, where the sweep knows no writing like it,
    such as hex in both cases."""
    if proof.text is None:
        return found
    length, encoding = proof.text
    if any(proof.offset <= one.offset < proof.offset + length and one.whole for one in found):
        return found
    return [*found, occurrence(image, proof.offset, length, proof.secret, encoding)]


def _is_jvm(image: Image) -> bool:
    return image.format == "hprof" or any("libjvm" in region.name for region in image.regions)
