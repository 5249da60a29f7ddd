"""Product and remainder trees against plain products, remainders and gcds."""

from __future__ import annotations

import random
from itertools import pairwise
from math import gcd, prod

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from immure.scanning.batch import Batch, product_modulo, product_tree, remainders

NUMBERS = st.lists(st.integers(1, 1 << 80), min_size=1, max_size=40)
P = [2**61 - 1, 2**89 - 1, 2**107 - 1, 2**127 - 1, (1 << 64) - 59, (1 << 80) - 65, (1 << 96) - 17]


@given(NUMBERS)
def test_each_level_holds_the_products_of_the_one_below(numbers: list[int]) -> None:
    levels = product_tree(numbers)
    assert levels[0] == numbers
    assert levels[-1] == [prod(numbers)]
    for below, level in pairwise(levels):
        assert level == [prod(below[i : i + 2]) for i in range(0, len(below), 2)]


@given(NUMBERS, st.integers(1, 1 << 90))
def test_a_product_reduced_on_the_way(numbers: list[int], modulus: int) -> None:
    assert product_modulo(numbers, modulus) == prod(numbers) % modulus


@given(st.integers(0, 1 << 3000), NUMBERS)
def test_remainders(value: int, numbers: list[int]) -> None:
    assert remainders(value, product_tree(numbers)) == [value % n for n in numbers]


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 7, 8, 9, 31, 32, 33])
def test_trees_of_every_shape(count: int) -> None:
    numbers = [random.Random(k).getrandbits(100) | 1 for k in range(count)]
    value = random.Random(count).getrandbits(20_000)
    assert remainders(value, product_tree(numbers)) == [value % n for n in numbers]


def plain(moduli: list[int], candidates: list[tuple[int, int]]) -> set[tuple[int, int, int]]:
    """What a batch has to tell: every proper common factor."""
    return {
        (tag, index, common)
        for value, tag in candidates
        for index, n in enumerate(moduli)
        if 1 < (common := gcd(value, n)) < n
    }


def batched(
    moduli: list[int], candidates: list[tuple[int, int]], size: int | None = None
) -> list[tuple[int, int, int]]:
    batch = Batch(moduli)
    if size is not None:
        batch._size = size
    hits = [hit for value, tag in candidates for hit in batch.add(value, tag)]
    return hits + batch.flush()


@settings(deadline=None)
@given(
    st.lists(st.lists(st.sampled_from(P), min_size=2, max_size=2, unique=True), min_size=1, max_size=6),
    st.lists(st.one_of(st.sampled_from(P), st.integers(1, 1 << 100)), unique=True, max_size=30),
    st.sampled_from([None, 1, 2, 7]),
    st.booleans(),
)
def test_a_batch_finds_what_gcd_finds(
    pairs: list[list[int]], values: list[int], size: int | None, multiples: bool
) -> None:
    moduli = [prod(pair) for pair in pairs]
    candidates = [(value * (6 if multiples else 1), 100 + k) for k, value in enumerate(values)]
    hits = batched(moduli, candidates, size)
    assert len(hits) == len(set(hits))
    assert set(hits) == plain(moduli, candidates)


def test_a_candidate_that_is_the_modulus_itself_is_no_hit() -> None:
    n = P[0] * P[1]
    assert batched([n, P[0] * P[2]], [(n, 1)]) == [(1, 1, P[0])]
    assert batched([n], [(n, 1), (0, 2), (1, 3)]) == []


def test_a_zero_does_not_hide_other_candidates() -> None:
    """Zero shares a factor with everything; so the product does, too."""
    assert batched([P[0] * P[1]], [(0, 1), (P[0], 2)]) == [(2, 0, P[0])]


def test_the_same_candidate_is_tested_once() -> None:
    n = P[0] * P[1]
    batch = Batch([n])
    assert batch.add(P[0], 1) == batch.add(P[0], 2) == []
    assert batch.flush() == [(1, 0, P[0])]
    assert batch.flush() == []


def test_a_full_batch_is_tested() -> None:
    batch = Batch([P[0] * P[1]])
    hits = [batch.add(value, value) for value in range(2, 2049)]
    assert hits == [[]] * 2047
    assert batch.add(P[1], 7) == [(7, 0, P[1])]
    assert batch.flush() == []


def test_candidates_may_stand_for_other_numbers() -> None:
    """R² mod p shares no factor with the modulus, but R² − (R² mod p) does."""
    p, q = P[1], P[2]
    square = 1 << 256
    batch = Batch([p * q, P[0] * P[3]], lambda value: square - value)
    for tag, value in enumerate([square % p, 12345, square % q, square % P[3]]):
        assert batch.add(value, tag) == []
    assert set(batch.flush()) == {(0, 0, p), (2, 0, q), (3, 1, P[3])}


def test_no_moduli() -> None:
    assert batched([], [(P[0], 1)]) == []


def test_a_thousand_moduli() -> None:
    rng = random.Random(4)
    factors = [rng.getrandbits(128) | 1 for _ in range(2000)]
    moduli = [a * b for a, b in zip(factors[::2], factors[1::2], strict=True)]
    candidates = [(rng.getrandbits(128) | 1, -k) for k in range(500)]
    candidates += [(factors[k], k) for k in (0, 777, 1999)]
    hits = {(tag, index) for tag, index, common in batched(moduli, candidates) if common.bit_length() > 100}
    assert hits == {(0, 0), (777, 388), (1999, 999)}


def test_small_factors_are_no_hits() -> None:
    smooth = 4099**180
    batch = Batch([smooth])
    hits = [hit for value in range(4099, 4099 * 4000, 2 * 4099) for hit in batch.add(value, value)]
    assert hits + batch.flush() == []
