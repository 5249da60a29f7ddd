"""Keys by URL: found in memory, looked for once more if unknown, and a flood that costs nobody anything."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from immure.errors import KeySourceError
from immure.tokens.errors import KeyUseError, UnknownKeyError
from immure.tokens.sources import HttpsPages, Page, Timing, UrlSource

from .imagined import ISSUER, URL, Imagined, Jobs, Ticks, jwk, jwks

DAY = 86_400.0


def source(*kids: str, at_once: bool = True, **timing: Any):
    pages, ticks, jobs = Imagined({URL: jwks(*kids)}), Ticks(), Jobs(at_once)
    made = UrlSource(URL, issuer=ISSUER, fetcher=pages, timing=Timing(**timing), ticks=ticks, start=jobs)
    return made, pages, ticks, jobs


def test_keys_are_fetched_once_and_know_where_they_are_from():
    made, pages, _, _ = source("a", "b")
    found = made.find("b")
    assert (found.kid, found.scope.issuer, found.key.origin.source) == ("b", ISSUER, URL)
    assert found.key.to_jwk()["x"] == jwk("b")["x"]
    for _ in range(100):
        assert made.find("a").kid == "a"
    assert pages.asked == [URL]
    assert (made.fetches, made.failures, made.refused, made.last_error) == (1, 0, 0, None)


def test_without_an_issuer_a_key_has_no_scope():
    made = UrlSource(URL, fetcher=Imagined({URL: jwks("a")}), start=Jobs())
    assert made.find("a").scope is None


def test_a_new_key_is_found_when_a_token_names_it():
    made, pages, ticks, _ = source("a")
    made.find("a")
    pages.pages[URL] = jwks("a", "new")
    with pytest.raises(UnknownKeyError, match="no key 'new'"):  # within the cooldown
        made.find("new")
    ticks.now += 30
    assert made.find("new").kid == "new"
    assert made.fetches == 2


def test_a_key_that_was_taken_back_is_gone_with_the_next_fetch():
    made, pages, ticks, _ = source("a", "stolen")
    made.find("stolen")
    pages.pages[URL] = jwks("a")
    ticks.now += 30
    assert made.refresh()
    with pytest.raises(UnknownKeyError):
        made.find("stolen")
    assert not made.refresh()  # the cooldown holds for everybody


def test_a_flood_of_random_kids_costs_one_fetch_per_cooldown():
    made, pages, ticks, _ = source("a")
    begun = ticks.now
    for number in range(10_000):
        with pytest.raises(UnknownKeyError):
            made.find(f"kid-{number}")
        ticks.now += 0.02
    assert len(pages.asked) == made.fetches <= 1 + (ticks.now - begun) / 30
    assert made.refused == 10_000 - made.fetches
    assert len(made._missing._until) <= made.fetches


def test_one_kid_that_never_comes_is_looked_for_less_and_less():
    made, _, ticks, _ = source("a", shortest=DAY / 2)
    when: list[float] = []
    made.find("a")
    begun = ticks.now
    while ticks.now < begun + 5000:
        ticks.now += 10
        fetches = made.fetches
        with pytest.raises(UnknownKeyError):
            made.find("old client")
        if made.fetches > fetches:
            when.append(ticks.now - begun)
    pauses = [later - earlier for earlier, later in itertools.pairwise(when)]
    assert pauses == [60, 120, 240, 480, 600, 600, 600, 600, 600, 600]


def test_a_kid_looked_for_in_vain_is_found_when_another_fetch_brings_it():
    made, pages, ticks, _ = source("a")
    made.find("a")
    for _ in range(5):
        ticks.now += 100
        with pytest.raises(UnknownKeyError):
            made.find("late")
    pages.pages[URL] = jwks("a", "late")
    ticks.now += 30
    made.refresh()
    assert made.find("late").kid == "late"


def test_a_failed_fetch_is_no_proof_that_a_kid_is_missing():
    made, pages, ticks, _ = source("a")
    made.find("a")
    pages.fail()
    ticks.now += 30
    with pytest.raises(UnknownKeyError, match=r"no key 'new' \(and the last fetch failed: HTTP status 503\)"):
        made.find("new")
    pages.pages[URL] = jwks("new")
    ticks.now += 30
    assert made.find("new").kid == "new"


def test_kids_that_are_remembered_are_bounded():
    made, _, ticks, _ = source("a", cooldown=0.001)
    for number in range(3000):
        ticks.now += 1
        with pytest.raises(UnknownKeyError):
            made.find(f"{number}" * 1000)
    assert len(made._missing._until) == 1024


def test_an_unpaired_surrogate_in_a_kid_is_a_kid_like_any():
    made, _, ticks, _ = source("a")
    made.find("a")
    ticks.now += 30
    with pytest.raises(UnknownKeyError):
        made.find("\ud800")


def test_the_issuer_is_down_from_the_beginning():
    made, pages, ticks, _ = source()
    pages.fail()
    for _ in range(50):
        with pytest.raises(KeySourceError, match=f"{URL}: HTTP status 503"):
            made.find("a")
    assert (made.fetches, made.failures) == (1, 1)
    pages.pages[URL] = jwks("a")
    ticks.now += 30
    assert made.find("a").kid == "a"


def test_it_fails_closed_when_keys_are_too_old():
    made, pages, ticks, _ = source("a")
    made.find("a")
    pages.fail()
    ticks.now += DAY - 1
    assert made.find("a").kid == "a"
    ticks.now += 1
    with pytest.raises(KeySourceError, match="503"):
        made.find("a")


@pytest.mark.parametrize(
    ("page", "words"),
    [
        (b"", "not JSON"),
        (b"<html>", "not JSON"),
        (b'{"keys": [], "keys": []}', "not JSON|twice"),
        (b"[]", "no object"),
        (b"{}", "not a JWK Set"),
        (b'{"keys": [NaN]}', "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b'\xef\xbb\xbf{"keys": []}', "not JSON"),
        (jwks("a", "a"), "two keys have the id 'a'"),
    ],
)
def test_a_broken_set_takes_nothing_away(page, words):
    made, pages, ticks, _ = source("a")
    made.find("a")
    pages.pages[URL] = page
    ticks.now += 30
    with pytest.raises(UnknownKeyError, match=words):
        made.find("other")
    assert made.find("a").kid == "a"
    assert (made.failures, made.last_error is None) == (1, False)


def test_an_empty_set_is_an_answer_and_takes_all_away():
    made, pages, ticks, _ = source("a")
    made.find("a")
    pages.pages[URL] = jwks()
    ticks.now += 30
    made.refresh()
    with pytest.raises(UnknownKeyError):
        made.find("a")


def test_a_key_that_must_not_be_used_is_no_reason_to_fetch():
    made, pages, ticks, _ = source()
    pages.pages[URL] = b'{"keys": [{"kty": "oct", "k": "AAAA", "kid": "a"}]}'
    for _ in range(3):
        with pytest.raises(KeyUseError, match="symmetric"):
            made.find("a")
        ticks.now += 30
    assert made.fetches == 1


def test_no_kid_means_the_only_key_and_is_no_reason_to_fetch():
    made, pages, ticks, _ = source("a")
    assert made.find(None).kid == "a"
    pages.pages[URL] = jwks("a", "b")
    ticks.now += 30
    made.refresh()
    ticks.now += 30
    with pytest.raises(UnknownKeyError, match="none of the 2 keys"):
        made.find(None)
    assert made.fetches == 2


def test_cache_control_of_the_answer_counts():
    made, pages, ticks, jobs = source("a")
    pages.pages[URL] = Page(jwks("a"), max_age=1000.0)
    made.find("a")
    jobs.at_once = False
    for after, fetches in ((999, 1), (2, 2), (2000, 2)):
        ticks.now += after
        assert (made.find("a").kid, made.fetches) == ("a", fetches)


@pytest.mark.parametrize(
    "url", ["http://keys.example/set", "ftp://keys.example", "", "https://u:p@keys.example/"]
)
def test_urls_that_would_never_be_fetched_are_refused_at_once(url):
    with pytest.raises(KeySourceError):
        UrlSource(url)


def test_by_default_it_is_fetched_over_https_from_public_addresses():
    made = UrlSource(URL)
    assert made._fetcher == HttpsPages(allow_private_hosts=False, allow_loopback=False)
