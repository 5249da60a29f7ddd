"""One run over a target: what is new is scanned, what is known is not.

>>> from immure.watching.question import ask
>>> from immure.watching.sources.directory import Directory
>>> from immure.scanning.options import ScanOptions
>>> watch = Watch(State(), ask([], ScanOptions()))
>>> watch.run(Directory("/usr/share/doc/bash")).items > 0   # doctest: +SKIP
True
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from immure.clock import Clock, now
from immure.dumps.dump import Reader
from immure.dumps.readers import BytesReader
from immure.dumps.spool import SpoolReader
from immure.errors import ImmureError
from immure.scanning.scanner import scan_image
from immure.watching.batch import SMALL, Batch, Outcome, failure_words
from immure.watching.errors import StateError
from immure.watching.finding import hit_of
from immure.watching.item import Item, Source, Trouble
from immure.watching.question import Question
from immure.watching.run import Run
from immure.watching.state import Seen, State
from immure.watching.unfold import Leaf, unfold
from immure.watching.work import Work, fault_of, gap_of, named, stamp_of

#: Items, and seconds, after which what was done is written down.
_TOGETHER: Final = 2_000
_SECONDS: Final = 10.0


#: Told of progress: items done, items scanned, and where the watch is.
Progress = Callable[[int, int, str], None]


class Watch:
    """Runs over targets for one question, on one state."""

    def __init__(
        self, state: State, question: Question, *, clock: Clock = now, progress: Progress | None = None
    ) -> None:
        self._state = state
        self._question = question
        self._clock = clock
        self._progress = progress or (lambda items, scanned, place: None)
        self._batches: dict[str, Batch] = {}
        self._in_hand: set[str] = set()
        self._done: list[Seen] = []
        self._known: list[Seen] = []
        self._troubled: set[str] = set()
        self._since, self._flushed = 0, time.monotonic()

    def run(self, source: Source) -> Run:
        """Go through a target. What goes wrong with parts of it is in the result.

        Raises:
            StateError: the state cannot be used; what was recorded before holds.
        """
        run = Run(source.name, source.kind, self._clock(), may_be_empty=source.may_be_empty)
        self._troubled = set()
        try:
            for given in source.items():
                if isinstance(given, Trouble):
                    self._trouble(run, given)
                else:
                    self._take(run, given)
            run.whole = True
        except StateError:
            raise
        except ImmureError as error:
            self._trouble(run, Trouble("", error.reason))
        self._flush(run)
        if run.whole:
            self._state.conclude(run.target, run.began, self._clock(), self._troubled)
        unplaced = self._state.unplaced(run.target)
        if unplaced:
            self._state.place(run.target, source.whereabouts(unplaced))
        return run

    def _trouble(self, run: Run, trouble: Trouble) -> None:
        run.trouble(trouble)
        self._troubled.add(trouble.place)

    def _take(self, run: Run, item: Item) -> None:
        run.items += 1
        self._progress(run.items, run.scanned, item.place)
        try:
            self._look(run, item)
        except StateError:
            raise
        except Exception as error:  # noqa: BLE001 - it is told, and what else there is must not go unsearched
            self._trouble(run, Trouble(item.place, failure_words(error), item.size or 0))
        self._since += 1
        if self._since >= _TOGETHER or time.monotonic() - self._flushed > _SECONDS:
            self._flush(run)

    def _look(self, run: Run, item: Item) -> None:
        content = item.content
        if content is None and item.stamp is not None:
            content = self._state.content_of(run.target, item.place, item.stamp)
        if content is not None and self._is_known(run, item, content):
            return
        reader = item.open()
        try:
            held, name = named(reader, item)
            if name == content or not self._is_known(run, item, name):
                faults = [] if held is reader else [fault_of(one) for one in reader.faults()]
                self._scan(run, item, name, held, faults)
        finally:
            reader.close()

    def _is_known(self, run: Run, item: Item, content: str) -> bool:
        """Whether nothing need be scanned; then that is noted."""
        missing = (
            frozenset[str]() if content in self._in_hand else self._state.missing(content, self._question)
        )
        if missing is None or missing:
            return False
        self._known.append(Seen(run.target, item.place, content, stamp_of(item)))
        for gap in self._state.gaps(content, self._question):
            run.trouble(Trouble(item.place + gap.place, gap.reason, gap.length))
        return True

    def _scan(self, run: Run, item: Item, content: str, reader: Reader, faults: list[Trouble]) -> None:
        missing = self._state.missing(content, self._question)
        question = self._question if missing is None else self._question.only(missing)
        run.scanned += 1
        run.bytes += reader.size or item.size or 0
        is_held = isinstance(reader, BytesReader)
        work = Work(item, Seen(run.target, item.place, content, None, self._question), is_held)
        work.seen.gaps += faults
        self._in_hand.add(content)
        try:
            self._unfold(run, work, reader, question)
        except BaseException:
            self._in_hand.discard(content)
            raise
        self._finish(run, work)

    def _unfold(self, run: Run, work: Work, reader: Reader, question: Question) -> None:
        for leaf in unfold(reader):
            if isinstance(leaf, Leaf):
                with leaf.image:
                    self._search(run, work, leaf, question)
            elif not leaf.skipped:
                work.seen.gaps.append(gap_of(leaf))
        if isinstance(reader, SpoolReader) and reader.faults():
            work.is_broken = True
        work.is_unfolded = True

    def _search(self, run: Run, work: Work, leaf: Leaf, question: Question) -> None:
        image, size = leaf.image, leaf.image.reader.size
        if image.format == "raw" and size is None and len(image.reader.read(0, SMALL + 1)) <= SMALL:
            image.settle()
            size = image.reader.size
        work.seen.gaps += [fault_of(one, leaf.inside) for one in image.missing]
        for rules in question.rules:
            hits, troubles = rules.search(image, leaf.inside)
            work.seen.hits += [replace(hit, asker=rules.name) for hit in hits]
            work.seen.gaps += troubles
        if not question.seeks_keys:
            return
        if image.format != "raw" or size is None or size > SMALL:
            self._search_alone(work, leaf, question)
            return
        data = image.reader.read(0, size)
        if len(data) < size:
            work.seen.gaps.append(Trouble(leaf.inside, "could not be read", size - len(data)))
        if not data:
            return
        batch = self._batches.setdefault(question.version, Batch(question))
        work.waiting += 1
        batch.add(leaf.inside, data, lambda outcome: self._told(run, work, outcome))
        if batch.is_full:
            batch.scan()

    def _search_alone(self, work: Work, leaf: Leaf, question: Question) -> None:
        told = {one.reason for one in leaf.image.missing}
        report = scan_image(leaf.image, question.keys, question.options)
        work.seen.hits += [hit_of(finding, leaf.inside) for finding in report.findings]
        for gap in report.not_searched:
            if gap.reason not in told:
                who = "" if gap.detector == "all" else f" ({gap.detector})"
                work.seen.gaps.append(Trouble(leaf.inside, gap.reason + who, gap.length))

    def _told(self, run: Run, work: Work, outcome: Outcome) -> None:
        work.waiting -= 1
        work.seen.hits += outcome.hits
        work.seen.gaps += outcome.gaps
        work.is_broken = work.is_broken or outcome.has_failed
        self._finish(run, work)

    def _finish(self, run: Run, work: Work) -> None:
        """Note an item of which all was scanned."""
        if not work.is_done:
            return
        seen, item = work.seen, work.item
        has_changed = not work.is_held and item.still is not None and not item.still()
        if has_changed:
            seen.gaps.append(
                Trouble("", "has changed while it was read; it is scanned again by the next run")
            )
        if has_changed or work.is_broken:
            # what was scanned is not what was named: what was found counts, and it is scanned once more
            seen.content = f"unsteady:{seen.content}"
            self._troubled.add(item.place)
        else:
            seen.stamp = stamp_of(item)
        for gap in seen.gaps:
            run.trouble(Trouble(item.place + gap.place, gap.reason, gap.length))
        self._done.append(seen)

    def _flush(self, run: Run) -> None:
        """Scan what waits, and write down what is done."""
        for batch in self._batches.values():
            batch.scan()
        self._state.record([*self._done, *self._known], run.began, self._question)
        self._done, self._known = [], []
        self._in_hand.clear()
        self._since, self._flushed = 0, time.monotonic()
