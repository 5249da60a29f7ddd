"""Validators that go by a deny-list: what is refused, by which list, and what happens without one."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
import weakref
from pathlib import Path
from typing import Any

import pytest

from immure.errors import ImmureError, KeySourceError
from immure.tokens.deny_list_errors import (
    DenyListError,
    DenyListForkError,
    DenyListRollbackError,
    DenyListStaleError,
    KeyDeniedError,
    TokenEpochError,
)
from immure.tokens.deny_list_guard import LOOK, DenyListGuard
from immure.tokens.errors import TokenError
from immure.tokens.explain import Outcome, explain
from immure.tokens.keyset import KeySet
from immure.tokens.policy import IssuerRule
from immure.tokens.policy_file import parse_policy
from immure.tokens.sources.fetch import Fetcher, Page
from immure.tokens.sources.static import StaticSource
from immure.tokens.validator import Validator
from tokens.deny_lists import NAME, SIGNER, entry, guard, listed, members, now, signed, store
from tokens.minting import ENTERPRISE, ISSUER, MAIL, Mint, jwk, policy


def validator(denies: DenyListGuard, *names: str) -> Validator:
    source = StaticSource(KeySet.from_jwks({"keys": [jwk(one) for one in names or ("Ed25519",)]}, "test"))
    rules = {ENTERPRISE: IssuerRule(source, "enterprise")}
    return Validator(policy(issuers=rules, deny_list=denies))


def token(key: str = "Ed25519", **changes: Any) -> str:
    moment = now()
    return Mint(key=key).token(**({"iat": moment - 5, "nbf": moment - 5, "exp": moment + 600} | changes))


def put(directory: Path, text: bytes) -> DenyListGuard:
    store(directory).offer(text)
    return guard(directory)


THUMB = KeySet.from_jwks({"keys": [jwk("Ed25519")]}, "test").find("Ed25519").key.thumbprint
ELSE = entry(kid="else", jkt="0" * 43)
#: What is on the list, claims of the token, and what it is refused with; None if it is let in.
CASES: list[tuple[str, dict[str, Any], dict[str, Any], type[TokenError] | None]] = [
    ("nothing of ours", {"keys": [ELSE]}, {}, None),
    ("an empty list", {"keys": []}, {}, None),
    ("the key", {}, {}, KeyDeniedError),
    ("the key, for the template", {"keys": [entry(issuer=ENTERPRISE)]}, {}, KeyDeniedError),
    ("the key, of somebody else", {"keys": [entry(issuer="https://a.example/")]}, {}, None),
    ("the key by its thumbprint", {"keys": [entry(issuer="x", kid="y", jkt=THUMB)]}, {}, KeyDeniedError),
    ("an epoch before", {"keys": [], "not_before": {ISSUER: 5}}, {}, None),
    ("an epoch after", {"keys": [], "not_before": {ISSUER: now() + 10**7}}, {}, TokenEpochError),
    (
        "an epoch of the template",
        {"keys": [], "not_before": {ENTERPRISE: now() + 10**7}},
        {},
        TokenEpochError,
    ),
    ("an epoch of others", {"keys": [], "not_before": {"x": now() + 10**7}}, {}, None),
    ("an epoch, and no iat", {"keys": [], "not_before": {ISSUER: 5}}, {"iat": None}, TokenEpochError),
    ("no epoch, and no iat", {"keys": []}, {"iat": None}, None),
]


@pytest.mark.parametrize(
    ("said", "claims", "error"), [row[1:] for row in CASES], ids=[row[0] for row in CASES]
)
def test_cases(
    tmp_path: Path, said: dict[str, Any], claims: dict[str, Any], error: type[TokenError] | None
) -> None:
    one = validator(put(tmp_path, listed(**said)))
    for _ in range(2):  # the second time out of what is remembered
        if error is None:
            assert one.validate(token(**claims)).issuer == ISSUER
            assert asyncio.run(one.avalidate(token(**claims))).issuer == ISSUER
        else:
            with pytest.raises(error):
                one.validate(token(**claims))
            with pytest.raises(error):
                asyncio.run(one.avalidate(token(**claims)))


def test_a_denied_key_is_said_before_its_signature(tmp_path: Path) -> None:
    """Whoever has the key can sign, so that nothing is gained by looking."""
    one = validator(put(tmp_path, listed()))
    with pytest.raises(KeyDeniedError, match="'Ed25519' is on the deny-list"):
        one.validate(token()[:-4] + "AAAA")


def test_explained(tmp_path: Path) -> None:
    one = validator(put(tmp_path, listed(not_before={ISSUER: now() + 10**7})))
    made = explain(one, token())
    assert (made.accepted, made.code) == (False, "key-denied")
    failed = {row.code for row in made.rows if row.outcome is Outcome.FAIL}
    assert failed == {"key-denied", "token-epoch"}
    good = explain(validator(put(tmp_path, listed(2, keys=[]))), token())
    assert good.accepted
    assert {"The deny-list does not name the key", "The token is from a time that counts"} <= {
        r.rule for r in good.rows
    }


# --- which list is in force ---


def test_newer_and_older(tmp_path: Path) -> None:
    kept = store(tmp_path)
    assert kept.read() is None
    first = listed(5)
    assert kept.offer(first)[1] is True
    assert kept.offer(first) == (kept.read(), False)  # asked twice: nothing changes
    with pytest.raises(DenyListRollbackError, match="has the number 4; 5 is in force"):
        kept.offer(listed(4, keys=[]))
    with pytest.raises(DenyListForkError, match="two lists have the number 5"):
        kept.offer(listed(5, keys=[]))
    assert kept.offer(listed(6, keys=[]))[1] is True
    with pytest.raises(DenyListRollbackError):
        kept.offer(first)
    assert kept.read().sequence == 6


def test_not_after_a_new_start_either(tmp_path: Path) -> None:
    store(tmp_path).offer(listed(5))
    with pytest.raises(DenyListRollbackError):
        store(tmp_path).offer(listed(4, keys=[]))
    with pytest.raises(DenyListRollbackError):
        guard(tmp_path).offer(listed(4, keys=[]))


def test_many_at_once(tmp_path: Path) -> None:
    """The highest number is in force whatever the order, and the file is always a whole list."""
    texts = [listed(number, keys=[]) for number in range(1, 41)]
    problems: list[str] = []

    def offer(some: list[bytes]) -> None:
        for text in some:
            try:
                store(tmp_path).offer(text)
            except DenyListRollbackError:
                continue
            except ImmureError as error:
                problems.append(str(error))

    threads = [threading.Thread(target=offer, args=(texts[n::4][:: 1 if n % 2 else -1],)) for n in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert problems == []
    assert store(tmp_path).read().sequence == 40


def test_pushed_is_in_force_at_once(tmp_path: Path) -> None:
    denies = guard(tmp_path, on_expiry="keep")
    one = validator(denies)
    assert one.validate(token())
    assert denies.offer(listed())[1] is True
    with pytest.raises(KeyDeniedError):
        one.validate(token())


def test_other_processes_follow_soon(tmp_path: Path) -> None:
    """Another process has taken the list: this one goes by it after the next look."""
    one = validator(DenyListGuard(store(tmp_path), on_expiry="keep"))
    assert one.validate(token())
    store(tmp_path).offer(listed())
    begun = time.monotonic()
    while True:
        try:
            one.validate(token())
        except KeyDeniedError:
            break
        assert time.monotonic() - begun < 10 * LOOK
        time.sleep(0.01)


def test_a_file_that_goes_away_or_back(tmp_path: Path) -> None:
    denies = put(tmp_path, listed(5, keys=[]))
    one, path = validator(denies), tmp_path / "deny-list.jwt"
    assert one.validate(token())
    path.unlink()
    with pytest.raises(DenyListError, match="was taken away"):
        one.validate(token())
    path.write_bytes(listed(4, keys=[]))
    with pytest.raises(DenyListError, match="put back to an older list"):
        one.validate(token())
    with pytest.raises(DenyListRollbackError):
        denies.offer(listed(4, keys=[]))
    assert denies.offer(listed(6, keys=[]))[1] is True  # a newer one puts it right
    assert one.validate(token())


BROKEN = [
    ("half of a list", listed(9)[:60]),
    ("nothing", b""),
    ("another key's", signed(members(9), "Ed25519:other")),
    ("another list", listed(9, iss="https://other.example/")),
]


@pytest.mark.parametrize("data", [row[1] for row in BROKEN], ids=[row[0] for row in BROKEN])
def test_a_broken_file(tmp_path: Path, data: bytes) -> None:
    denies = put(tmp_path, listed(keys=[]))
    one = validator(denies)
    (tmp_path / "deny-list.jwt").write_bytes(data)
    with pytest.raises(DenyListError, match=r"deny-list\.jwt"):
        one.validate(token())
    with pytest.raises(DenyListError):
        denies.offer(listed(10))  # what was in force cannot be told
    assert denies.last_error


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "deny-list.jwt").mkdir()
    with pytest.raises(DenyListError, match="cannot be read"):
        validator(guard(tmp_path)).validate(token())


# --- when it has run out ---


def test_no_list_yet(tmp_path: Path) -> None:
    with pytest.raises(DenyListStaleError, match="there is no deny-list yet") as caught:
        validator(guard(tmp_path)).validate(token())
    assert isinstance(caught.value, KeySourceError)  # no verdict, and no refusal
    assert validator(guard(tmp_path, on_expiry="keep")).validate(token())


def test_run_out(tmp_path: Path) -> None:
    store(tmp_path).offer(listed(iat=now() - 100, exp=now() - 1))
    with pytest.raises(DenyListStaleError, match="has run out"):
        validator(guard(tmp_path), "Ed25519", "Ed25519:b").validate(token("Ed25519:b"))
    kept = validator(guard(tmp_path, on_expiry="keep"), "Ed25519", "Ed25519:b")
    assert kept.validate(token("Ed25519:b"))
    with pytest.raises(KeyDeniedError):  # what was refused stays refused
        kept.validate(token())


# --- fetched ---


class Pages(Fetcher):
    """Gives what is set, or raises it."""

    def __init__(self, answer: bytes | Exception) -> None:
        self.answer = answer

    def fetch(self, url: str) -> Page:
        if isinstance(self.answer, Exception):
            raise self.answer
        return Page(self.answer)


URL = "https://login.example/deny-list.jwt"


def until(is_so: Any) -> None:
    end = time.monotonic() + 5
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_fetched(tmp_path: Path) -> None:
    pages = Pages(listed(keys=[]))
    denies = DenyListGuard(store(tmp_path), url=URL, fetcher=pages, every=0.01)
    assert denies.fetches == 0  # nobody has asked yet
    denies.look()
    until(lambda: denies.current is not None)
    one = validator(denies)
    assert one.validate(token())
    pages.answer = KeySourceError("HTTP status 500", path=URL)
    until(lambda: denies.failures)
    assert one.validate(token())  # the list counts for an hour yet
    pages.answer = listed(2)
    until(lambda: denies.current.sequence == 2)
    with pytest.raises(KeyDeniedError):
        one.validate(token())


FAILURES = [
    ("no answer", KeySourceError("no answer in time", path=URL), "no answer in time"),
    ("a fault of the fetcher", RuntimeError("secret words"), r"cannot be fetched \(RuntimeError\)"),
    ("a page that is none", b"<html>", "is not signed"),
    ("an older list", listed(1), "has the number 1; 3 is in force"),
    ("another list of that number", listed(3, keys=[ELSE]), "two lists have the number 3"),
]


@pytest.mark.parametrize(("answer", "words"), [row[1:] for row in FAILURES], ids=[row[0] for row in FAILURES])
def test_a_fetch_that_fails(tmp_path: Path, answer: bytes | Exception, words: str) -> None:
    store(tmp_path).offer(listed(3, keys=[]))
    denies = DenyListGuard(store(tmp_path), url=URL, fetcher=Pages(answer), every=3600)
    denies.look()
    until(lambda: denies.failures)
    import re

    assert re.search(words, str(denies.last_error))
    assert denies.current.sequence == 3
    assert validator(denies).validate(token())


def test_nobody_fetches_for_a_guard_that_is_gone(tmp_path: Path) -> None:
    before = set(threading.enumerate())

    def used() -> weakref.ref[DenyListGuard]:
        denies = DenyListGuard(store(tmp_path), url=URL, fetcher=Pages(listed(keys=[])), every=0.01)
        denies.look()
        until(lambda: denies.fetches > 1)
        return weakref.ref(denies)

    gone = used()
    until(lambda: gone() is None)
    until(lambda: not set(threading.enumerate()) - before)


def test_after_a_fork(tmp_path: Path) -> None:
    """A child has no thread of its parent's: it begins to fetch by itself."""
    pages = Pages(listed(keys=[]))
    denies = DenyListGuard(store(tmp_path), url=URL, fetcher=pages, every=0.02)
    denies.look()
    until(lambda: denies.current is not None)
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            pages.answer = listed(9)
            one, end = validator(denies), time.monotonic() + 5
            while time.monotonic() < end and code:
                try:
                    one.validate(token())
                    time.sleep(0.01)
                except KeyDeniedError:
                    code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_a_fork_while_a_list_is_taken_over(tmp_path: Path) -> None:
    """The lock of the file goes with the process that took it, though the child has a handle of it."""
    lists = store(tmp_path)
    lists.offer(listed(keys=[]))
    with lists._alone():
        pid = os.fork()
        if pid == 0:
            time.sleep(30)
            os._exit(0)
    other = threading.Thread(target=lambda: lists.offer(listed(9)), daemon=True)
    other.start()
    other.join(10)
    try:
        assert not other.is_alive()
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def test_a_list_that_comes_while_keys_are_looked_at(tmp_path: Path) -> None:
    """What was seen of one list is not taken for what another one says."""
    denies = put(tmp_path, listed(keys=[]))
    one = validator(denies)
    held = denies.current
    assert held is not None
    names = type(held).names

    def slow(self: object, *arguments: Any) -> bool:
        found = names(self, *arguments)  # type: ignore[arg-type]
        if self is held:
            denies.offer(listed(2))  # in the midst of a check by the list before
        return found

    type(held).names = slow  # type: ignore[method-assign]
    try:
        one.validate(token())
    finally:
        type(held).names = names  # type: ignore[method-assign]
    with pytest.raises(KeyDeniedError):
        one.validate(token())


