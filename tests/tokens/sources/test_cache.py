"""The cache: fresh, stale, gone; one fetch at a time and per cooldown, whatever happens."""

from __future__ import annotations

import os
import threading

import pytest

from immure.errors import KeyFormatError, KeySourceError
from immure.tokens.errors import DuplicateKeyError
from immure.tokens.sources.cache import Cache, Timing, in_thread, ticks_since_boot

from .imagined import Jobs, Ticks

DAY = 86_400.0


class Answers:
    """What a fetch gives, one after the other; the last one for ever."""

    def __init__(self, *answers: tuple[str, float | None] | BaseException) -> None:
        self.answers = list(answers)

    def __call__(self) -> tuple[str, float | None]:
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, BaseException):
            raise answer
        return answer


def made(*answers: tuple[str, float | None] | BaseException, at_once: bool = True, **timing: float):
    ticks, jobs = Ticks(), Jobs(at_once)
    return Cache(Answers(*answers), "source", Timing(**timing), ticks=ticks, start=jobs), ticks, jobs


@pytest.mark.parametrize(
    ("said", "fresh"),
    [
        (None, 300.0),
        (0.0, 60.0),
        (59.0, 60.0),
        (61.0, 61.0),
        (3600.0, 3600.0),
        (DAY / 2, DAY / 2),
        (DAY, DAY / 2),  # half of the limit, so that there is time to fetch again
        (1e10, DAY / 2),
    ],
)
def test_how_long_an_answer_is_fresh(said, fresh):
    cache, ticks, jobs = made(("a", said), ("b", said))
    cache.ask()
    jobs.at_once = False
    ticks.now += fresh - 0.01
    assert (cache.get(), cache.fetches) == ("a", 1)
    ticks.now += 0.02
    assert (cache.get(), cache.get(), cache.fetches) == ("a", "a", 2)  # stale, and asked for once
    jobs.run()
    assert (cache.get(), cache.fetches) == ("b", 2)


def test_a_longer_limit_lets_an_answer_be_fresh_for_a_day():
    assert Timing(limit=3 * DAY).fresh_for(1e10) == DAY


def test_stale_keys_serve_while_fetches_fail_and_are_gone_at_the_limit():
    cache, ticks, _ = made(("a", 60.0), KeySourceError("HTTP status 503", path="source"))
    cache.ask()
    begun = ticks.now
    while ticks.now + 10 < begun + DAY:
        ticks.now += 10
        assert cache.get() == "a"
    assert cache.fetches == 1 + len(range(60, 86_390, 30))
    assert (cache.failures, cache.last_error) == (cache.fetches - 1, "HTTP status 503")
    ticks.now = begun + DAY
    assert cache.get() is None
    assert str(cache.unavailable()) == "source: HTTP status 503"


def test_age_counts_from_before_the_fetch():
    cache, ticks, jobs = made(("a", 60.0), at_once=False)
    cache.ask()
    ticks.now += 50
    jobs.run()
    assert (cache.get(), cache.fetches) == ("a", 1)
    ticks.now += 10
    assert (cache.get(), cache.fetches) == ("a", 2)


def test_fetches_begin_a_cooldown_apart_also_if_they_fail():
    cache, ticks, _ = made(KeySourceError("no"), cooldown=30)
    for _ in range(100):
        cache.ask()
        ticks.now += 1
    assert (cache.fetches, cache.failures, cache.refused) == (4, 4, 96)


def test_who_asks_during_a_fetch_gets_that_fetch_also_behind_the_cooldown():
    cache, ticks, jobs = made(("a", None), at_once=False)
    first = cache.ask()
    ticks.now += 1000
    assert cache.ask() is first
    assert not first.done()
    assert not first.cancel()
    jobs.run()
    assert first.done()
    assert (cache.fetches, cache.get()) == (1, "a")


@pytest.mark.parametrize(
    ("problem", "words"),
    [
        (KeySourceError("is wrong", path="source"), "is wrong"),
        (KeyFormatError("is wrong"), "is wrong"),
        (DuplicateKeyError("two keys have the id 'a'", path="source"), "two keys have the id 'a'"),
        (ZeroDivisionError("secret"), "cannot be fetched (ZeroDivisionError)"),
        (MemoryError(), "cannot be fetched (MemoryError)"),
    ],
)
def test_whatever_a_fetch_raises_the_old_value_stays_and_the_reason_is_kept(problem, words):
    cache, ticks, _ = made(("a", None), problem, ("b", None))
    cache.ask()
    ticks.now += 30
    flight = cache.ask()
    assert flight.done()
    assert (cache.get(), cache.last_error, cache.failures) == ("a", words, 1)
    ticks.now += 30
    cache.ask()
    assert (cache.get(), cache.last_error, cache.failures) == ("b", None, 1)


def test_a_thread_that_is_ended_from_within_lets_nobody_hang():
    cache, _, jobs = made(SystemExit(), at_once=False)
    flight = cache.ask()
    with pytest.raises(SystemExit):
        jobs.run()
    assert flight.done()
    assert cache.last_error == "the fetch was broken off"


def test_no_thread_can_be_started():
    def start(job):
        raise RuntimeError("can't start new thread")

    cache = Cache(Answers(("a", None)), "source", start=start)
    assert cache.ask().done()
    assert str(cache.unavailable()) == "source: no thread can be started to fetch it"


def test_a_fork_during_a_fetch_does_not_leave_the_child_waiting_for_it():
    cache, ticks, _ = made(("a", None), at_once=False)
    first = cache.ask()
    ticks.now += 30
    assert cache.ask() is first
    read, write = os.pipe()
    if os.fork() == 0:
        os.write(write, b"new" if cache.ask() is not first else b"old")
        os._exit(0)
    os.wait()
    assert os.read(read, 3) == b"new"
    os.close(read)
    os.close(write)


def test_errors_are_made_anew_for_each_who_is_told():
    """One and the same exception, raised again and again, would grow by a traceback each time."""
    cache, _, _ = made(KeySourceError("no"))
    cache.ask()
    assert cache.unavailable() is not cache.unavailable()


@pytest.mark.parametrize(
    "wrong", [{"cooldown": 0}, {"shortest": 0}, {"shortest": 61, "longest": 60}, {"limit": -1}]
)
def test_times_that_make_no_sense(wrong):
    with pytest.raises(ValueError, match="must be positive"):
        Timing(**wrong)


def test_the_real_clock_and_threads():
    first, done = ticks_since_boot(), threading.Event()
    in_thread(done.set)
    assert done.wait(10)
    assert ticks_since_boot() >= first
