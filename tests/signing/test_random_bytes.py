from __future__ import annotations

import multiprocessing

from immure.signing.random_bytes import Names


def test_names_are_not_given_out_twice() -> None:
    names = Names()
    made = [names.next() for _ in range(2000)]
    assert len(set(made)) == 2000
    assert {len(one) for one in made} == {22}


def _ask(names: Names, results) -> None:  # type: ignore[no-untyped-def]
    results.put([names.next() for _ in range(300)])


def test_nor_by_a_forked_process() -> None:
    names, context = Names(), multiprocessing.get_context("fork")
    names.next()
    results = context.Queue()
    child = context.Process(target=_ask, args=(names, results))
    child.start()
    others = results.get(timeout=20)
    child.join(20)
    assert not set(others) & {names.next() for _ in range(300)}
