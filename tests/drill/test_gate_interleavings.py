"""The gate in more than 100,000 interleavings: every one where that can be done, samples of the others.

Who acts, and what the observer holds against it, is in ``tests/transfer/interleavings.py`` and ``model.py``
beside it.
"""

from __future__ import annotations

from collections import Counter

import pytest

from transfer.interleavings import complaints, every_schedule, sample, scenarios

LEAST = 100_000
SAMPLES = 60_000


@pytest.mark.drill
def test_no_byte_leaves_uncleared_in_a_hundred_thousand_interleavings():
    counts: Counter[str] = Counter()
    for scenario in [*scenarios(2), *scenarios(1, crash=True)]:
        for done in every_schedule(scenario):
            assert complaints(done) == [], (scenario.name, done.schedule)
            counts["every way of one release and two changes, or one and a death"] += 1
    many = [
        *scenarios(3),
        *scenarios(2, crash=True),
        *scenarios(1, "app.core", "b.core"),
        *scenarios(2, "app.core", "app.core-2"),
        *scenarios(1, "app.core", "app.core-2", crash=True),
        *scenarios(1, "app.core", "app.core-3", "b.core", crash=True),
    ]
    for seed in (1, 2):
        for scenario, done in sample(SAMPLES, seed, many):
            assert complaints(done) == [], (scenario.name, done.schedule)
            counts["some ways of up to three releases, three changes and a death"] += 1
    for words, count in counts.items():
        print(f"{count:>8,}  {words}")
    assert sum(counts.values()) >= LEAST
