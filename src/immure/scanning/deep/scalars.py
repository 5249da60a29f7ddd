"""Scalars and seeds of which a few bytes side by side are missing.

Of a scalar d = a + 2^l·x with 0 ≤ x < 2^m, the point Q − aG is x·2^l·G: x is found by baby steps and giant
steps (Shanks, 1971), with about 2^(m/2) of each. The baby steps Q − j·2^l·G are a set of known points, the
giant steps are candidates of the ordinary search. A seed is hashed before anything else, so all 2^m must be
tried.
"""

from __future__ import annotations

from array import array
from typing import Final

from immure.errors import KeyFormatError, LimitError
from immure.keymaterial.key import EcNumbers, OkpNumbers
from immure.scanning.kernels.ec import Kind, PointSet, width_of
from immure.scanning.kernels.ec_curves import CURVES, Curve, Point, family_of
from immure.scanning.proofs import Proof, prove_scalar

#: Bits that may be missing: of a scalar of a short Weierstrass curve, and of a seed or clamped scalar.
MOST_SCALAR_BITS: Final = 32
MOST_SEED_BITS: Final = 24
#: Bits of the number of baby steps: each costs as much as a hundred giant steps, which the kernel makes.
_BABY_BITS: Final = 12
#: Candidates that are tried at once.
_BLOCK: Final = 1 << 16


def rebuild_scalar(public: EcNumbers, known: int, low: int, missing: int, offset: int = 0) -> Proof | None:
    """A proof of the key, if ``known`` is d but for ``missing`` bits from bit ``low`` on (zero in ``known``).

    Raises:
        LimitError: more than :data:`MOST_SCALAR_BITS` are missing.
    """
    if missing > MOST_SCALAR_BITS:
        raise LimitError(f"{missing} bits are missing: more than {MOST_SCALAR_BITS} are not searched for")
    family = family_of(public)
    if family is None:
        return None
    curve = CURVES[family]
    baby = min(_BABY_BITS, (missing + 1) // 2)
    steps = _baby_steps(public, curve, low, 1 << baby)
    points = PointSet(list(steps), family)
    width = width_of(family, "le", "number")
    giants = 1 << missing - baby
    for first in range(0, giants, _BLOCK):
        count = min(_BLOCK, giants - first)
        values = [known + ((first + step) << baby + low) for step in range(count)]
        fitting = [value for value in values if 0 < value < curve.n]
        data = b"".join(value.to_bytes(width, "little") for value in fitting)
        offsets = array("q", range(0, width * len(fitting), width))
        for hit in points.search(data, offsets):
            scalar = (
                fitting[hit.candidate] + (steps[hit.numbers] << low)
                if isinstance(hit.numbers, EcNumbers)
                else 0
            )
            proof = prove_scalar(public, "d", scalar, offset)
            if proof is not None:
                return proof
    return None


def _baby_steps(public: EcNumbers, curve: Curve, low: int, count: int) -> dict[EcNumbers, int]:
    """Q − j·2^low·G for all j below ``count``, and the j."""
    step = curve.multiply(curve.n - (1 << low) % curve.n, curve.g)
    at: Point = (public.x, public.y)
    result: dict[EcNumbers, int] = {}
    for j in range(count):
        if at is not None:
            result.setdefault(EcNumbers(public.curve, *at), j)
        at = curve.add(at, step)
    return result


def rebuild_seed(
    public: OkpNumbers, known: bytes, at: int, missing: int, kind: Kind, offset: int = 0
) -> Proof | None:
    """A proof of the key, if ``known`` is its seed (``kind`` "seed") or scalar ("clamped") but for
    ``missing`` bytes from byte ``at`` on.

    Raises:
        LimitError: more than :data:`MOST_SEED_BITS` are missing.
    """
    if 8 * missing > MOST_SEED_BITS:
        raise LimitError(f"{8 * missing} bits are missing: more than {MOST_SEED_BITS} are not searched for")
    family = family_of(public)
    if family is None or len(known) != width_of(family, "le", kind):
        return None
    points = PointSet([public], family)
    before, behind = known[:at], known[at + missing :]
    width = len(known)
    for first in range(0, 1 << 8 * missing, _BLOCK):
        values = range(first, min(first + _BLOCK, 1 << 8 * missing))
        data = b"".join(before + value.to_bytes(missing, "little") + behind for value in values)
        offsets = array("q", range(0, len(data), width))
        for hit in points.search(data, offsets, "le", kind):
            start = offsets[hit.candidate]
            try:
                return prove_scalar(public, hit.secret, data[start : start + width], offset)
            except KeyFormatError:
                return None
    return None
