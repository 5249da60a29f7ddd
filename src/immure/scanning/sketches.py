"""The search of an image for secrets of which the scanner has a sketch only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from immure.dumps.dump import Image
from immure.keymaterial.sketch import DIGEST_BYTES, WINDOW, Sketch, SketchedSecret
from immure.keymaterial.sketch_key import key_of
from immure.scanning.chunks import Chunk
from immure.scanning.finding import Finding, NotSearched
from immure.scanning.kernels.sketch import noise_of
from immure.scanning.kernels.workspace import Workspace
from immure.scanning.occurrences import occurrence, tidy
from immure.scanning.sketch_table import MOST_HITS, Piece, Seen, tables_of

#: As which detector reports name the search.
DETECTOR: Final = "sketches"
#: From so many bytes on a piece holds a window at a multiple of 8, wherever it stands.
SURE_BYTES: Final = WINDOW + 7
_NOISE: Final = "quick mode: noise (64 KiB or more of random-looking pages) was left out"

#: What all sketches show in one chunk, and the noise of it that was left out.
AllSeen = tuple[list[Seen], list[tuple[int, int]]]


@dataclass
class Hunt:
    """The search of one image for the secrets of some sketches.

    Attributes:
        sketches: what to look for.
        leaves_noise: whether noise is left out, as quick mode does in large images.
        pieces, not_searched, digests: what came of it.
    """

    sketches: tuple[Sketch, ...]
    leaves_noise: bool = False
    pieces: list[Piece] = field(default_factory=list)
    not_searched: list[NotSearched] = field(default_factory=list)
    digests: int = 0

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to look for."""
        return not self.sketches

    def examine(self, space: Workspace, chunk: Chunk, *, has_runs: bool) -> AllSeen:
        """Look at the chunk in the workspace; by any thread. ``has_runs``: its quiet runs were found."""
        noise: list[tuple[int, int]] = []
        if self.sketches and self.leaves_noise:
            if not has_runs and space.find_runs(strict=False):
                space.find_quiet_runs(chunk.read_start)
            noise = noise_of(space)
        return [table.examine(space, chunk, noise) for table in tables_of(self.sketches)], noise

    def take(self, chunk: Chunk, examined: AllSeen) -> None:
        """What :meth:`examine` gave, in the order of the chunks."""
        seen, noise = examined
        for first, last in noise:
            start, stop = max(chunk.start, chunk.read_start + first), min(chunk.stop, chunk.read_start + last)
            if start < stop:
                self.not_searched.append(NotSearched(start, stop - start, DETECTOR, _NOISE))
        for pieces, tried, stopped in seen:
            self.pieces += pieces
            self.digests += tried
            if stopped is not None and stopped < chunk.stop:
                start = max(stopped, chunk.start)
                reason = f"more than {MOST_HITS} places in one chunk agree with a sketch"
                self.not_searched.append(NotSearched(start, chunk.stop - start, DETECTOR, reason))

    @property
    def notes(self) -> list[str]:
        """What there is to say of a search for these secrets, whatever it finds."""
        lengths = [secret.length for sketch in self.sketches for secret in sketch.secrets]
        short = sum(length < SURE_BYTES for length in lengths)
        if not short:
            return []
        many = "1 secret of sketches has" if short == 1 else f"{short:,} secrets of sketches have"
        return [
            f"{many} less than {SURE_BYTES} bytes: found only where {WINDOW} of them stand at a multiple of 8"
        ]

    def findings(self, image: Image) -> list[Finding]:
        """A finding for each secret of which a piece is there."""
        return [self._finding(image, *which, pieces) for which, pieces in self._by_secret().items()]

    def _by_secret(self) -> dict[tuple[int, int], list[Piece]]:
        by_secret: dict[tuple[int, int], list[Piece]] = {}
        for piece in self.pieces:
            by_secret.setdefault((piece.sketch, piece.secret), []).append(piece)
        return by_secret

    def _finding(self, image: Image, sketch: int, number: int, pieces: list[Piece]) -> Finding:
        secret = self.sketches[sketch].secrets[number]
        found = [
            occurrence(
                image,
                piece.offset,
                piece.length,
                secret.strings[piece.string].part,
                piece.encoding,
                whole=piece.whole,
            )
            for piece in pieces
        ]
        key = key_of(secret, self.sketches[sketch].source or "sketch")
        return Finding(key, "sketched", _proof(secret, pieces), tidy(found))

    def found(self) -> list[tuple[SketchedSecret, list[Piece]]]:
        """Of each secret that is there, the pieces that say most: the whole of a string, or else all that are
        not within others."""
        result = []
        for (sketch, number), pieces in self._by_secret().items():
            longest: dict[int, list[Piece]] = {}
            for piece in sorted(pieces, key=lambda one: (-one.count, one.offset)):
                others = longest.setdefault(piece.string, [])
                if not any(piece.data.reveal() in other.data.reveal() for other in others):
                    others.append(piece)
            plain = {index: found for index, found in longest.items() if any(one.whole for one in found)}
            chosen = plain or longest
            result.append(
                (self.sketches[sketch].secrets[number], [one for found in chosen.values() for one in found])
            )
        return result


def _proof(secret: SketchedSecret, pieces: Sequence[Piece]) -> str:
    best = max(pieces, key=lambda piece: (piece.whole, piece.count))
    length = secret.strings[best.string].length
    if best.whole:
        return f"all {length} bytes have the digests of the sketch (SHA-256)"
    windows = best.count - WINDOW + 1
    return (
        f"{best.count} of {length} bytes in a row: {windows} digests of the sketch agree"
        f" ({8 * DIGEST_BYTES * windows} bits)"
    )
