"""All stores: the same promises, and the same records back."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from immure.registry.errors import (
    DuplicateKeyError,
    RegistryError,
    ScopeError,
    TransitionError,
    UnknownKeyError,
)
from immure.registry.fit import fitting_algorithms
from immure.registry.form import from_plain, to_plain
from immure.registry.members import Members
from immure.registry.opening import open_store
from immure.registry.record import KeyRecord
from immure.registry.scope import KeyScope
from immure.registry.state import KeyState
from immure.registry.store import in_order
from immure.registry.toml_text import parse_registry, write_registry

from .material import ISSUER, NOW, OTHER, public, record

NAMES = ["keys.toml", "keys.db"]
STORES = [*NAMES, "postgresql"]
KINDS = ["RSA-2048", "P-256", "P-384", "P-521", "secp256k1", "Ed25519", "Ed448"]


@pytest.fixture(params=STORES)
def store(request, tmp_path):
    is_path = request.param in NAMES
    place = tmp_path / request.param if is_path else request.getfixturevalue("postgres").url()
    with open_store(place, create=True) as made:
        yield made


def plain(records):
    return [to_plain(one) for one in records]


def test_what_was_added_is_there_for_others(store):
    added = [record(kind, scope=KeyScope(ISSUER)) for kind in KINDS]
    assert store.records() == ()
    store.add(added)
    with open_store(store.path) as other:
        assert plain(other.records()) == plain(in_order(added))
        assert to_plain(other.get(added[3].thumbprint)) == to_plain(added[3])


@pytest.mark.parametrize(
    ("second", "error"),
    [
        (record(), "there already"),
        (record(kid="another"), "there already"),
        (record(scope=KeyScope(ISSUER)), "there already"),
        (record("P-256", kid="Ed25519-0"), "kid"),
    ],
)
def test_duplicates_are_refused_and_nothing_is_added(store, second, error):
    store.add([record()])
    stamp = store.stamp()
    with pytest.raises(DuplicateKeyError, match=error):
        store.add([record("P-384"), second])
    assert plain(store.records()) == plain([record()])
    assert store.stamp() == stamp


def test_a_kid_may_be_that_of_another_issuer_too(store):
    store.add([record(kid="1", scope=KeyScope(ISSUER)), record("P-256", kid="1", scope=KeyScope(OTHER))])
    with pytest.raises(UnknownKeyError, match="names 2 keys"):
        store.find("1")
    found = store.find("1", OTHER)
    assert found.key.label == "P-256"
    with pytest.raises(DuplicateKeyError):
        store.change_scope(found.thumbprint, lambda scope: KeyScope(ISSUER))
    assert store.find("1", OTHER).key.label == "P-256"


def test_names(store):
    one = record()
    store.add([one, record("P-256")])
    for name in (one.kid, one.thumbprint, one.thumbprint[:8]):
        assert store.find(name).thumbprint == one.thumbprint
    for name in ("", "nobody", one.thumbprint[:7], one.thumbprint + "x", "%", "\0"):
        with pytest.raises(UnknownKeyError):
            store.find(name)
    with pytest.raises(UnknownKeyError):
        store.find(one.kid, OTHER)
    with pytest.raises(UnknownKeyError):
        store.get("nobody")
    with pytest.raises(UnknownKeyError):
        store.change_state("nobody", KeyState.ACTIVE, reason="", by="")


def test_states(store):
    one = record()
    store.add([one])
    first = store.stamp()
    store.change_state(one.thumbprint, KeyState.ACTIVE, reason="go", by="ops", now=lambda: NOW)
    assert store.stamp() != first
    with pytest.raises(TransitionError, match="suspended, deactivated or compromised"):
        store.change_state(one.thumbprint, KeyState.DESTROYED, reason="", by="", now=lambda: NOW)
    store.change_state(
        one.thumbprint, KeyState.COMPROMISED, reason="leak", by="ops", since=NOW, now=lambda: NOW
    )
    with open_store(store.path) as other:
        states = [change.state.value for change in other.get(one.thumbprint).history]
        assert states == ["pre-active", "active", "compromised"]
        assert other.get(one.thumbprint).history[-1].since == NOW


def test_scopes(store):
    one = record()
    store.add([one])
    store.change_scope(one.thumbprint, lambda scope: KeyScope(ISSUER, frozenset({"consumer"})))
    assert store.get(one.thumbprint).scope == KeyScope(ISSUER, frozenset({"consumer"}))
    with pytest.raises(ScopeError):
        store.change_scope(one.thumbprint, lambda scope: KeyScope(ISSUER, algorithms=frozenset({"RS256"})))
    store.change_scope(one.thumbprint, lambda scope: None)
    assert store.get(one.thumbprint).scope is None


def test_a_history_cannot_be_rewritten(store):
    one = record(state=KeyState.COMPROMISED)
    store.add([one])
    for other in (record(), record("P-256", state=KeyState.COMPROMISED)):
        with pytest.raises(RegistryError):
            store.update(one.thumbprint, lambda _, other=other: other)
    with pytest.raises(ZeroDivisionError):
        store.update(one.thumbprint, lambda _: 1 / 0)
    with pytest.raises(ValueError, match="mine"):
        store.update(one.thumbprint, lambda _: _raise(ValueError("mine")))
    assert store.get(one.thumbprint) == one


def _raise(error):
    raise error


@pytest.mark.parametrize("name", NAMES)
def test_a_store_that_is_not_there(tmp_path, name):
    for path in (tmp_path / name, tmp_path / "no" / name):
        with pytest.raises(RegistryError, match="does not exist"):
            open_store(path)
    with pytest.raises(RegistryError):
        open_store(tmp_path / "no" / name, create=True)
    with pytest.raises(RegistryError):
        open_store(f"a\0{name}", create=True)
    assert not list(tmp_path.iterdir())


def test_threads(store):
    added = [record("Ed25519", number) for number in range(8)]

    def add(one):
        store.add([one])
        store.change_state(one.thumbprint, KeyState.ACTIVE, reason="", by="", now=lambda: NOW)

    threads = [threading.Thread(target=add, args=(one,)) for one in added]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {one.thumbprint for one in store.records() if one.state is KeyState.ACTIVE} == {
        one.thumbprint for one in added
    }


# --- Hypothesis: what one store gives, the other takes and gives back ---

texts = st.text(
    st.characters(codec="utf-8", exclude_categories=["C", "Z"], include_characters=" "),
    min_size=1,
    max_size=20,
).filter(str.isprintable)
issuers = st.text("aBc:/.", min_size=1, max_size=20)
moments = st.datetimes(
    datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=st.sampled_from([UTC, timezone(timedelta(hours=5))])
).map(lambda moment: moment.astimezone(UTC))


@st.composite
def scopes(draw, numbers):
    begin, end = sorted([draw(moments), draw(moments)])
    return KeyScope(
        draw(issuers),
        frozenset(draw(st.lists(st.sampled_from(["consumer", "enterprise", "a.b-c_1"]), max_size=2))),
        frozenset(draw(st.lists(texts, max_size=3))),
        frozenset(draw(st.lists(texts, max_size=2))),
        frozenset(draw(st.lists(st.sampled_from(sorted(fitting_algorithms(numbers))), max_size=2))),
        draw(st.sampled_from([None, begin])),
        draw(st.sampled_from([None, end])),
    )


@st.composite
def records(draw, number):
    key = public(draw(st.sampled_from(KINDS)), number, not_before=draw(st.none() | moments))
    scope = draw(st.none() | scopes(key.numbers))
    at = sorted(draw(st.lists(moments, min_size=4, max_size=4)))
    # the number makes kids of one example differ; texts are as strange as they may be
    made = KeyRecord.new(key, f"{draw(texts)}{number}", scope, by=draw(texts), at=at[0], reason=draw(texts))
    for moment in at[1 : draw(st.integers(1, 4))]:
        choices = [state for state in KeyState if made.state.may_become(state)]
        if choices:
            made = made.become(draw(st.sampled_from(choices)), reason=draw(texts), by="", at=moment)
    return made


some_records = st.integers(0, 3).flatmap(
    lambda count: st.tuples(*(records(number) for number in range(count)))
)


@settings(max_examples=25, deadline=None)
@given(some_records)
def test_round_trips(tmp_path_factory, cluster, made):
    cluster.recycle()
    top = tmp_path_factory.mktemp("trip")
    there = plain(in_order(made))
    before = made
    for place in (top / "a.toml", top / "b.db", cluster.url(), top / "c.toml"):
        with open_store(place, create=True) as store:
            store.add(before)
            before = store.records()
            assert plain(before) == there
    assert (top / "a.toml").read_bytes() == (top / "c.toml").read_bytes()


@settings(max_examples=60, deadline=None)
@given(some_records)
def test_round_trips_of_the_forms(made):
    assert plain(parse_registry(write_registry(made), "x.toml")) == plain(made)
    again = [from_plain(Members(json.loads(json.dumps(one)), "key", "x")) for one in plain(made)]
    assert plain(again) == plain(made)
