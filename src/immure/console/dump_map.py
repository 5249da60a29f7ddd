"""The memory of a dump: which regions there are, and what was erased in each.

Regions are read of the sealed dump by the parsers of :mod:`immure.dumps`; for that the vault must give up its
key. Where it does not, spans are shown by their offsets alone, and the page says why.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from immure.dumps.detect import parse_image
from immure.dumps.dump import Region
from immure.dumps.limits import Limits
from immure.errors import ImmureError
from immure.redact.span import Span
from immure.vault.store import Vault

#: Regions that are shown; a process has some hundred.
MOST_REGIONS: Final = 4096
_KEPT: Final = 64


@dataclass(frozen=True, slots=True)
class Mapped:
    """Where the bytes of a dump stood.

    Attributes:
        size: of the dump in the vault; 0 if it is not known.
        format: of the image, empty if it was not read.
        regions: in the order of their offsets.
        reason: why there are none.
    """

    size: int = 0
    format: str = ""
    regions: tuple[Region, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """A region, and what was erased in it.

    Attributes:
        region: one; its name is empty for what lies outside of all.
        spans: in it, or beginning in it.
    """

    region: Region
    spans: tuple[Span, ...]

    @property
    def erased(self) -> int:
        """Bytes."""
        return sum(one.length for one in self.spans)


class Maps:
    """Reads regions, and keeps the last ones.

    Args:
        vault: its directory.
    """

    def __init__(self, vault: Path | None) -> None:
        self._path = vault
        self._vault: Vault | None = None
        self._kept: OrderedDict[str, Mapped] = OrderedDict()
        self._mutex = threading.Lock()

    def of(self, digest: str) -> Mapped:
        """Of a dump in the vault; what cannot be read is said in ``reason``."""
        with self._mutex:
            if digest in self._kept:
                self._kept.move_to_end(digest)
                return self._kept[digest]
        try:
            made = self._read(digest)
        except ImmureError as error:
            return Mapped(reason=error.reason)
        with self._mutex:
            self._kept[digest] = made
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return made

    def _read(self, digest: str) -> Mapped:
        if self._path is None or not digest:
            return Mapped(reason="no vault is named that the dump could be in")
        if self._vault is None:
            self._vault = Vault.open(self._path)
        reader = self._vault.open_dump(f"sha256:{digest}")
        try:
            image = parse_image(digest[:12], reader, Limits())
            image.settle()
            regions = sorted(image.regions, key=lambda one: one.offset)[:MOST_REGIONS]
            return Mapped(reader.size or 0, image.format, tuple(regions))
        finally:
            reader.close()


def places(mapped: Mapped, spans: Sequence[Span]) -> tuple[Place, ...]:
    """Spans by the regions that they begin in; those of none come last."""
    begins = [one.offset for one in spans]
    made: list[Place] = []
    outside: list[Span] = []
    done = 0
    for region in mapped.regions:
        first, end = bisect_left(begins, region.offset), bisect_left(begins, region.end)
        outside += spans[done:first]
        made.append(Place(region, tuple(spans[max(first, done) : end])))
        done = max(done, end)
    outside += spans[done:]
    if outside:
        made.append(Place(Region(outside[0].offset, outside[-1].end - outside[0].offset), tuple(outside)))
    return tuple(made)
