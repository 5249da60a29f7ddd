"""What of an image there is to read, and what of it could not be: for the report."""

from __future__ import annotations

from collections.abc import Iterable

from immure.dumps.dump import Image, Missing
from immure.scanning.finding import NotSearched


def bytes_to_read(image: Image) -> int | None:
    """Bytes that can be searched; None if that is not known yet. Offsets in a process are addresses, between
    which there is mostly nothing."""
    if image.format == "process":
        return sum(region.length for region in image.regions)
    return image.reader.size


def within_mappings(gaps: Iterable[NotSearched], image: Image) -> list[NotSearched]:
    """Gaps cut down to what is mapped; neighbouring mappings are taken together."""
    spans: list[tuple[int, int]] = []
    for region in image.regions:
        if spans and spans[-1][1] == region.offset:
            spans[-1] = (spans[-1][0], region.end)
        else:
            spans.append((region.offset, region.end))
    result = []
    for gap in gaps:
        for first, last in spans:
            start, stop = max(first, gap.offset), min(last, gap.offset + gap.length)
            if start < stop:
                result.append(NotSearched(start, stop - start, gap.detector, gap.reason, start))
    return result


def missing_part(part: Missing, size: int) -> NotSearched:
    """What an image does not hold, as the report has it."""
    offset = part.offset if part.offset is not None else size
    return NotSearched(offset, part.length, "all", part.reason, part.address)
