"""Encoded keys that were erased in part: the numbers side by side, each with holes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from immure.dumps.dump import Reader
from immure.keymaterial.key import RsaNumbers
from immure.keymaterial.private import RsaPrivate
from immure.scanning.chunks import Chunk
from immure.scanning.deep.branch import rebuild_rsa
from immure.scanning.deep.multipliers import NUMBERS, KnownBits
from immure.scanning.deep.rebuilt import Rebuilt
from immure.scanning.deep.templates import ERASED_BYTES, Order, Template, erased_bytes, templates, total_bits
from immure.scanning.deep.work import Work
from immure.scanning.finding import Partial
from immure.scanning.kernels.sweep import Sweep
from immure.scanning.kernels.workspace import Workspace
from immure.scanning.proofs import prove_prime

#: Shortest part of a modulus that marks a place.
_ANCHOR_BYTES: Final = 8
#: Places that are kept of one key.
_MOST_PLACES: Final = 4096
#: Share of the bits of p, q, d, dp and dq from which on rebuilding is tried.
_LEAST_SHARE: Final = 0.2
#: Ways that are looked at for one attempt, and the work that is, in units.
_NODES: Final = 200_000
_WORK: Final = 5_000
#: Work of looking at one place.
_LOOK: Final = 50
#: Attempts at one place: they differ in the lengths of numbers whose headers are gone.
_MOST_WAYS: Final = 6


@dataclass(frozen=True, slots=True)
class Anchor:
    """Where a modulus begins in the image, or would if all of it was there."""

    key: RsaNumbers
    order: Order
    offset: int


class ErasedEncodings:
    """Looks for encodings of RSA keys beside their moduli."""

    def __init__(self, keys: Sequence[RsaNumbers]) -> None:
        self._keys = list(keys)
        self._needles: list[tuple[RsaNumbers, Order]] = [
            (key, order) for key in self._keys for order in ("big", "little")
        ]
        data = [key.n.to_bytes((key.n.bit_length() + 7) // 8, order) for key, order in self._needles]
        self._sweep = Sweep(data) if data else None
        self._anchors: dict[Anchor, None] = {}
        self._dropped = 0

    def examine(self, space: Workspace, chunk: Chunk) -> list[Anchor]:
        """Places of moduli in the chunk in the workspace; by any thread."""
        if self._sweep is None:
            return []
        result = []
        for index, at, inside, _ in self._sweep.find(space, min_bytes=_ANCHOR_BYTES):
            if chunk.start <= chunk.read_start + at < chunk.stop:
                key, order = self._needles[index]
                result.append(Anchor(key, order, chunk.read_start + at - inside))
        return result

    def take(self, examined: Sequence[Anchor]) -> None:
        """What :meth:`examine` gave, in the order of the chunks."""
        for anchor in examined:
            if anchor in self._anchors:
                continue
            if len(self._anchors) >= _MOST_PLACES * len(self._keys):
                self._dropped += 1
            else:
                self._anchors[anchor] = None

    def solve(self, work: Work) -> Iterator[Rebuilt]:
        """Try what was gathered."""
        purpose = "encoded keys that were erased in part"
        work.budget.skip(self._dropped, purpose)
        for anchor in self._anchors:
            if anchor.key in work.done or not work.budget.spend(_LOOK, purpose):
                continue
            for template, known in self._ways(anchor, work.reader):
                if not work.budget.spend(_WORK, purpose):
                    continue
                private = rebuild_rsa(anchor.key, known, most_nodes=_NODES)
                found = _rebuilt(anchor, template, known, private) if private is not None else None
                if found is not None:
                    yield found
                    break

    def _ways(self, anchor: Anchor, reader: Reader) -> list[tuple[Template, dict[str, KnownBits]]]:
        """Templates that agree with what stands at a place, best first, and what each tells."""
        ways: list[tuple[int, Template, dict[str, KnownBits]]] = []
        fitting = [template for template in templates(anchor.key) if template.order == anchor.order]
        # a little more, so that a stretch that was erased is seen in full at both ends
        low = min(template.extent[0] for template in fitting) - ERASED_BYTES
        high = max(template.extent[1] for template in fitting) + ERASED_BYTES
        start = max(0, anchor.offset + low)
        data = reader.read(start, anchor.offset + high - start)
        erased, base = erased_bytes(data), anchor.offset - start
        for template in fitting:
            score = template.agreement(data, erased, base)
            if not score:
                continue
            known = template.known(data, erased, base)
            if total_bits(known) >= _LEAST_SHARE * _all_bits(anchor.key):
                ways.append((score, template, known))
        ways.sort(key=lambda way: -way[0])
        return [(template, known) for _, template, known in ways[:_MOST_WAYS]]


def _all_bits(key: RsaNumbers) -> int:
    return 3 * key.n.bit_length()


def _rebuilt(
    anchor: Anchor, template: Template, known: dict[str, KnownBits], private: RsaPrivate
) -> Rebuilt | None:
    first = min(template.fields, key=lambda field: field.at)
    proof = prove_prime(anchor.key, private.p.reveal(), "prime", anchor.offset + first.at)
    if proof is None:
        return None
    count, bits = total_bits(known), _all_bits(anchor.key)
    words = (
        f"{count} of the {bits} bits of p, q, d, dp and dq are there, side by side ({template.encoding});"
        " the others follow (branch and prune), and p·q = n"
    )
    partial = Partial(" ".join(NUMBERS), count, bits, rebuilt=True, method="branch-and-prune")
    return Rebuilt(replace(proof, words=words, secret="key"), partial)
