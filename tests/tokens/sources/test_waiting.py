"""Threads and tasks that want keys at the same time: one fetches, others wait for it, not for ever."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from immure.errors import KeySourceError
from immure.tokens.errors import UnknownKeyError
from immure.tokens.sources import Page, UrlSource

from .imagined import URL, Imagined, Ticks, jwks
from .test_remote import source


def test_not_more_than_so_many_wait_for_an_unknown_kid():
    made, _, ticks, jobs = source("a", waiting=3)
    made.find("a")
    jobs.at_once = False
    ticks.now += 30
    waiting = [made._steps(f"kid-{number}") for number in range(3)]
    flights = {id(next(steps)) for steps in waiting}
    assert len(flights) == 1
    refused = made.refused
    with pytest.raises(UnknownKeyError):
        made.find("one too many")
    assert made.refused == refused + 1
    assert made.find("a").kid == "a"
    jobs.run()
    for steps in waiting:
        with pytest.raises(UnknownKeyError):
            next(steps)
    assert made._waiting == 0


def test_several_who_wait_for_the_same_kid_in_vain_count_as_one():
    made, _, ticks, jobs = source("a")
    made.find("a")
    jobs.at_once = False
    ticks.now += 30
    waiting = [made._steps("new") for _ in range(10)]
    for steps in waiting:
        next(steps)
    jobs.run()
    for steps in waiting:
        with pytest.raises(UnknownKeyError):
            next(steps)
    jobs.at_once = True
    for after, fetches in ((59, 2), (1, 3)):
        ticks.now += after
        with pytest.raises(UnknownKeyError):
            made.find("new")
        assert made.fetches == fetches


def test_keys_that_go_while_one_waits_for_another_are_not_used():
    made, pages, ticks, jobs = source("a")
    made.find("a")
    jobs.at_once = False
    ticks.now += 30
    steps = made._steps("new")
    next(steps)
    pages.fail()
    ticks.now += 86_400
    jobs.run()
    with pytest.raises(KeySourceError, match="503"):
        next(steps)


def test_who_waits_in_vain_is_told():
    made, _, _, _ = source("a", at_once=False, patience=0.01)
    with pytest.raises(KeySourceError, match=f"{URL}: no answer in time"):
        made.find("a")
    with pytest.raises(KeySourceError, match=f"{URL}: no answer in time"):
        asyncio.run(made.afind("a"))


class Held(Imagined):
    """A fetcher that answers when it may."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.go_on = threading.Event()

    def fetch(self, url: str) -> Page:
        page = super().fetch(url)
        assert self.go_on.wait(20)
        return page


def test_fifty_threads_want_the_first_keys_and_one_fetches():
    pages, found, gate = Held({URL: jwks("a")}), [], threading.Barrier(51)
    made = UrlSource(URL, fetcher=pages)

    def ask() -> None:
        gate.wait(20)
        found.append(made.find("a").kid)

    threads = [threading.Thread(target=ask) for _ in range(50)]
    for thread in threads:
        thread.start()
    gate.wait(20)
    pages.go_on.set()
    for thread in threads:
        thread.join(20)
    assert (found, pages.asked, made.fetches) == (["a"] * 50, [URL], 1)


def test_threads_race_for_keys_that_come_and_go():
    """Known keys are never missing, and fetches never more than the cooldown allows."""
    pages, ticks = Imagined({URL: jwks("a", "b")}), Ticks()
    made = UrlSource(URL, fetcher=pages, ticks=ticks)
    made.find("a")
    begun, problems, turning = ticks.now, [], threading.Lock()

    def ask(number: int) -> None:
        for turn in range(300):
            try:
                assert made.find("a").kid == "a"
                made.find(f"{number}-{turn}")
            except UnknownKeyError:
                with turning:
                    ticks.now += 0.1
            except BaseException as error:  # noqa: BLE001 - shown below
                problems.append(error)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert problems == []
    assert 1 < made.fetches <= 1 + (ticks.now - begun) / 30
    assert made._waiting == 0


def test_tasks_wait_without_blocking_and_one_fetch_is_made():
    pages = Held({URL: jwks("a")})
    made = UrlSource(URL, fetcher=pages)

    async def run() -> list[Any]:
        tasks = [asyncio.ensure_future(made.afind("a")) for _ in range(50)]
        unlucky = asyncio.ensure_future(made.afind("a"))
        await asyncio.sleep(0)
        unlucky.cancel()  # must not take the fetch from the others
        assert not any(task.done() for task in tasks)
        pages.go_on.set()  # which a blocked loop would never reach
        found = [key.kid for key in await asyncio.gather(*tasks)]
        with pytest.raises(asyncio.CancelledError):
            await unlucky
        assert (await made.afind("a")).kid == "a"
        with pytest.raises(UnknownKeyError):
            await made.afind("b")
        return found

    assert asyncio.run(run()) == ["a"] * 50
    assert (pages.asked, made.fetches) == ([URL], 1)