# --- in a policy file ---

POLICY = f"""
version = 1
[sources.login]
file = "keys.json"
[issuers."{ISSUER}"]
source = "login"
audience_class = "enterprise"
[audiences]
"{MAIL}" = ["enterprise"]
"""
TABLE = f"""
[deny_list]
name = "{NAME}"
keys = "deny-list.pub"
state = "deny-list.jwt"
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    import json

    (tmp_path / "keys.json").write_text(json.dumps({"keys": [jwk("Ed25519", issuer=ISSUER)]}))
    (tmp_path / "deny-list.pub").write_text(json.dumps(jwk(SIGNER, issuer=None)))
    return tmp_path


def test_by_a_policy_file(place: Path) -> None:
    one = Validator(parse_policy((POLICY + TABLE).encode(), str(place / "policy.toml")))
    with pytest.raises(DenyListStaleError):
        one.validate(token())
    store(place).offer(listed())
    time.sleep(LOOK)
    with pytest.raises(KeyDeniedError):
        one.validate(token())


TABLES = [
    ("unknown member", TABLE + "urls = 1\n", "deny_list has an unknown member: 'urls'"),
    ("no name", TABLE.replace("name =", "#"), "deny_list.name is missing"),
    ("no state", TABLE.replace("state =", "#"), "deny_list.state is missing"),
    ("a number", TABLE.replace('"deny-list.jwt"', "7"), "deny_list.state is not a text"),
    ("no keys", TABLE.replace("deny-list.pub", "none.pub"), "none.pub: cannot be read"),
    ("keys that are none", TABLE.replace("deny-list.pub", "keys.toml"), "keys.toml"),
    ("on_expiry", TABLE + 'on_expiry = "accept"\n', "deny_list.on_expiry is one of refuse, keep"),
    ("every", TABLE + "every_seconds = 0\n", "deny_list.every_seconds"),
    ("every true", TABLE + "every_seconds = true\n", "deny_list.every_seconds"),
    ("http", TABLE + 'url = "http://login.example/"\n', "only https is fetched"),
    ("private", TABLE + 'url = "https://a.example/"\nprivate_hosts = 1\n', "private_hosts is neither"),
    ("no table", "deny_list = 3\n" + POLICY, "'deny_list' is not a table"),
]


@pytest.mark.parametrize(("table", "words"), [row[1:] for row in TABLES], ids=[row[0] for row in TABLES])
def test_tables(place: Path, table: str, words: str) -> None:
    (place / "keys.toml").write_text("no JSON")
    text = table if table.startswith("deny_list") else POLICY + table
    with pytest.raises(ImmureError, match=words):
        parse_policy(text.encode(), str(place / "policy.toml"))
