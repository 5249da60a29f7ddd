"""Sessions: how they begin, and every way in which they end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from immure.console.sessions import MOST_OF_ONE, Sessions
from immure.errors import ImmureError

NOW = datetime(2026, 11, 30, tzinfo=UTC)


class Watch:
    """A clock that is set, and sessions by it."""

    def __init__(self) -> None:
        self.at = NOW
        self.sessions = Sessions(timedelta(minutes=30), timedelta(hours=8), lambda: self.at)

    def later(self, **span: float) -> None:
        self.at += timedelta(**span)


@pytest.fixture
def watch() -> Watch:
    return Watch()


def test_who_it_is(watch: Watch) -> None:
    cookie = watch.sessions.begin("ada", "issuer")
    found = watch.sessions.find(cookie)
    assert found is not None
    assert (found.person, found.how, found.begun) == ("ada", "issuer", NOW)
    assert len(cookie) == 43


@pytest.mark.parametrize("cookie", [None, "", "A" * 43, "A" * 42, "A" * 5000, "ä", "=", "\x00"])
def test_a_cookie_that_nobody_was_given(watch: Watch, cookie: str | None) -> None:
    watch.sessions.begin("ada", "issuer")
    assert watch.sessions.find(cookie) is None
    watch.sessions.end(cookie)


def test_it_ends_when_nothing_is_done(watch: Watch) -> None:
    cookie = watch.sessions.begin("ada", "issuer")
    watch.later(minutes=29)
    assert watch.sessions.find(cookie)
    watch.later(minutes=29)
    assert watch.sessions.find(cookie, use=False)  # a stream of news is open, which is not doing anything
    watch.later(minutes=2)
    assert watch.sessions.find(cookie) is None


def test_it_ends_whatever_is_done(watch: Watch) -> None:
    cookie = watch.sessions.begin("ada", "issuer")
    for _ in range(24):
        assert watch.sessions.find(cookie)
        watch.later(minutes=20)
    watch.later(seconds=1)
    assert watch.sessions.find(cookie) is None


def test_it_ends_when_the_person_may_not_act_any_more(watch: Watch) -> None:
    stands, over = [True], []
    cookie = watch.sessions.begin(
        "ada", "hardware key", stands=lambda: stands[0], ended=lambda: over.append("ada")
    )
    stands[0] = False
    assert watch.sessions.find(cookie)  # asked a moment ago
    watch.later(seconds=6)
    assert watch.sessions.find(cookie) is None
    assert over == ["ada"]
    stands[0] = True
    assert watch.sessions.find(cookie) is None


def test_who_cannot_be_asked_vouches_for_nobody(watch: Watch) -> None:
    def stands() -> bool:
        raise ImmureError("the room is gone")

    cookie = watch.sessions.begin("ada", "hardware key", stands=stands)
    watch.later(seconds=6)
    with pytest.raises(ImmureError):
        watch.sessions.find(cookie)


def test_when_it_may_take_a_while(watch: Watch) -> None:
    cookie = watch.sessions.begin("ada", "issuer")
    assert not watch.sessions.is_due(cookie)
    assert not watch.sessions.is_due("A" * 43)
    watch.later(seconds=6)
    assert watch.sessions.is_due(cookie)
    watch.sessions.find(cookie)
    assert not watch.sessions.is_due(cookie)
    watch.later(minutes=31)
    assert watch.sessions.is_due(cookie)


def test_signing_out(watch: Watch) -> None:
    over: list[str] = []
    cookie = watch.sessions.begin("ada", "hardware key", ended=lambda: over.append("ada"))
    watch.sessions.end(cookie)
    watch.sessions.end(cookie)
    assert watch.sessions.find(cookie) is None
    assert over == ["ada"]


def test_all_of_a_person(watch: Watch) -> None:
    over: list[str] = []
    for _ in range(2):
        watch.sessions.begin("ada", "issuer", ended=lambda: over.append("ada"))
    other = watch.sessions.begin("grace", "issuer")
    assert [one.person for one in watch.sessions.of(["ada"])] == ["ada", "ada"]
    assert watch.sessions.end_all("ada") == 2
    assert (over, watch.sessions.of(["ada"])) == (["ada", "ada"], [])
    assert watch.sessions.find(other)
    watch.later(minutes=31)
    assert watch.sessions.of(["grace"]) == []


def test_one_person_has_so_many(watch: Watch) -> None:
    over: list[int] = []
    cookies = [
        watch.sessions.begin("ada", "issuer", ended=lambda number=number: over.append(number))  # type: ignore[misc]
        for number in range(MOST_OF_ONE + 1)
    ]
    other = watch.sessions.begin("grace", "issuer")
    assert over == [0]
    assert watch.sessions.find(cookies[0]) is None
    assert all(watch.sessions.find(one) for one in [*cookies[1:], other])


def test_all_together_have_so_many(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("immure.console.sessions.MOST", 2)
    first, second, third = (watch.sessions.begin(name, "issuer") for name in ("a", "b", "c"))
    assert watch.sessions.find(first) is None
    assert watch.sessions.find(second)
    assert watch.sessions.find(third)
