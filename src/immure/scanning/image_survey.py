"""The first pass over an image: its windows are counted, its keys harvested, its texts gathered."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from immure.dumps.dump import Image
from immure.keymaterial.structures import PrivateHit
from immure.scanning.chunks import stream_chunks
from immure.scanning.finding import NotSearched
from immure.scanning.harvest import Harvest
from immure.scanning.options import Progress, ScanOptions
from immure.scanning.part import Part
from immure.scanning.pieces import SAMPLE_BYTES, Pieces
from immure.scanning.plan import Counts
from immure.scanning.shielded import shielded_hits
from immure.scanning.survey import Surveyed, Surveyor
from immure.scanning.texts import TextPool

#: Without structures or harvest the survey only counts: of images longer than this, one piece of so many
#: bytes in SAMPLED_OF.
SAMPLED_FROM: Final = 64 << 20
SAMPLED_OF: Final = 16


class ImageSurvey:
    """Surveys an image.

    Attributes:
        texts: decoded text.
        not_searched: gaps that the survey met.
    """

    def __init__(
        self, image: Image, pieces: Pieces, options: ScanOptions, harvest: Harvest, part: Part | None
    ) -> None:
        self._image = image
        self._pieces = pieces
        self._options = options
        self._harvest = harvest
        self._part = part
        self._structure = "structure" in options.detectors
        #: Whether anything is to be read from the image, besides what is searched for.
        self.reads = self._structure or options.harvest
        self.texts = TextPool(part.text_bytes if part is not None else 0)
        self.not_searched: list[NotSearched] = []

    @property
    def is_sample(self) -> bool:
        """Whether a sample of the image is enough."""
        return not self.reads and (self._image.reader.size or 0) > SAMPLED_FROM

    def run(self, progress: Progress) -> Counts:
        """Count the windows of the image, or estimate them by a sample."""
        given = self._part.counts if self._part is not None else None
        if self.is_sample:
            return given or self._sample()
        progress.phase("survey")
        counts = self._whole()
        return given or counts

    def _sample(self) -> Counts:
        """Count windows here and there."""
        counts = Counts()
        surveyor = Surveyor(self._image.reader, structures=False, texts=False)
        pieces = self._pieces.cut(SAMPLE_BYTES)
        sampled = (piece for piece in pieces if piece.start // SAMPLE_BYTES % SAMPLED_OF == 0)
        for _, surveyed in self._pieces.each(sampled, surveyor.examine):
            counts.add(surveyed.counts, SAMPLED_OF)
        return counts

    def _whole(self) -> Counts:
        counts = Counts()
        surveyor = Surveyor(self._image.reader, structures=self.reads, texts=self.reads)
        stream = self._image.reader.size is None
        chunks = stream_chunks(self._pieces.chunk_bytes) if stream else self._pieces.chunks()
        for chunk, surveyed in self._pieces.each(chunks, surveyor.examine):
            if stream and surveyed.length <= chunk.start - chunk.read_start:
                break
            counts.add(surveyed.counts)
            self._take(surveyed)
        self._image.settle()
        for hit in self._shielded():
            self._harvest.take(hit)
        self._harvest.settle()
        self.not_searched += self._harvest.not_searched
        return counts

    def _take(self, surveyed: Surveyed) -> None:
        self.not_searched += surveyed.not_searched
        for hit in surveyed.hits:
            self._harvest.take(hit)
        if surveyed.texts is not None:
            self.texts.add(surveyed.texts)

    def _shielded(self) -> Iterator[PrivateHit]:
        """Keys that OpenSSH has shielded; of the parts of an image the first finds them all, because that
        takes all of it."""
        if self._structure and (self._part is None or self._part.start == 0):
            yield from shielded_hits(self._image, self._options.mode)
