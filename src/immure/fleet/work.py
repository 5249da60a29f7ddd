"""A task, done: what runs in the workers.

An image that is scanned whole goes through the very code of ``immure scan``. A part of one goes through the
same steps, chunk by chunk, with the plan and the keys of the whole image; so the findings are the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from immure.dumps.dump import Image, Process, Reader
from immure.dumps.open import open_reader
from immure.dumps.unreadable import Unreadable
from immure.errors import ImmureError
from immure.fleet.errors import StoreError, WireError
from immure.fleet.prove_again import Remembered
from immure.fleet.results import Failure, Looked, Rank, Result, Scanned, Searched, Surveyed, Swept
from immure.fleet.store import check_unchanged, open_place
from immure.fleet.tasks import Look, Place, Question, Search, Survey, Sweep, Tally, Task, Whole
from immure.fleet.wire import pack, unpack
from immure.scanning.chunks import Chunk, Spaces, for_each_chunk, load, unread
from immure.scanning.finding import ImageReport, NotSearched
from immure.scanning.image_scan import ImageScan
from immure.scanning.kernels.workspace import Workspace
from immure.scanning.keyset import KeySet
from immure.scanning.occurrences import Place as Spot
from immure.scanning.occurrences import Sweeper, Sweeps
from immure.scanning.options import NoProgress
from immure.scanning.part import Part
from immure.scanning.proofs import Proof
from immure.scanning.scanner import scan_image

#: Bytes that a look keeps: tables stand at the beginning, or it jumps to them.
_LOOK_BYTES: Final = 32 << 20
_REMEMBERED: Final = Remembered()


def answer(question: Question, task: bytes) -> bytes:
    """A packed task, done; the packed answer."""
    try:
        return pack(run_task(question, unpack(task)))
    except WireError as error:
        return pack(Failure(error.reason, passes=False))


def run_task(question: Question, task: Task) -> Result:
    """Do a task. Whatever goes wrong is a :class:`Failure`: no foreign exception travels."""
    try:
        return _run(question, task)
    except StoreError as error:
        return Failure(str(error), passes=True)
    except ImmureError as error:
        return Failure(str(error), passes=False)
    except (MemoryError, OSError) as error:
        return Failure(f"{task.place.url}: {type(error).__name__} on the worker", passes=True)
    except Exception as error:  # noqa: BLE001 - the coordinator names it, and what was not searched
        words = f"{task.place.url}: cannot be scanned: {type(error).__name__}; this is a bug in Immure"
        return Failure(words, passes=True)


def _run(question: Question, task: Task) -> Result:
    place = task.place
    memory = min(question.memory_bytes, _LOOK_BYTES) if isinstance(task, Look) else question.memory_bytes
    check_unchanged(place)
    reader = open_place(place, memory)
    try:
        if isinstance(task, Whole):
            result: Result = _whole(question, place, reader)
        elif isinstance(task, Look):
            result = _look(place, reader)
        else:
            with _only_image(place, reader) as image:
                result = _part(question, task, image)
    finally:
        reader.close()
    fault = getattr(reader, "fault", None)
    if fault is not None:
        raise fault
    check_unchanged(place)
    return result


def _whole(question: Question, place: Place, reader: Reader) -> Scanned:
    reports = []
    for opened in open_reader(place.url, reader):
        if isinstance(opened, Unreadable):
            reports.append(_unreadable(opened))
            continue
        with opened as image:
            try:
                report = scan_image(image, question.keys, question.options)
            except StoreError:
                raise
            except ImmureError as error:
                words = str(error).removeprefix(f"{image.path}: ")
                report = ImageReport(image.path, image.format, image.reader.size or 0, error=words)
        reports.append(_fit_to_travel(report))
    return Scanned(tuple(reports), ((0, place.size),) if place.size else ())


def _unreadable(opened: Unreadable) -> ImageReport:
    report = ImageReport(opened.path, "none", 0)
    if opened.skipped:
        report.warnings.append(opened.reason)
    else:
        report.error = opened.reason
    return report


def _fit_to_travel(report: ImageReport) -> ImageReport:
    """Command lines hold passwords, and no report shows them."""
    if report.process is not None:
        process: Process = replace(report.process, command_line=None)
        report.process = process
    return report


def _look(place: Place, reader: Reader) -> Looked:
    for opened in open_reader(place.url, reader):
        if isinstance(opened, Image):
            return Looked(opened.format, opened.reader is reader)
        break
    return Looked("none", False)


def _only_image(place: Place, reader: Reader) -> Image:
    opened = next(iter(open_reader(place.url, reader)), None)
    if not isinstance(opened, Image) or opened.reader is not reader:
        raise StoreError("is not the image that it was when it was looked at", path=place.url)
    return opened


def _part(question: Question, task: Survey | Search | Sweep, image: Image) -> Result:
    if isinstance(task, Survey):
        return _survey(question, task, image)
    if isinstance(task, Search):
        return _search(question, task, image)
    return _sweep(question, task, image)


def _survey(question: Question, task: Survey, image: Image) -> Surveyed:
    part = Part(task.start, task.stop)
    scan = ImageScan(image, KeySet(question.keys), question.options, NoProgress(), part=part)
    tally = Tally(scan.survey(), scan.text_bytes)
    keys = tuple((entry.key, entry.kind) for entry in scan.keys.entries() if entry.kind != "named")
    return Surveyed(tally, keys, tuple(scan.covered()))


def _search(question: Question, task: Search, image: Image) -> Searched:
    keys = KeySet(question.keys)
    for key, kind in task.keys:
        keys.add(key, kind)
    part = task.tally.part(task.start, task.stop)
    scan = ImageScan(image, keys, question.options, NoProgress(), part=part)
    report = _fit_to_travel(scan.run())
    if task.start > 0:  # once is enough
        report.regions, report.process = (), None
    ranks = tuple((proof.public, Rank(proof.rank, proof.words, proof.offset)) for proof in scan.proofs)
    return Searched(report, ranks, tuple(scan.covered()))


def _sweep(question: Question, task: Sweep, image: Image) -> Swept:
    proofs: list[Proof] = []
    missing: list[NotSearched] = []
    for pointer in task.pointers:
        proof = _REMEMBERED.proof(task.place, image, pointer, question.options, task.tally)
        if proof is None:
            reason = f"key {pointer.key.thumbprint} could not be proved again: no sweep for its other places"
            missing.append(NotSearched(task.start, task.stop - task.start, "all", reason))
        else:
            proofs.append(proof)
    part = task.tally.part(task.start, task.stop)
    scan = ImageScan(image, KeySet(), question.options, NoProgress(), part=part)
    sweeps, unreadable = Sweeps(), []
    chunks = list(scan.chunks())
    for _, (spots, unread_here) in _swept(image, proofs, chunks, question.options.threads):
        sweeps.found(spots)
        unreadable += unread_here
    found = sweeps.occurrences(image)
    occurrences = tuple((numbers, tuple(places)) for numbers, places in found.items())
    return Swept(occurrences, tuple(scan.covered()), (*missing, *unreadable))


def _swept(
    image: Image, proofs: list[Proof], chunks: list[Chunk], threads: int
) -> Iterator[tuple[Chunk, tuple[list[Spot], list[NotSearched]]]]:
    sweeper = Sweeper(proofs)
    spaces = Spaces(max((chunk.stop - chunk.start for chunk in chunks), default=4096))

    def examine(space: Workspace, chunk: Chunk) -> tuple[list[Spot], list[NotSearched]]:
        lost = unread(chunk, load(image.reader, chunk, space))
        return sweeper.examine(space, chunk), lost

    try:
        yield from for_each_chunk(chunks, spaces, examine, threads)
    finally:
        spaces.wipe()
