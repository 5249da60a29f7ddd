"""The form of deny-lists: what is taken, and what each other one is refused with."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from immure.errors import ImmureError
from immure.tokens.deny_list import (
    LONGEST,
    MOST_BYTES,
    MOST_EPOCHS,
    MOST_KEYS,
    DeniedKey,
    DenyList,
    parse_deny_list,
    pinned_keys,
    verify_deny_list,
)
from immure.tokens.deny_list_errors import DenyListError, DenyListFormError, DenyListSignatureError
from tokens.deny_lists import NAME, SIGNER, entry, listed, members, pinned, signed
from tokens.minting import ENTERPRISE, ISSUER, jwk

THUMB = "0" * 43


def test_round() -> None:
    text = listed(7, keys=[entry(jkt=THUMB), entry(kid="other")], not_before={ISSUER: 5})
    made = verify_deny_list(text, pinned(), NAME)
    assert (made.sequence, made.name) == (7, NAME)
    assert made.keys == (
        DeniedKey(ISSUER, "Ed25519", THUMB, 1790000000),
        DeniedKey(ISSUER, "other", "", 1790000000),
    )
    assert parse_deny_list(json.dumps(made.plain()).encode()) == made
    assert made.issuers == {ISSUER}


TOO_MANY = {str(number): 1 for number in range(MOST_EPOCHS + 1)}
FORM: list[tuple[str, bytes, type[DenyListError], str]] = [
    ("empty", b"", DenyListSignatureError, "token-form"),
    ("no token", b"deny everything", DenyListSignatureError, "token-form"),
    ("too long", b"a" * (MOST_BYTES + 1), DenyListFormError, "1048577 bytes"),
    ("another key", signed(members(), "Ed25519:other"), DenyListSignatureError, "key-unknown"),
    ("its name only", signed(members(), "Ed25519:b", kid=SIGNER), DenyListSignatureError, "token-signature"),
    ("alg none", signed(members(), alg="none"), DenyListSignatureError, "token-alg"),
    ("changed", listed()[:-4] + b"AAAA", DenyListSignatureError, "token-"),
    ("an access token", signed(members(), typ="at+jwt"), DenyListFormError, "type"),
    ("no type", signed(members(), typ=None), DenyListFormError, "type"),
    ("an event", signed(members(), typ="secevent+jwt"), DenyListFormError, "type"),
    ("another list", listed(iss="https://other.example/"), DenyListFormError, "other.example"),
    ("no JSON", signed(b"{"), DenyListFormError, "JSON"),
    ("a member twice", signed(b'{"v":1,"v":1}'), DenyListFormError, "twice"),
    ("more than is known", listed(also=1), DenyListFormError, "also"),
    ("no sequence", listed(seq=None), DenyListFormError, "seq"),
    ("a text for a number", listed(seq="1"), DenyListFormError, "seq"),
    ("true for a number", listed(seq=True), DenyListFormError, "seq"),
    ("a negative number", listed(seq=-1), DenyListFormError, "seq"),
    ("a fraction", listed(seq=1.5), DenyListFormError, "seq"),
    ("too great a number", listed(seq=1 << 53), DenyListFormError, "seq"),
    ("another version", listed(v=2), DenyListFormError, "version"),
    ("version true", listed(v=True), DenyListFormError, "version"),
    ("for ever", listed(iat=0, exp=LONGEST + 1), DenyListFormError, "counts for"),
    ("over before it begins", listed(iat=10, exp=10), DenyListFormError, "counts for 0"),
    ("keys no list", listed(keys={}), DenyListFormError, "keys"),
    ("too many keys", listed(keys=[entry()] * (MOST_KEYS + 1)), DenyListFormError, "keys"),
    ("a key that is none", listed(keys=["k1"]), DenyListFormError, "a key"),
    ("a key with more", listed(keys=[entry(until=1)]), DenyListFormError, "a key"),
    ("a key without issuer", listed(keys=[entry(issuer=None)]), DenyListFormError, "a key"),
    ("a kid of another type", listed(keys=[entry(kid=7)]), DenyListFormError, "kid"),
    ("an empty kid", listed(keys=[entry(kid="")]), DenyListFormError, "kid"),
    ("a kid with a newline", listed(keys=[entry(kid="a\nb")]), DenyListFormError, "kid"),
    ("an endless kid", listed(keys=[entry(kid="a" * 513)]), DenyListFormError, "kid"),
    ("a short thumbprint", listed(keys=[entry(jkt="abc")]), DenyListFormError, "jkt"),
    ("another reason", listed(keys=[entry(reason="why not")]), DenyListFormError, "reason"),
    ("a reason of another type", listed(keys=[entry(reason=[])]), DenyListFormError, "reason"),
    ("two placeholders", listed(keys=[entry(issuer="{tenantid}{tenantid}")]), DenyListFormError, "tenantid"),
    ("epochs a list", listed(not_before=[]), DenyListFormError, "not_before"),
    ("too many epochs", listed(not_before=TOO_MANY), DenyListFormError, "not_before"),
    ("an epoch that is a text", listed(not_before={ISSUER: "now"}), DenyListFormError, "whole number"),
    ("an epoch of nobody", listed(not_before={"": 1}), DenyListFormError, "issuer"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "error", "words"), [row[1:] for row in FORM], ids=[row[0] for row in FORM])
def test_refused(text: bytes, error: type[DenyListError], words: str) -> None:
    with pytest.raises(error, match=words):
        verify_deny_list(text, pinned(), NAME)


@given(st.binary(max_size=200) | st.sampled_from([b"a.b.c", listed(), listed()[:100]]))
def test_any_bytes(data: bytes) -> None:
    """Nothing foreign comes out."""
    for act in (lambda: verify_deny_list(data, pinned(), NAME), lambda: parse_deny_list(data)):
        try:
            act()
        except DenyListError:
            continue


TEXT = st.text("abcXYZ0-_:/.", min_size=1, max_size=30)
KEYS = st.builds(
    DeniedKey,
    TEXT,
    TEXT,
    st.sampled_from(["", THUMB]),
    st.integers(0, 1 << 40),
    st.sampled_from(["compromised", "suspected", "withdrawn"]),
)


@given(
    st.lists(KEYS, max_size=5),
    st.dictionaries(TEXT, st.integers(0, 1 << 40), max_size=5),
    st.integers(0, (1 << 53) - 1),
)
def test_any_list(keys: list[DeniedKey], epochs: dict[str, int], sequence: int) -> None:
    """What a list says is read as it was written."""
    made = DenyList(NAME, sequence, 100, 200, tuple(keys), epochs)
    assert parse_deny_list(json.dumps(made.plain()).encode()) == made
    for one in keys:
        assert made.names(one.issuer, one.kid, "")


NAMES: list[tuple[str, dict[str, Any], tuple[str, str | None, str], bool]] = [
    ("by its name", {}, (ISSUER, "Ed25519", ""), True),
    ("the name at another issuer", {}, ("https://other.example/", "Ed25519", ""), False),
    ("another name", {}, (ISSUER, "ed25519", ""), False),
    ("no name", {}, (ISSUER, None, ""), False),
    ("by its thumbprint", {"jkt": THUMB}, ("https://other.example/", "renamed", THUMB), True),
    ("by its thumbprint, without a name", {"jkt": THUMB}, (ISSUER, None, THUMB), True),
    ("by a template", {"issuer": ENTERPRISE}, (ISSUER, "Ed25519", ""), True),
    (
        "a template that does not fit",
        {"issuer": ENTERPRISE},
        ("https://other.example/", "Ed25519", ""),
        False,
    ),
]


@pytest.mark.parametrize(
    ("changes", "asked", "wanted"), [row[1:] for row in NAMES], ids=[row[0] for row in NAMES]
)
def test_names(changes: dict[str, Any], asked: tuple[str, str | None, str], wanted: bool) -> None:
    made = verify_deny_list(listed(keys=[entry(**changes)]), pinned(), NAME)
    assert made.names(*asked) is wanted


def test_epochs() -> None:
    made = DenyList(NAME, 1, 1, 2, epochs={ENTERPRISE: 50, ISSUER: 10, "https://other.example/": 99})
    assert made.epoch(ISSUER) == 50  # the later one, of the template and of the name
    assert made.epoch("https://other.example/") == 99
    assert made.epoch("https://nobody.example/") is None


PINNED = [
    ("no JSON", b"{"),
    ("no set", b"{}"),
    ("an empty set", b'{"keys": []}'),
    ("a private secret", b'{"kty": "oct", "k": "AAAA"}'),
    ("a key that is too weak", json.dumps({"keys": [{"kty": "RSA"}]}).encode()),
]


@pytest.mark.parametrize("data", [row[1] for row in PINNED], ids=[row[0] for row in PINNED])
def test_pins_nothing(data: bytes) -> None:
    with pytest.raises(ImmureError, match=r"pins\.json"):
        pinned_keys(data, "pins.json")


def test_pins_two_while_one_takes_over() -> None:
    keys = pinned_keys(json.dumps({"keys": [jwk(SIGNER), jwk("Ed25519:next")]}).encode(), "pins.json")
    for name in (SIGNER, "Ed25519:next"):
        assert verify_deny_list(signed(members(), name), keys, NAME).sequence == 1
