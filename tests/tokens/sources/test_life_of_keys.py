"""Whatever issuers, senders of tokens and time do: fetches are a cooldown apart, one at a time, and no key is
given out that was not in the last set that was fetched within the limit."""

from __future__ import annotations

import itertools
from collections.abc import Callable

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from immure.errors import KeySourceError
from immure.tokens.errors import UnknownKeyError
from immure.tokens.sources import Page, Timing, UrlSource

from .imagined import URL, Imagined, Ticks, jwks

KIDS = st.sampled_from("abcdef")
COOLDOWN, LIMIT = 30.0, 1000.0


class Issuer(Imagined):
    """Publishes keys, and remembers which were fetched when."""

    def __init__(self, ticks: Ticks) -> None:
        super().__init__()
        self.ticks = ticks
        self.kids: frozenset[str] = frozenset()
        self.down = False
        self.max_age: float | None = None
        self.given: tuple[float, frozenset[str]] | None = None
        self.begun = 0.0

    def fetch(self, url: str) -> Page:
        assert url == URL
        if self.down:
            raise KeySourceError("HTTP status 503", path=url)
        self.given = self.begun, self.kids
        return Page(jwks(*sorted(self.kids)), self.max_age)


class LifeOfKeys(RuleBasedStateMachine):
    @initialize(at_once=st.booleans())
    def begin(self, at_once: bool) -> None:
        self.ticks = Ticks()
        self.issuer = Issuer(self.ticks)
        self.at_once = at_once
        self.begun: list[float] = []
        self.jobs: list[tuple[float, Callable[[], None]]] = []
        timing = Timing(cooldown=COOLDOWN, limit=LIMIT, patience=0)
        self.source = UrlSource(URL, fetcher=self.issuer, timing=timing, ticks=self.ticks, start=self.start)

    def start(self, job: Callable[[], None]) -> None:
        self.begun.append(self.ticks.now)
        self.jobs.append((self.ticks.now, job))
        assert len(self.jobs) == 1
        if self.at_once:
            self.land()

    @rule()
    def land(self) -> None:
        while self.jobs:
            self.issuer.begun, job = self.jobs.pop()
            job()

    @rule(at_once=st.booleans())
    def network(self, at_once: bool) -> None:
        self.at_once = at_once

    @rule(kids=st.frozensets(KIDS), down=st.booleans(), max_age=st.sampled_from([None, 0.0, 200.0, 1e9]))
    def publish(self, kids: frozenset[str], down: bool, max_age: float | None) -> None:
        self.issuer.kids, self.issuer.down, self.issuer.max_age = kids, down, max_age

    @rule(seconds=st.sampled_from([0.5, 1.0, 29.0, 30.0, 61.0, 300.0, 499.0, 999.0, 5000.0]))
    def pass_time(self, seconds: float) -> None:
        self.ticks.now += seconds

    def usable(self) -> frozenset[str] | None:
        given = self.issuer.given
        return given[1] if given is not None and self.ticks.now - given[0] < LIMIT else None

    @rule(kid=KIDS | st.none())
    def find(self, kid: str | None) -> None:
        before = self.usable()
        try:
            found = self.source.find(kid)
        except UnknownKeyError:
            after = self.usable()
            assert after is not None
            assert (kid not in after) if kid is not None else len(after) != 1
        except KeySourceError:
            assert self.usable() is None
        else:
            assert found.kid in (before or frozenset()) | (self.usable() or frozenset())
            assert kid in (None, found.kid)

    @rule(kids=st.lists(st.text(max_size=5), max_size=30))
    def flood(self, kids: list[str]) -> None:
        fetches = self.source.fetches
        for kid in kids:
            self.find(kid)
        assert self.source.fetches <= fetches + 1

    @rule()
    def refresh(self) -> None:
        self.source.refresh()

    @invariant()
    def fetches_are_a_cooldown_apart(self) -> None:
        begun = getattr(self, "begun", [])
        assert all(later - earlier >= COOLDOWN for earlier, later in itertools.pairwise(begun))

    @invariant()
    def counters_are_right(self) -> None:
        if hasattr(self, "source"):
            assert self.source.fetches == len(self.begun)
            assert 0 <= self.source.failures <= self.source.fetches
            assert self.source._waiting == 0


TestLifeOfKeys = LifeOfKeys.TestCase
TestLifeOfKeys.settings = settings(max_examples=120, stateful_step_count=40, deadline=None)
