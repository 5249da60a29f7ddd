"""Scalars and seeds, against all known points at once."""

from __future__ import annotations

import pytest

from immure.keymaterial.key import EcNumbers, Numbers, OkpNumbers
from immure.scanning.chunks import Chunk
from immure.scanning.detectors.ec import ScalarDetector
from immure.scanning.kernels.workspace import Workspace
from immure.scanning.plan import Counts, Plan, make_plan
from immure.scanning.proofs import Proof

from ..material import EC, OKP, PAGE, forms, planted, private, scan

EVERYTHING: Plan = make_plan("exhaustive", Counts())


def examine(memory: bytes | bytearray, *keys: Numbers, chunk: Chunk | None = None) -> list[Proof]:
    curves: dict[str, list[Numbers]] = {}
    for key in keys:
        assert isinstance(key, EcNumbers | OkpNumbers)
        curves.setdefault(key.curve, []).append(key)
    space = Workspace(len(memory))
    space.view[: len(memory)] = memory
    space.set_length(len(memory))
    space.find_runs()
    space.find_quiet_runs(0)
    detector = ScalarDetector(curves, EVERYTHING)
    examined = detector.examine(space, chunk or Chunk(0, len(memory), 0, len(memory)))
    return examined.proofs + detector.finish()


CASES = [(kind, "d", form) for kind in EC for form in ("le64", "be", "be32w", "py30")]
CASES += [(kind, "d_mont", "le64") for kind in EC]
CASES += [(kind, secret, "raw") for kind in OKP for secret in ("seed", "scalar")]
CASES += [(kind, "scalar_raw", "raw") for kind in ("Ed25519", "Ed448")]


@pytest.mark.parametrize(("kind", "secret", "form"), CASES)
def test_a_scalar_among_many_keys(kind: str, secret: str, form: str) -> None:
    """One of a hundred keys of all curves is the right one."""
    others = [private(other, number).public for other in (*EC, *OKP) for number in range(1, 6)]
    memory = planted(forms(kind)[secret, form], PAGE, size=3 * PAGE)
    proofs = examine(memory, *others, private(kind).public)
    assert {proof.public for proof in proofs} == {private(kind).public}
    assert all(PAGE - 8 <= proof.offset <= PAGE for proof in proofs)


@pytest.mark.parametrize(
    ("start", "stop", "is_found"), [(0, PAGE, False), (PAGE, 2 * PAGE, True), (PAGE + 8, 3 * PAGE, False)]
)
def test_a_scalar_belongs_to_the_chunk_in_which_it_begins(start: int, stop: int, is_found: bool) -> None:
    memory = planted(forms("P-256")["d", "le64"], PAGE, size=3 * PAGE)
    proofs = examine(memory, private("P-256").public, chunk=Chunk(start, stop, 0, 3 * PAGE))
    assert bool(proofs) == is_found


@pytest.mark.parametrize("kind", [*EC, *OKP])
@pytest.mark.parametrize("behind", [0, 1, 7])
def test_a_scalar_at_the_very_end_of_the_image(kind: str, behind: int) -> None:
    data = forms(kind)["d", "be"] if kind in EC else forms(kind)["seed", "raw"]
    report = scan(bytes(PAGE) + data + bytes(behind), kind, chunk_bytes=PAGE)
    assert [found.key.numbers for found in report.findings] == [private(kind).public]
    assert report.findings[0].occurrences[0].offset == PAGE


def test_keys_that_are_no_points_are_unusable() -> None:
    bad = EcNumbers("P-384", 1, 1)
    detector = ScalarDetector({"P-384": [bad, private("P-384").public]}, EVERYTHING)
    assert detector.unusable == [(bad, "not a point of P-384")]
