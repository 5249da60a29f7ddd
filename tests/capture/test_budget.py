from __future__ import annotations

import threading

from hypothesis import given
from hypothesis import strategies as st

from immure.capture.budget import Budget, Grant

STEPS = st.lists(
    st.tuples(st.sampled_from(["up_to", "grow", "shrink", "release"]), st.integers(0, 5), st.integers(0, 60))
)


@given(total=st.integers(0, 100), steps=STEPS)
def test_never_more_than_there_is_and_all_comes_back(total: int, steps: list[tuple[str, int, int]]) -> None:
    budget = Budget(total)
    grants: list[Grant] = []
    for what, which, size in steps:
        if what == "up_to" or not grants:
            left = total - budget.used
            grants.append(budget.up_to(size))
            assert grants[-1].size == min(size, left)
            continue
        grant = grants[which % len(grants)]
        before = grant.size
        if what == "grow":
            assert grant.grow(size) == (
                size <= total - sum(one.size for one in grants) + (grant.size - before)
            )
        elif what == "shrink":
            grant.shrink(size)
            assert grant.size == min(before, size)
        else:
            grant.release()
        assert budget.used == sum(one.size for one in grants) <= total
    for grant in grants:
        grant.release()
        grant.release()
    assert budget.used == 0
    assert budget.peak <= total


def test_from_many_threads() -> None:
    budget = Budget(1000)

    def work() -> None:
        for size in range(200):
            grant = budget.up_to(size)
            grant.grow(1)
            grant.release()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert budget.used == 0
    assert budget.peak <= 1000
