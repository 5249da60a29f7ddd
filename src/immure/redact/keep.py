"""What of the memory is kept, and spans for the rest.

>>> kept = Kept(("stacks",))
>>> kept.keeps(Region(0, 4096, name="[stack] of thread 7")), kept.keeps(Region(0, 4096, name="[heap]"))
(True, False)
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from immure.dumps.dump import Image, Region
from immure.dumps.linkmap import link_map_places
from immure.errors import UsageError
from immure.redact.span import Span

#: Names of sets of regions, as regular expressions over their names.
PROFILES = {
    "all": r".*",
    "stacks": r"\[stack\].*|\[vdso\]|\[vsyscall\]",
    "files": r"[^\[].*(/|\\).*|/.*",
    "heap": r"\[heap\]",
    "anonymous": r"anonymous",
}


class Kept:
    """The regions of memory that are kept: those of the named profiles, and those whose names match.

    Raises:
        UsageError: nothing is named.
    """

    def __init__(self, names: Sequence[str]) -> None:
        if not names:
            raise UsageError("name at least one part of memory to keep")
        self._everything = "all" in names
        self._pattern = re.compile("|".join(f"(?:{_expression(name)})" for name in names), re.DOTALL)

    def keeps(self, region: Region) -> bool:
        """Whether the region stays. Headers and notes always do: without them this is no dump any more."""
        return (
            self._everything
            or region.kind in ("header", "notes")
            or bool(self._pattern.fullmatch(region.name))
        )

    def spans(self, image: Image) -> list[Span]:
        """What is not kept. The list of loaded libraries stays: without it there is no backtrace."""
        if self._everything:
            return []
        erased = [region for region in image.regions if not self.keeps(region)]
        libraries = sorted(link_map_places(image))
        return [span for region in erased for span in _without(region, libraries)]


def _without(region: Region, kept: Sequence[tuple[int, int]]) -> Iterator[Span]:
    """The region less what is kept of it; ``kept`` are (offset, length), in order."""
    at = region.offset
    for offset, length in kept:
        if offset + length <= at or offset >= region.end:
            continue
        if at < offset:
            yield Span(at, offset - at, "region")
        at = max(at, offset + length)
    if at < region.end:
        yield Span(at, region.end - at, "region")


def _expression(name: str) -> str:
    return PROFILES.get(name) or ".*".join(re.escape(part) for part in name.split("*"))
