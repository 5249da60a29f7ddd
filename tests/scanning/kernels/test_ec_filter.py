"""The window filter and the de-duplication against their plain twins, and what the filter loses."""

from __future__ import annotations

import random
from array import array
from math import comb

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from immure.errors import UsageError
from immure.scanning.kernels import reference_ec
from immure.scanning.kernels.ec import candidates, unique


def mixed_memory(rng: random.Random, words: int) -> bytes:
    """Words as they are met in images: random ones, text, floats, pointers, zeros, near misses."""
    kinds = [
        lambda: rng.randbytes(8),
        lambda: rng.randbytes(8),
        lambda: rng.randbytes(8),
        lambda: bytes(rng.choice(b"abcdefgh \n{}") for _ in range(8)),
        lambda: rng.randbytes(6) + b"\xe0\x3f",
        lambda: rng.choice([b"\x00", b"\xff"]) + rng.randbytes(7),
        lambda: bytes(rng.choice(b"\x00\x01\x80\xff") for _ in range(8)),
        lambda: bytes(8),
        lambda: rng.randbytes(6) + b"\x00\x00",
    ]
    return b"".join(rng.choice(kinds[: rng.choice([1, 3, 9])])() for _ in range(words))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("step", "width"), [(8, 32), (1, 32), (8, 48), (4, 66), (2, 64)])
@pytest.mark.parametrize("edge", [None, 0, 1, 5])
def test_equals_the_reference(seed: int, step: int, width: int, edge: int | None) -> None:
    rng = random.Random(seed)
    memory = mixed_memory(rng, 400)
    runs, at = [], 0
    while at < len(memory):
        end = min(
            len(memory), at + 8 * rng.choice([0, 1, 3, 4, 5, 8, 15, 16, 17, 70, 131]) + rng.choice([0, 0, 3])
        )
        runs.append((at, end))
        at = end + 8 * rng.randrange(3)
    flat = [bound for run in runs for bound in run]
    for strict in (True, False):
        expected = reference_ec.candidates(memory, runs, step, width, strict, edge)
        got = list(candidates(memory, flat, step=step, width=width, strict=strict, edge=edge))
        assert len(got) == len(set(got))
        assert (got if step == 8 and edge is None else sorted(got)) == expected


@settings(max_examples=100, deadline=None)
@given(
    st.binary(max_size=400), st.integers(0, 9), st.sampled_from([1, 2, 4, 8]), st.none() | st.integers(0, 3)
)
def test_any_bytes(memory: bytes, start: int, step: int, edge: int | None) -> None:
    run = (min(start, len(memory)), len(memory))
    for strict in (True, False):
        got = candidates(memory, run, step=step, strict=strict, edge=edge)  # type: ignore[arg-type]
        assert sorted(got) == reference_ec.candidates(memory, [run], step, 32, strict, edge)


def test_more_candidates_than_fit_into_one_call() -> None:
    memory = random.Random(1).randbytes(8 * 66_001)
    got = candidates(memory, [8, len(memory)])
    assert list(got) == reference_ec.candidates(memory, [(8, len(memory))])
    assert len(got) > 2 * (1 << 15)
    assert sorted(candidates(memory, [0, len(memory)], step=4, strict=False)) == reference_ec.candidates(
        memory, [(0, len(memory))], step=4, strict=False
    )


@pytest.mark.parametrize("run", [(-8, 64), (0, 65), (32, 16), (2**62, 2**63 - 1)])
def test_runs_out_of_range_are_refused(run: tuple[int, int]) -> None:
    with pytest.raises(UsageError):
        candidates(bytes(64), run)


def test_arguments_out_of_range_are_refused() -> None:
    with pytest.raises(UsageError):
        candidates(bytes(64), (0, 64), step=3)  # type: ignore[arg-type]
    with pytest.raises(UsageError):
        candidates(bytes(64), (0, 64), width=24)
    assert not candidates(bytes(64), ())
    assert not candidates(b"", (0, 0))


def loss_by_dull_words() -> float:
    return 1 - (1 - 2 * reference_ec.DULL / 2**64) ** 4


def loss_by_top_bits() -> float:
    return sum(comb(32, k) for k in range(33) if not 5 <= k <= 27) / 2**32


def loss_by_set_bits() -> float:
    return sum(comb(256, k) for k in range(257) if not 88 <= k <= 168) / 2**256


def loss_by_extreme_bytes() -> float:
    return sum(comb(32, k) * 2**k * 254 ** (32 - k) for k in range(5, 33)) / 256**32


def loss_by_constant_column() -> float:
    return 1 - (1 - 1 / 128**3) ** 8


def loss_by_distinct(values: int, least: int) -> float:
    """Chance that 32 draws out of ``values`` take fewer than ``least`` of them (by the chain of new
    values)."""
    chance = [1.0] + [0.0] * 32
    for _ in range(32):
        chance = [
            chance[k] * k / values + (chance[k - 1] * (values - k + 1) / values if k else 0)
            for k in range(33)
        ]
    return sum(chance[:least])


def test_the_loss_is_what_the_documentation_says() -> None:
    parts = [
        loss_by_dull_words(),
        loss_by_top_bits(),
        loss_by_set_bits(),
        loss_by_extreme_bytes(),
        loss_by_constant_column(),
        loss_by_distinct(64, 17),
        loss_by_distinct(64, 17),
        loss_by_distinct(256, 23),
    ]
    print([f"{part:.2e}" for part in parts], f"{sum(parts):.2e}")
    # no more than the sum (Boole), no less than the greatest part
    assert max(parts) == loss_by_dull_words()
    assert 1.2e-4 < max(parts) < sum(parts) < 1.65e-4


def test_the_loss_measured() -> None:
    """On 2 million random windows: within five standard deviations of 1.6 in 10 000."""
    rng, windows, passed = random.Random(7), 2_000_000, 0
    for _ in range(8):
        memory = rng.randbytes(windows // 8 * 32)
        runs = array("q", (bound for at in range(0, len(memory), 32) for bound in (at, at + 32)))
        passed += len(candidates(memory, runs))
    lost = 1 - passed / windows
    assert abs(lost - 1.6e-4) < 5 * (1.6e-4 / windows) ** 0.5


@pytest.mark.parametrize("width", [8, 32, 48, 66])
def test_unique_equals_the_reference(width: int) -> None:
    rng = random.Random(width)
    pieces = [rng.randbytes(width) for _ in range(300)]
    memory = b"".join(rng.choice(pieces) for _ in range(5000)) + bytes(200)
    offsets = array("q", [width * rng.randrange(5000) for _ in range(4000)] + [len(memory) - width])
    assert list(unique(memory, offsets, width)) == reference_ec.unique(memory, offsets, width)
    assert not unique(memory, array("q"), width)


def test_unique_refuses_what_is_out_of_range() -> None:
    for bad in (-1, 33, 2**62):
        with pytest.raises(UsageError):
            unique(bytes(64), array("q", [0, bad]))


def test_windows_that_differ_in_one_byte_stay() -> None:
    base = random.Random(3).randbytes(66)
    memory = b"".join(base[:k] + bytes([base[k] ^ 1]) + base[k + 1 :] for k in range(66))
    assert len(unique(memory, array("q", range(0, 66 * 66, 66)), 66)) == 66
