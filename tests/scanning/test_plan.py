"""Which windows quick mode leaves out, and that it says so."""

from __future__ import annotations

import random

import pytest

from immure.scanning import plan
from immure.scanning.kernels.workspace import Workspace
from immure.scanning.options import Mode
from immure.scanning.plan import BUDGETS, Counts, make_plan
from immure.synth import plant

from .material import EC, OKP, PAGE, filler, forms, planted, public, scan
from .test_search import of_key


def counts(every: int, quiet: int) -> Counts:
    found = Counts()
    for counted in (found.loose, found.strict):
        counted.update(dict.fromkeys(counted, 1))
        counted["all"], counted["quiet"] = every, quiet
    return found


@pytest.mark.parametrize("family", BUDGETS)
@pytest.mark.parametrize(
    ("mode", "every", "quiet", "tiers"),
    [
        ("quick", 0, 0, {"all"}),
        ("quick", 1000, 10, {"all"}),
        ("quick", 1 << 40, 1000, {"quiet"}),
        ("quick", 1 << 40, 1 << 39, {"edges", "starts"}),
        ("exhaustive", 1 << 40, 1 << 39, {"all"}),
    ],
)
def test_the_widest_tier_that_fits(family: str, mode: Mode, every: int, quiet: int, tiers: set[str]) -> None:
    made = make_plan(mode, counts(every, quiet))
    assert made.tier(family) in tiers
    assert (made.left_out(family) > 0) == (made.tier(family) != "all")


def test_counts_add_up() -> None:
    total = Counts()
    total.add(counts(5, 3))
    total.add(counts(7, 2), 2)
    assert (total.loose["all"], total.strict["quiet"]) == (19, 7)


IN_ITS_OWN_ALLOCATION = [
    *((kind, secret, encoding) for kind in ("RSA-1024", "RSA-2048") for secret, encoding in
      (("p", "le64"), ("p", "be"), ("q", "be32w"), ("q", "py30"), ("d", "le64"), ("d", "be"),
       ("rr_p", "le64"), ("r_q", "le64"))),
    *((kind, "d", encoding) for kind in EC for encoding in ("le64", "be", "py30")),
    *((kind, "d_mont", "le64") for kind in EC),
    *((kind, secret, "raw") for kind in OKP for secret in ("seed", "scalar")),
]  # fmt: skip
AROUND = [
    (bytes.fromhex("9100000000000000"), bytes(16)),  # the size of a chunk of the heap
    (bytes(8), bytes.fromhex("3100000000000000")),
    (bytes.fromhex("2010fef7ff7f0000"), bytes.fromhex("2010fef7ff7f0000")),  # pointers
]


@pytest.mark.parametrize(("kind", "secret", "encoding"), IN_ITS_OWN_ALLOCATION)
def test_the_narrowest_tier_finds_numbers_in_allocations_of_their_own(
    kind: str, secret: str, encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "BUDGETS", dict.fromkeys(BUDGETS, 0))
    for before, behind in AROUND:
        memory = filler("ordinary", 4 * PAGE, seed=3)
        plant(memory, 2 * PAGE - 64, bytes(768))
        plant(memory, 2 * PAGE - len(before), before + forms(kind)[secret, encoding] + behind)
        report = scan(memory, kind, chunk_bytes=1 << 16)
        assert of_key(report, kind) is not None
        assert not report.complete


def test_what_is_left_out_is_said() -> None:
    """In the middle of 512 KiB of noise no constant is looked for."""
    memory = planted(forms("RSA-2048")["rr_p", "le64"], 64 * PAGE, name="random", size=512 * PAGE)
    quick = scan(memory, "RSA-2048")
    assert quick.findings == []
    assert {gap.detector for gap in quick.not_searched} >= {"montgomery"}
    assert all("--mode exhaustive searches them" in gap.reason for gap in quick.not_searched)


@pytest.mark.parametrize("widths", [(32, 48), (48, 32), (32, 66, 48)])
def test_the_beginning_of_a_run_is_as_long_as_the_number(widths: tuple[int, ...]) -> None:
    """One after the other in the same chunk: a run cut for one width must not serve another."""
    memory = bytes(64) + random.Random(1).randbytes(72) + bytes(64)
    space = Workspace(4096)
    space.view[: len(memory)] = memory
    space.set_length(len(memory))
    assert space.find_runs()
    space.find_quiet_runs(0)
    for width in widths:
        assert plan.strict_runs(space, "starts", width).pairs() == [(64, 64 + width)]


def test_the_narrowest_tier_finds_scalars_of_two_widths(monkeypatch: pytest.MonkeyPatch) -> None:
    """P-384 at the beginning of a run that is longer, with P-256 named as well, in whichever order."""
    monkeypatch.setattr(plan, "BUDGETS", dict.fromkeys(BUDGETS, 0))
    monkeypatch.setattr(plan, "EDGE_CANDIDATES", 0)
    beside = random.Random(2).randbytes(24)
    for kind in ("P-256", "P-384"):
        number = bytes(64) + forms(kind)["d", "be"] + beside + bytes(64)
        for named in (("P-256", "P-384"), ("P-384", "P-256")):
            report = scan(planted(number, 5 * PAGE), *named)
            assert [finding.key for finding in report.findings] == [public(kind)]
