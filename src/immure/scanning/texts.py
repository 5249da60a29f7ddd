"""Key material written as text: what long runs of base64 and hex characters say, decoded at every phase, and
searched as bytes."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

from immure.keymaterial.structures import Hit
from immure.keymaterial.texts import decode_text_runs, structures_in_text, text_name
from immure.scanning.chunks import Chunk
from immure.scanning.detectors.rsa import ExponentDetector, PrimeDetector
from immure.scanning.finding import NotSearched
from immure.scanning.kernels.strings import Anchors, DecodedTexts, text_decode
from immure.scanning.kernels.workspace import Windows, Workspace
from immure.scanning.keyset import KeySet
from immure.scanning.plan import Counts, Plan, make_plan
from immure.scanning.proofs import Proof

#: Decoded bytes kept until all keys are known; what comes after is reported as not searched.
POOL_BYTES: Final = 64 << 20
#: Of them, so many are searched together.
JOINED_BYTES: Final = 4 << 20
#: Decoded bytes up to which numbers are searched for anywhere in them; beyond, in quick mode, at the ends of
#: texts only.
EVERYWHERE_BYTES: Final = 1 << 17
#: The windows at the ends of a text: its first and last byte may be one that belongs to no number (a sign).
_ENDS: Final = Windows(1, 0, 1)
#: Anchors in the decoded texts of one chunk that are followed up.
_ANCHOR_LIMIT: Final = 1 << 14
#: What stands between two runs that are lines of one text. Of a line end written as ``\\n``, the n belongs to
#: the run behind it.
_LINE_ENDS: Final = frozenset({b"\n", b"\r\n", b"\\", b"\\r\\"})
#: A last line may be too short to be a run.
_SHORT_LINE: Final = 48
#: Widths of scalars and seeds in bytes.
_SCALARS: Final = (32, 48, 56, 57, 66)


@dataclass(frozen=True, slots=True)
class Texts:
    """The texts of one chunk, decoded; ``runs`` are their (offset in the image, length, kind)."""

    decoded: DecodedTexts
    runs: tuple[tuple[int, int, int], ...]

    @property
    def length(self) -> int:
        """Bytes of all texts."""
        return sum(length for _, length, _ in self.runs)


def decode_texts(
    space: Workspace, runs: Sequence[tuple[int, int, int]], chunk: Chunk, anchors: Anchors
) -> tuple[Texts, list[Hit]]:
    """Decode a chunk's runs of characters; the texts, and the structures in them with offsets in the
    buffer."""
    decoded = text_decode(space, runs)
    offsets = decoded.offsets()
    suspicious = {
        decoded.text_of(bisect_right(offsets, at) - 1)
        for at, _ in anchors.find_all(decoded.data, limit=_ANCHOR_LIMIT)
    }
    view = space.view[: space.length]
    hits = [hit for index in sorted(suspicious) for hit in structures_in_text(view, *runs[index])]
    lines = _several_lines(view, runs)
    _append(decoded, view, lines, len(runs))
    there = tuple((chunk.read_start + start, length, kind) for start, length, kind in (*runs, *lines))
    return Texts(decoded, there), hits


def _several_lines(view: memoryview, runs: Sequence[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """Texts of which two or more runs are the lines: a long number in PEM stands in no single one of them."""
    found: list[tuple[int, int, int]] = []
    for (start, length, kind), (behind, more, other) in pairwise(runs):
        gap = bytes(view[start + length : behind]) if behind - start - length <= 8 else b""
        if kind != other or gap.replace(b"\0", b"") not in _LINE_ENDS:
            continue
        end = behind + more
        if found and found[-1][0] + found[-1][1] == start + length:
            found[-1] = (found[-1][0], end - found[-1][0], kind)
        else:
            found.append((start, end - start, kind))
    return found


def _append(
    decoded: DecodedTexts, view: memoryview, texts: Sequence[tuple[int, int, int]], index: int
) -> None:
    """Decode further texts, whose numbers begin at ``index``, as the native code does."""
    data, flat = decoded.data, decoded.flat
    for number, (start, length, kind) in enumerate(texts, start=index):
        for piece in decode_text_runs(view, start, length + _SHORT_LINE, kind):
            flat.extend((len(data), len(piece.data), number, piece.phase))
            data += piece.data
            data += bytes(-len(data) % 8 + 16)


def shifted(hit: Hit, by: int) -> Hit:
    """The hit at its place in the image."""
    return replace(hit, offset=hit.offset + by)


class TextPool:
    """Decoded texts of an image, until all keys are known.

    Args:
        total: bytes of decoded text in all of the image, where this is the pool of a part of it.

    ``size`` is how many there are here.
    """

    def __init__(self, total: int = 0) -> None:
        self._total = total
        self._texts: list[Texts] = []
        self.size = 0
        self.not_searched: list[NotSearched] = []

    def add(self, texts: Texts) -> None:
        """Keep one chunk's texts."""
        size = len(texts.decoded.data)
        if self.size + size > POOL_BYTES:
            reason = f"more than {POOL_BYTES >> 20} MiB of decoded text"
            for detector in ("rsa", "ec"):
                self.not_searched.append(NotSearched(texts.runs[0][0], texts.length, detector, reason))
            return
        self.size += size
        self._texts.append(texts)

    def search(self, keys: KeySet, detectors: Sequence[str], plan: Plan) -> list[Proof]:
        """Search the decoded bytes for the keys; empties the pool."""
        everywhere = plan.mode == "exhaustive" or max(self.size, self._total) <= EVERYWHERE_BYTES
        if not everywhere and self._texts:
            reason = "quick mode: base64 and hex texts were searched for numbers at their ends only"
            for detector in ("rsa", "ec"):
                if detector in detectors:
                    length = sum(texts.length for texts in self._texts)
                    self.not_searched.append(NotSearched(self._texts[0].runs[0][0], length, detector, reason))
        search = _TextSearch(keys, detectors, everywhere)
        texts, self._texts = self._texts, []
        return [proof for one in _joined(texts) for proof in search.run(one)]


