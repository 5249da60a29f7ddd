"""First pass: what is in the image? Runs are counted, public keys harvested, encoded private keys parsed,
long text gathered.

What is harvested here is searched for by the second pass everywhere in the image, also before the place where
it stood.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from immure.dumps.dump import Reader
from immure.keymaterial.structures import ANCHORS, Hit, PrivateHit, PublicHit, SealedHit, parse_at
from immure.keymaterial.texts import MAX_TEXT
from immure.scanning.chunks import OVERLAP, Chunk, load, unread
from immure.scanning.finding import NotSearched
from immure.scanning.kernels.strings import Anchors, text_runs
from immure.scanning.kernels.workspace import Workspace
from immure.scanning.plan import Counts, count
from immure.scanning.texts import Texts, decode_texts, shifted

#: Bytes around a run in which an anchor may begin: headers of structures often stand in dull words.
ANCHOR_PAD: Final = 16
#: Anchors parsed in one chunk; a chunk that has more (hostile, or a table of them) is searched up to there.
ANCHOR_LIMIT: Final = 1 << 16
#: Of those, so many that are none: each may cost a millisecond.
FAILURE_LIMIT: Final = 1 << 14
#: Key stores of a chunk that no common password opens: each may cost a third of a second.
STORE_LIMIT: Final = 48
_STORES: Final = frozenset({"jks", "bks", "pkcs12", "nss", "keychain"})
#: Shortest run of base64 or hex characters that is decoded: 32 bytes take 43 and 64.
TEXT_CHARS: Final = 42


@dataclass
class Surveyed:
    """What the survey saw in one chunk."""

    counts: Counts = field(default_factory=Counts)
    hits: list[Hit] = field(default_factory=list)
    texts: Texts | None = None
    not_searched: list[NotSearched] = field(default_factory=list)
    length: int = 0


class Surveyor:
    """Surveys chunks; one for an image, used by all threads."""

    def __init__(self, reader: Reader, *, structures: bool, texts: bool) -> None:
        self._reader = reader
        self._structured = structures
        self._texts = texts
        self._anchors = Anchors([anchor.needle for anchor in ANCHORS])

    def examine(self, space: Workspace, chunk: Chunk) -> Surveyed:
        """Survey one chunk."""
        result = Surveyed()
        result.not_searched = unread(chunk, load(self._reader, chunk, space))
        result.length = space.length
        if not space.find_runs():
            return result
        space.find_quiet_runs(chunk.read_start)
        result.counts = count(space)
        if self._structured:
            self._structures(space, chunk, result)
        if self._texts:
            self._text(space, chunk, result)
        return result

    def _structures(self, space: Workspace, chunk: Chunk, result: Surveyed) -> None:
        places, searched = self._anchors.find(space, pad=ANCHOR_PAD, limit=ANCHOR_LIMIT)
        view = space.view[: space.length]
        failures = stores = 0
        for at, index in places:
            if chunk.start <= chunk.read_start + at < chunk.stop:
                hits = list(parse_at(view, ANCHORS[index], at))
                result.hits.extend(shifted(hit, chunk.read_start) for hit in hits)
                failures += not any(_proves(hit) for hit in hits)
                stores += any(isinstance(hit, SealedHit) and hit.encoding in _STORES for hit in hits)
                if failures > FAILURE_LIMIT or stores > STORE_LIMIT:
                    searched = at
                    break
        stopped = chunk.read_start + searched
        if searched < space.length and stopped < chunk.stop:
            reason = "too many possible structures in one chunk"
            start = max(stopped, chunk.start)
            result.not_searched.append(NotSearched(start, chunk.stop - start, "structure", reason))

    def _text(self, space: Workspace, chunk: Chunk, result: Surveyed) -> None:
        low, high = chunk.start - chunk.read_start, chunk.stop - chunk.read_start
        runs = []
        for start, length, kind in text_runs(space, pad=ANCHOR_PAD, min_chars=TEXT_CHARS):
            if low <= start < high:
                runs.append((start, length, kind))
            elif start < low and start + length > low + OVERLAP:
                # it goes on behind what was read with the chunk before: take the rest, and so much of what
                # was read as a structure may take up; whole characters of UTF-16 are left out
                cut = (low + OVERLAP - MAX_TEXT - start) // 2 * 2
                runs.append((start + cut, length - cut, kind))
        if runs:
            result.texts, hits = decode_texts(space, runs, chunk, self._anchors)
            result.hits.extend(shifted(hit, chunk.read_start) for hit in hits)


def _proves(hit: Hit) -> bool:
    """Whether there is a key for certain. That a container is sealed may have cost all passwords to see."""
    return isinstance(hit, PublicHit) or (isinstance(hit, PrivateHit) and hit.proved)
