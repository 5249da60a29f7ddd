"""The chunks of one image, and work over them: in order, on the threads that there are, with progress."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final, TypeVar

from immure.dumps.dump import Image
from immure.scanning.chunks import Chunk, Spaces, for_each_chunk, mapped, plan_chunks
from immure.scanning.kernels.workspace import Workspace
from immure.scanning.options import Progress, ScanOptions
from immure.scanning.part import Part

T = TypeVar("T")

#: Longest chunks of exhaustive mode: where every window is a candidate, those of eight mebibytes would take a
#: gigabyte.
EXHAUSTIVE_CHUNK_BYTES: Final = 1 << 20
#: Longest chunks of a sample.
SAMPLE_BYTES: Final = 1 << 20


class Pieces:
    """What of an image is gone through (all of it, or a part), chunk by chunk.

    Attributes:
        chunk_bytes: length of the longest chunk.
    """

    def __init__(self, image: Image, options: ScanOptions, progress: Progress, part: Part | None) -> None:
        self._image = image
        self._part = part
        self._threads = options.threads
        self._progress = progress
        most = EXHAUSTIVE_CHUNK_BYTES if options.mode == "exhaustive" else options.chunk_bytes
        self.chunk_bytes = min(most, options.chunk_bytes)
        self._planned: list[Chunk] = []
        self._mapping = mapped(image.reader)
        self._spaces = Spaces(max(self.chunk_bytes, SAMPLE_BYTES), self._mapping)

    def shorten(self, most: int) -> None:
        """From now on no chunk is longer than ``most`` bytes."""
        self.chunk_bytes = min(self.chunk_bytes, most)

    def chunks(self) -> Iterator[Chunk]:
        """All chunks; to ask the file system for the holes takes a while, so it is done once."""
        if self._planned:
            yield from self._planned
            return
        planned, is_final = [], self._image.reader.size is not None
        for chunk in self.cut(self.chunk_bytes):
            planned.append(chunk)
            yield chunk
        if is_final:
            self._planned = planned

    def cut(self, chunk_bytes: int) -> Iterator[Chunk]:
        """The same bytes in chunks of another length."""
        chunks = plan_chunks(self._image, chunk_bytes)
        return chunks if self._part is None else self._part.of(chunks)

    def each(
        self, chunks: Iterable[Chunk], work: Callable[[Workspace, Chunk], T]
    ) -> Iterator[tuple[Chunk, T]]:
        """The chunks with what ``work`` makes of each."""
        for chunk, result in for_each_chunk(chunks, self._spaces, self._whole(work), self._threads):
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

    def wipe(self) -> None:
        """Zero the buffers: they may have held keys."""
        self._spaces.wipe()
