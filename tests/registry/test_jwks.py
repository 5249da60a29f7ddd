"""Key sets: one for each scope, and in each only what may be published."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from immure.registry.audit import audit
from immure.registry.audit_sources import parse_document
from immure.registry.errors import PooledError, RegistryError
from immure.registry.jwks import GRACE, SetScope, choose_scope, jwks_for, published_scopes
from immure.registry.record import KeyRecord
from immure.registry.scope import KeyScope
from immure.registry.state import KeyState

from .material import DAY, ISSUER, NOW, OTHER, TEMPLATE, TENANT, document, public, record

HERE = SetScope(ISSUER)


@pytest.mark.parametrize(
    ("state", "age", "published", "announced"),
    [
        (KeyState.PRE_ACTIVE, DAY, False, True),
        (KeyState.ACTIVE, DAY, True, True),
        (KeyState.SUSPENDED, DAY, False, False),
        (KeyState.DEACTIVATED, DAY / 2, True, True),
        (KeyState.DEACTIVATED, GRACE, False, False),
        (KeyState.COMPROMISED, DAY / 2, False, False),
        (KeyState.DESTROYED, DAY / 2, False, False),
    ],
)
def test_states(state, age, published, announced):
    records = [record(scope=KeyScope(ISSUER), state=state, at=NOW - age)]
    assert bool(jwks_for(records, HERE, at=NOW)["keys"]) is published
    assert bool(jwks_for(records, HERE, at=NOW, announce=True)["keys"]) is announced


@pytest.mark.parametrize(
    ("begins", "ends", "published", "announced"),
    [
        (None, None, True, True),
        (NOW, NOW, True, True),
        (NOW - DAY, NOW + DAY, True, True),
        (NOW + DAY, None, False, True),
        (None, NOW - DAY, False, False),
    ],
)
def test_times(begins, ends, published, announced):
    scope = KeyScope(ISSUER, not_before=begins, not_after=ends)
    records = [record(scope=scope, state=KeyState.ACTIVE)]
    keys = jwks_for(records, HERE, at=NOW)["keys"]
    assert bool(keys) is published
    assert bool(jwks_for(records, HERE, at=NOW, announce=True)["keys"]) is announced
    for name, moment in (("nbf", begins), ("exp", ends)):
        for key in keys:
            assert key.get(name) == (None if moment is None else int(moment.timestamp()))


def test_members():
    scope = KeyScope(
        TEMPLATE, frozenset({"enterprise"}), frozenset({TENANT}), frozenset({"public"}), frozenset({"RS256"})
    )
    (key,) = jwks_for(
        [record("RSA-2048", scope=scope, state=KeyState.ACTIVE)],
        SetScope(TEMPLATE, "enterprise", "public"),
        at=NOW,
    )["keys"]
    assert key == {
        **public("RSA-2048").to_jwk(),
        "kid": "RSA-2048-0",
        "use": "sig",
        "alg": "RS256",
        "issuer": TEMPLATE,
        "audience_classes": ["enterprise"],
        "cloud_instance_name": "public",
        "tenants": [TENANT],
    }


SCOPES = [
    KeyScope(ISSUER, frozenset({"consumer"})),
    KeyScope(ISSUER, frozenset({"enterprise"})),
    KeyScope(OTHER, frozenset({"enterprise"}), clouds=frozenset({"a", "b"})),
]
RECORDS = [
    *(record("Ed25519", number, scope=scope, state=KeyState.ACTIVE) for number, scope in enumerate(SCOPES)),
    record("P-256"),
]


def test_each_scope_has_its_own_set():
    scopes = published_scopes(RECORDS)
    assert [(one.issuer, one.audience_class, one.cloud) for one in scopes] == [
        (ISSUER, "consumer", ""),
        (ISSUER, "enterprise", ""),
        (OTHER, "enterprise", "a"),
        (OTHER, "enterprise", "b"),
    ]
    kids = [[key["kid"] for key in jwks_for(RECORDS, one, at=NOW)["keys"]] for one in scopes]
    assert kids == [["Ed25519-0"], ["Ed25519-1"], ["Ed25519-2"], ["Ed25519-2"]]


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ((ISSUER, "consumer", None), SetScope(ISSUER, "consumer")),
        ((None, "consumer", None), SetScope(ISSUER, "consumer")),
        ((None, None, "b"), SetScope(OTHER, "enterprise", "b")),
        ((None, None, None), PooledError),
        ((ISSUER, None, None), PooledError),
        ((None, "enterprise", None), PooledError),
        ((OTHER, "enterprise", None), PooledError),
        ((OTHER, "consumer", None), RegistryError),
        (("https://nobody.example", None, None), RegistryError),
    ],
)
def test_choosing(choice, expected):
    if isinstance(expected, SetScope):
        assert choose_scope(RECORDS, *choice) == expected
    else:
        with pytest.raises(expected):
            choose_scope(RECORDS, *choice)


lists = st.lists(st.sampled_from(["consumer", "enterprise", "workload"]), max_size=2)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from([ISSUER, OTHER, TEMPLATE]), lists, st.sampled_from(KeyState)), max_size=5
    )
)
def test_no_set_holds_a_key_of_another_scope(drawn):
    records: list[KeyRecord] = [
        record("Ed25519", number, scope=KeyScope(issuer, frozenset(classes)), state=state)
        for number, (issuer, classes, state) in enumerate(drawn)
    ]
    by_kid = {one.kid: one for one in records}
    for scope in published_scopes(records):
        keys = jwks_for(records, scope, at=NOW)["keys"]
        for key in keys:
            its = by_kid[key["kid"]].scope
            assert its is not None
            assert (key["issuer"], its.issuer) == (scope.issuer, scope.issuer)
            assert scope.audience_class in (its.audience_classes or {""})
        found = audit(parse_document(document(*keys), "x"), at=NOW, registry=records)
        assert found == []


def test_every_state_was_asked():
    assert len(list(product(KeyState, KeyState))) == 36