def _joined(texts: Sequence[Texts]) -> Iterator[Texts]:
    """The texts of several chunks together: the more are searched at once, the less each costs."""
    joined, runs = DecodedTexts(), list[tuple[int, int, int]]()
    for one in texts:
        if runs and len(joined.data) + len(one.decoded.data) > JOINED_BYTES:
            yield Texts(joined, tuple(runs))
            joined, runs = DecodedTexts(), []
        joined.join(one.decoded, len(runs))
        runs += one.runs
    if runs:
        yield Texts(joined, tuple(runs))


class _TextSearch:
    """The detectors of big-endian numbers, made once for all texts."""

    def __init__(self, keys: KeySet, detectors: Sequence[str], everywhere: bool) -> None:
        plan = make_plan(
            "exhaustive" if everywhere else "quick", Counts() if everywhere else Counts.unbounded()
        )
        self._everywhere = everywhere
        self._primes: list[PrimeDetector] = []
        self._exponents: list[ExponentDetector] = []
        for bits, numbers in keys.rsa_by_prime_bits().items() if "rsa" in detectors else ():
            visited = None if everywhere else _ENDS
            self._primes.append(PrimeDetector(numbers, bits, "be", 1, plan, "layouts", visited=visited))
            self._exponents.append(ExponentDetector(numbers, bits, "be", 1, plan, visited))
        self._scalars = None
        curves = keys.on_curves()
        if "ec" in detectors and curves:
            from immure.scanning.detectors.ec import ScalarDetector

            self._scalars = ScalarDetector(curves, plan)

    def run(self, texts: Texts) -> list[Proof]:
        """All proofs in one chunk's texts."""
        decoded = texts.decoded
        data = decoded.data
        space = Workspace(len(data))
        space.view[: len(data)] = data
        space.set_length(len(data))
        chunk = Chunk(0, len(data), 0, len(data))
        runs = decoded.spans()
        proofs: list[Proof] = []
        for prime in self._primes:
            examined = prime.examine_runs(space, chunk, runs)
            proofs += examined.proofs + prime.settle(examined.queued) + prime.finish()
        for exponent in self._exponents:
            proofs += exponent.examine_runs(space, chunk, runs).proofs
        if self._scalars is not None:
            proofs += self._scalars.at(space.view[: space.length], self._starts(decoded), chunk)
        space.wipe()
        data[:] = bytes(len(data))
        offsets = decoded.offsets()
        found = []
        for proof in proofs:
            start, length, kind = texts.runs[decoded.text_of(bisect_right(offsets, proof.offset) - 1)]
            words = f"{proof.words} (written as text)"
            found.append(replace(proof, offset=start, words=words, text=(length, text_name(kind))))
        return found

    def _starts(self, decoded: DecodedTexts) -> Sequence[int]:
        """Where scalars may begin: at any byte of a text; of many texts, only at the start of those that are
        hardly longer."""
        if not self._everywhere:
            return decoded.starts(_SCALARS, 2)
        last = min(_SCALARS) - 1
        return [start for at, length, _, _ in decoded.places for start in range(at, at + length - last)]
