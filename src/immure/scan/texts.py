"""Key material written as text: what long runs of base64 and hex characters say, decoded, and searched as bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from immure.keymaterial.structures import Buffer, Hit
from immure.keymaterial.texts import decode_text_runs, structures_in_text
from immure.scan.chunks import Chunk
from immure.scan.detectors.rsa import ExponentDetector, PrimeDetector
from immure.scan.finding import NotSearched
from immure.scan.kernels.cpu import Runs, Workspace
from immure.scan.keyset import KeySet
from immure.scan.plan import Counts, make_plan
from immure.scan.proofs import Proof

#: Decoded bytes kept until all keys are known; what comes after is reported as not searched.
POOL_BYTES: Final = 64 << 20
#: Zero bytes between two decoded texts, so that no number reaches from one into the next.
_GAP: Final = 16
_BATCH: Final = 4 << 20


@dataclass(frozen=True, slots=True)
class TextRun:
    """One way of decoding one run of characters: ``data`` from the text at ``offset``."""

    offset: int
    length: int
    data: bytes


def shifted(hit: Hit, by: int) -> Hit:
    """The hit at its place in the image."""
    return replace(hit, offset=hit.offset + by)


def gather(buffer: Buffer, start: int, length: int, kind: int) -> tuple[list[TextRun], list[Hit]]:
    """What a run of characters decodes to, at each phase, and the structures in it. Offsets are relative to the buffer."""
    texts = [TextRun(start, length, decoded.data) for decoded in decode_text_runs(buffer, start, length, kind)]
    return texts, list(structures_in_text(buffer, start, length, kind))


class TextPool:
    """Decoded texts of an image, each bytes once, until all keys are known."""

    def __init__(self) -> None:
        self._texts: dict[bytes, TextRun] = {}
        self._size = 0
        self.not_searched: list[NotSearched] = []

    def add(self, texts: Iterable[TextRun], by: int) -> None:
        """Keep texts whose buffer began at offset ``by``."""
        for text in texts:
            digest = hashlib.blake2b(text.data, digest_size=16).digest()
            if digest in self._texts or len(text.data) < 32:
                continue
            if self._size + len(text.data) > POOL_BYTES:
                reason = f"more than {POOL_BYTES >> 20} MiB of text that may be base64 or hex"
                self.not_searched.append(NotSearched(by + text.offset, text.length, "structure", reason))
                continue
            self._size += len(text.data)
            self._texts[digest] = replace(text, offset=by + text.offset)

    def search(self, keys: KeySet, detectors: Sequence[str]) -> list[Proof]:
        """Search the decoded bytes for the keys."""
        proofs: list[Proof] = []
        batch: list[TextRun] = []
        size = 0
        for text in self._texts.values():
            batch.append(text)
            size += len(text.data) + 2 * _GAP
            if size >= _BATCH:
                proofs += _search_batch(batch, keys, detectors)
                batch, size = [], 0
        if batch:
            proofs += _search_batch(batch, keys, detectors)
        self._texts.clear()
        return proofs


def _search_batch(batch: Sequence[TextRun], keys: KeySet, detectors: Sequence[str]) -> list[Proof]:
    space = Workspace(sum(len(text.data) + 2 * _GAP for text in batch))
    places: list[tuple[int, TextRun]] = []
    runs: list[tuple[int, int]] = []
    at = 0
    for text in batch:
        space.view[at : at + len(text.data)] = text.data
        places.append((at, text))
        end = (at + len(text.data) + 7) // 8 * 8
        runs.append((at, end))
        at = end + _GAP
    space.set_length(at)
    chunk = Chunk(0, at, 0, at)
    plan = make_plan("exhaustive", Counts())
    proofs: list[Proof] = []
    if "rsa" in detectors:
        loose = Runs(len(runs))
        loose.set(runs)
        for bits, numbers in keys.rsa_by_prime_bits().items():
            for detector in (
                PrimeDetector(numbers, bits, "be", 1, plan, "layouts"),
                ExponentDetector(numbers, bits, "be", 1, plan),
            ):
                examined = detector.examine_runs(space, chunk, loose)
                proofs += examined.proofs + detector.settle(examined.queued) + detector.finish()
    curves = keys.on_curves()
    if "ec" in detectors and curves:
        from immure.scan.detectors.ec import ScalarDetector

        scalars = ScalarDetector(curves, plan)
        starts = [start for start, _ in places]
        for width in (32, 48, 57, 66):  # at both ends of a text: whether it begins or ends with the number
            starts += [start + len(text.data) - width for start, text in places if len(text.data) > width]
        proofs += scalars.at(space.view[: space.length], sorted(set(starts)), chunk)
    space.wipe()
    return [_in_image(proof, places) for proof in proofs]


def _in_image(proof: Proof, places: Sequence[tuple[int, TextRun]]) -> Proof:
    """The proof with the offset of the text instead of that in the decoded bytes."""
    offset = max((start, text.offset) for start, text in places if start <= proof.offset)[1]
    return replace(proof, offset=offset, words=f"{proof.words} (written as text)")
