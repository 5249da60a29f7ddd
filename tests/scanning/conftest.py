"""What the tests of the scanner have in common."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import pytest

from immure.scanning.kernels.ec_curves import Curve


@pytest.fixture(scope="session", autouse=True)
def multiples_are_computed_once() -> Iterator[None]:
    """A finding of an elliptic curve is proved in plain integers, which takes longer than to search a small
    image. The same keys are found in hundreds of them: each multiple of a point is computed, but once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Curve, "multiply", lru_cache(1 << 14)(Curve.multiply))
        yield
