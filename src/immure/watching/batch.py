"""Many small images as one: a scan costs some milliseconds whatever the size of its image, and a repository
has a hundred thousand files.

Each image stands in the batch at an offset of its own, zeros on both sides, so that no number or text goes
from one into the next. What is found is told by its offset. A key whose public half is in one image and whose
private half is in another of the same batch is found, too.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from immure.dumps.dump import Image, Region
from immure.dumps.readers import BytesReader
from immure.errors import ImmureError
from immure.scanning.finding import ImageReport
from immure.scanning.scanner import scan_image
from immure.watching.finding import Hit, hit_of
from immure.watching.item import Trouble
from immure.watching.question import Question

#: Images up to this size go into batches.
SMALL: Final = 768 << 10
#: From this size on a batch is scanned. With one more image it is still within all budgets of quick mode
#: (:mod:`immure.scanning.plan`): it is searched completely, whatever else is in it.
FULL: Final = 1 << 20
_GAP: Final = 256
_ALIGNED: Final = 64


@dataclass
class Outcome:
    """What the scan of an image gave; ``has_failed`` if that is no answer."""

    hits: list[Hit]
    gaps: list[Trouble]
    has_failed: bool = False


#: Is told the outcome for one image.
Told = Callable[[Outcome], None]


def failure_words(error: Exception) -> str:
    """What to say of something that could not be scanned: for a bug, what it is, without what it was
    about."""
    if isinstance(error, ImmureError):
        return error.reason
    return f"cannot be scanned: {type(error).__name__}; this is a bug in Immure"


class Batch:
    """Images of one question. ``scan`` empties it."""

    def __init__(self, question: Question) -> None:
        self._question = question
        self._bytes = bytearray(_GAP)
        self._starts: list[int] = []
        self._insides: list[str] = []
        self._told: list[Told] = []

    @property
    def is_full(self) -> bool:
        """Whether it is time for a scan."""
        return len(self._bytes) >= FULL

    def add(self, inside: str, data: bytes, told: Told) -> None:
        """Take an image. ``told`` is called by :meth:`scan`."""
        self._starts.append(len(self._bytes))
        self._insides.append(inside)
        self._told.append(told)
        self._bytes += data
        self._bytes += bytes(_GAP + -len(self._bytes) % _ALIGNED)

    def scan(self) -> None:
        """Scan what was taken, and tell each image's outcome."""
        if not self._starts:
            return
        try:
            outcomes = self._outcomes(self._report(0, len(self._starts)))
        except Exception:  # noqa: BLE001 - one image must not cost the others their search: each is tried alone
            outcomes = [self._alone(number) for number in range(len(self._starts))]
        told, self._told = self._told, []
        self._starts, self._insides = [], []
        self._bytes[:] = bytes(len(self._bytes))  # it may have held keys
        self._bytes = bytearray(_GAP)
        for one, outcome in zip(told, outcomes, strict=True):
            one(outcome)

    def _report(self, first: int, last: int) -> ImageReport:
        """The report on the images from number ``first`` to before ``last``; offsets are those of the
        batch."""
        marks = [*self._starts, len(self._bytes)]
        data = self._bytes if (first, last) == (0, len(self._starts)) else bytearray(marks[last])
        data[marks[first] : marks[last]] = self._bytes[marks[first] : marks[last]]
        regions = [Region(0, marks[first], kind="data")]
        regions += [Region(marks[at], marks[at + 1] - marks[at], kind="data") for at in range(first, last)]
        image = Image("batch", "raw", BytesReader(data), tuple(regions))
        return scan_image(image, self._question.keys, replace(self._question.options, threads=1))

    def _alone(self, number: int) -> Outcome:
        try:
            return self._outcomes(self._report(number, number + 1))[number]
        except Exception as error:  # noqa: BLE001 - it is told, and the others go on
            return Outcome([], [Trouble(self._insides[number], failure_words(error))], has_failed=True)

    def _outcomes(self, report: ImageReport) -> list[Outcome]:
        outcomes = [Outcome([], []) for _ in self._starts]
        for finding in report.findings:
            places: dict[int, list[int]] = {}
            for index, occurrence in enumerate(finding.occurrences):
                places.setdefault(self._image_at(occurrence.offset), []).append(index)
            for number, indices in places.items():
                part = replace(finding, occurrences=[finding.occurrences[index] for index in indices])
                hit = hit_of(part, self._insides[number], self._starts[number], self._bytes)
                outcomes[number].hits.append(hit)
        for gap in report.not_searched:
            first, last = self._image_at(gap.offset), self._image_at(gap.offset + max(0, gap.length - 1))
            for number in range(first, last + 1):
                reason = f"{gap.reason} ({gap.detector})"
                outcomes[number].gaps.append(Trouble(self._insides[number], reason))
        return outcomes

    def _image_at(self, offset: int) -> int:
        return max(0, bisect_right(self._starts, offset) - 1)
