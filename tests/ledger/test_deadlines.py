"""Waits that take too long end; one timer does it for all."""

from __future__ import annotations

import asyncio
import gc
import time

import pytest

from immure.ledger.deadlines import Deadlines


class LateError(Exception):
    pass


def test_what_is_answered_in_time_and_what_is_not() -> None:
    async def work() -> None:
        loop, deadlines = asyncio.get_running_loop(), Deadlines(0.2, LateError)
        begun = time.monotonic()
        early, late, cancelled = (loop.create_future() for _ in range(3))
        for one in (early, late, cancelled):
            deadlines.add(one)
        await asyncio.sleep(0.12)
        later = loop.create_future()
        deadlines.add(later)
        early.set_result(7)
        cancelled.cancel()
        with pytest.raises(LateError):
            await late
        assert 0.19 < time.monotonic() - begun < 5
        with pytest.raises(LateError):
            await later
        assert time.monotonic() - begun > 0.31
        assert await early == 7
        await asyncio.sleep(0.1)
        assert len(deadlines) == 0
        again, begun = loop.create_future(), time.monotonic()  # and the next one, after there was none
        deadlines.add(again)
        with pytest.raises(LateError):
            await again
        assert time.monotonic() - begun > 0.19

    asyncio.run(work())


def test_it_remembers_those_that_wait_and_for_a_moment_others() -> None:
    async def work() -> None:
        loop, deadlines = asyncio.get_running_loop(), Deadlines(0.4, LateError)
        waiting = loop.create_future()
        deadlines.add(waiting)
        for _ in range(1000):
            done = loop.create_future()
            deadlines.add(done)
            done.set_result(None)
        await asyncio.sleep(0.15)
        assert len(deadlines) == 1
        with pytest.raises(LateError):
            await waiting

    asyncio.run(work())


def test_one_loop_after_another() -> None:
    deadlines = Deadlines(0.05, LateError)

    async def work() -> None:
        loop = asyncio.get_running_loop()
        left = loop.create_future()
        deadlines.add(left)  # of a loop that ends before it is too late
        if first:
            return
        with pytest.raises(LateError):
            await left

    first = True
    asyncio.run(work())
    first = False
    asyncio.run(work())
    gc.collect()
