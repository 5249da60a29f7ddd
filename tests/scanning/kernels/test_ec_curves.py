"""Multiples of points in plain integers, held against sums of points."""

from __future__ import annotations

import random

import pytest

from immure.scanning.kernels.ec_curves import CURVES, Family, Point

FAMILIES = list(CURVES)


def summed(family: Family, scalar: int) -> Point:
    """By doubling and adding affine points."""
    curve = CURVES[family]
    result: Point = None
    for bit in bin(scalar)[2:]:
        result = curve.add(result, result)
        if bit == "1":
            result = curve.add(result, curve.g)
    return result


@pytest.mark.parametrize("family", FAMILIES)
def test_multiples_are_sums(family: Family) -> None:
    curve, chance = CURVES[family], random.Random(3)
    scalars = [*range(40), curve.n - 2, curve.n - 1, curve.n + 1, *(chance.getrandbits(60) for _ in range(5))]
    for scalar in [*scalars, chance.getrandbits(curve.bits)]:
        point = curve.multiply(scalar, curve.g)
        assert point == summed(family, scalar)
        assert point is None or curve.has(*point)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("times", [1, 2, 7])
def test_the_order_of_the_group(family: Family, times: int) -> None:
    curve = CURVES[family]
    assert curve.multiply(times * curve.n, curve.g) is None
    assert curve.multiply(times * curve.n + 1, curve.g) == curve.g
    assert curve.multiply(5, None) is None


@pytest.mark.parametrize("family", ["25519", "448"])
def test_a_point_of_order_two(family: Family) -> None:
    """Its y is zero: a doubling, and a sum with itself, is the point at infinity."""
    curve = CURVES[family]
    point = (curve.shift, 0)  # u = 0
    assert curve.has(*point)
    assert [curve.multiply(scalar, point) for scalar in range(4)] == [None, point, None, point]
