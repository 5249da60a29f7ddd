"""The life of a key: each transition that NIST SP 800-57 has, and a refusal of each that it has not."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from immure.registry.errors import RegistryError, ScopeError, TransitionError
from immure.registry.record import KeyRecord, StateChange, next_states
from immure.registry.scope import KeyScope
from immure.registry.state import KeyState

from .material import DAY, ISSUER, NOW, TEMPLATE, TENANT, WAYS, public, record

# written out here once more, from the standard and not from the code
PRE, ACTIVE, SUSPENDED, DEACTIVATED, COMPROMISED, DESTROYED = KeyState
ALLOWED = {
    (PRE, ACTIVE),
    (PRE, COMPROMISED),
    (PRE, DESTROYED),
    (ACTIVE, SUSPENDED),
    (ACTIVE, DEACTIVATED),
    (ACTIVE, COMPROMISED),
    (SUSPENDED, ACTIVE),
    (SUSPENDED, DEACTIVATED),
    (SUSPENDED, COMPROMISED),
    (DEACTIVATED, COMPROMISED),
    (DEACTIVATED, DESTROYED),
    (COMPROMISED, DESTROYED),
}


@pytest.mark.parametrize(
    ("before", "after"), list(product(KeyState, KeyState)), ids=lambda state: state.value
)
def test_transitions(before, after):
    old = record(state=before)
    assert old.state is before
    if (before, after) in ALLOWED:
        new = old.become(after, reason="why", by="who", at=NOW)
        assert (new.state, new.scoped.state) == (after, after)
        assert new.history == (*old.history, StateChange(after, NOW, "why", "who"))
        return
    with pytest.raises(TransitionError) as refused:
        old.become(after, reason="why", by="who", at=NOW)
    assert before.value in refused.value.reason
    for state in next_states(before):
        assert state.value in refused.value.reason.partition("it can become")[2]
    assert ("nothing else" in refused.value.reason) == (before is DESTROYED)
    assert old.state is before


@pytest.mark.parametrize("state", KeyState, ids=lambda state: state.value)
def test_a_key_begins_as_pre_active_or_active(state):
    if state in (PRE, ACTIVE):
        assert record(state=PRE).with_scope(None)
        assert KeyRecord.new(public(), "k", None, by="x", at=NOW, state=state).state is state
    else:
        with pytest.raises(TransitionError, match="only as pre-active or active"):
            KeyRecord.new(public(), "k", None, by="x", at=NOW, state=state)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"kid": ""}, RegistryError, "kid is empty"),
        ({"kid": "a\nb"}, RegistryError, "control characters"),
        ({"kid": "a\u202eb"}, RegistryError, "control characters"),
        ({"kid": "\ud800"}, RegistryError, "control characters"),
        ({"kid": "k" * 1025}, RegistryError, "too long"),
        ({"history": ()}, RegistryError, "1 to 1000 states"),
        ({"history": (StateChange(ACTIVE, NOW.replace(tzinfo=None)),)}, RegistryError, "time zone"),
        ({"history": (StateChange(ACTIVE, NOW, reason="a\x1b[2J"),)}, RegistryError, "'reason'"),
        ({"history": (StateChange(ACTIVE, NOW, by="\x00"),)}, RegistryError, "'by'"),
        ({"history": (StateChange(ACTIVE, NOW, since=NOW),)}, RegistryError, "only a compromise"),
        (
            {"history": (StateChange(ACTIVE, NOW), StateChange(SUSPENDED, NOW - DAY))},
            RegistryError,
            "before the",
        ),
        (
            {"history": (StateChange(ACTIVE, NOW), StateChange(COMPROMISED, NOW, since=NOW + DAY))},
            RegistryError,
            "in the future",
        ),
        ({"history": (StateChange(ACTIVE, NOW),) * 2}, TransitionError, "is active"),
        ({"history": (StateChange(PRE, NOW), StateChange(SUSPENDED, NOW))}, TransitionError, "is pre-active"),
    ],
)
def test_records_that_cannot_be(change, error, words):
    with pytest.raises(error, match=words):
        replace(record(), **change)


@pytest.mark.parametrize(
    ("scope", "words"),
    [
        (KeyScope(""), "not an issuer"),
        (KeyScope("a b"), "not an issuer"),
        (KeyScope("https://a/{tenantid}/{tenantid}"), "may stand in it once"),
        (KeyScope("https://a/{tenant}"), "other braces"),
        (KeyScope("https://a/}"), "other braces"),
        (KeyScope(ISSUER, frozenset({"Enterprise"})), "audience class"),
        (KeyScope(ISSUER, frozenset({"*"})), "audience class"),
        (KeyScope(ISSUER, frozenset({""})), "audience class"),
        (KeyScope(ISSUER, tenants=frozenset({"\n"})), "tenant"),
        (KeyScope(TEMPLATE, tenants=frozenset({TENANT.upper()})), "GUID in lower case"),
        (KeyScope(TEMPLATE, tenants=frozenset({"contoso"})), "GUID in lower case"),
        (KeyScope(ISSUER, clouds=frozenset({""})), "cloud"),
        (KeyScope(ISSUER, tenants=frozenset(map(str, range(1001)))), "more than 1000"),
        (KeyScope(ISSUER, algorithms=frozenset({"RS256"})), "not one of this key's: Ed25519, EdDSA"),
        (KeyScope(ISSUER, algorithms=frozenset({"none"})), "'none'"),
        (KeyScope(ISSUER, algorithms=frozenset({"HS256"})), "'HS256'"),
        (KeyScope(ISSUER, not_before=NOW, not_after=NOW - DAY), "ends before it begins"),
    ],
)
def test_scopes_that_cannot_be(scope, words):
    with pytest.raises(ScopeError, match=words):
        record(scope=scope)


@pytest.mark.parametrize(
    ("kind", "algorithms"),
    [
        ("RSA-2048", {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}),
        ("P-256", {"ES256"}),
        ("P-384", {"ES384"}),
        ("P-521", {"ES512"}),
        ("secp256k1", {"ES256K"}),
        ("Ed25519", {"EdDSA", "Ed25519"}),
        ("Ed448", {"EdDSA", "Ed448"}),
    ],
)
def test_scopes_with_all_algorithms_that_fit(kind, algorithms):
    assert record(kind, scope=KeyScope(ISSUER, algorithms=frozenset(algorithms))).issuer == ISSUER
    for wrong in {"RS256", "ES256", "ES384", "Ed25519", "Ed448"} - algorithms:
        with pytest.raises(ScopeError):
            record(kind, scope=KeyScope(ISSUER, algorithms=frozenset({wrong})))


def test_keys_that_sign_nothing_have_no_scope():
    with pytest.raises(ScopeError, match="signs nothing"):
        record("X25519", scope=KeyScope(ISSUER))


def test_when_it_was_activated_first():
    again = record(state=SUSPENDED).become(ACTIVE, reason="", by="", at=NOW)
    assert again.activated_at == NOW - 2 * DAY
    assert record().activated_at is None
    assert set(WAYS) == set(KeyState)
