"""What tokens of one grant have in common is made once, and each says what it would say alone."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from immure.digest import signed_digest
from immure.ledger.errors import LedgerRowError
from immure.ledger.row import Issued
from immure.registry.scope import KeyScope
from immure.signing.drafts import Draft
from immure.signing.rotation import Plan
from immure.signing.settings import Issuer

URL = "https://login.example/enterprise"
ISSUER = Issuer(URL, Plan(KeyScope(URL, frozenset({"enterprise"})), "RS256", "e"))
NOW, NAME = 1_790_000_000, "AAAAAAAAAAAAAAAAAAAAAA"
CLAIMS = {"iss": URL, "sub": "ada", "aud": "https://mail.example", "client_id": "c"}


def draft(**changes: Any) -> Draft:
    usual: dict[str, Any] = {
        "issuer": ISSUER,
        "kind": "at+jwt",
        "claims": CLAIMS,
        "more": {"scope": "mail.read"},
        "seconds": 3600,
        "tenant": "t",
        "client": "c",
        "session": "s",
    }
    return Draft(**{**usual, **changes})


def parts(signed: bytes) -> list[bytes]:
    return [base64.urlsafe_b64decode(part + b"=" * (-len(part) % 4)) for part in signed.split(b".")]


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
objects = st.dictionaries(
    st.text(st.characters(codec="ascii"), min_size=1, max_size=9).map("x{}".format),
    st.recursive(texts | st.integers() | st.booleans() | st.none(), st.lists, max_leaves=5),
    max_size=4,
)


@given(texts, st.lists(texts, min_size=1, max_size=3), objects)
def test_it_says_what_was_granted(subject: str, audiences: list[str], more: dict[str, Any]) -> None:
    claims = {**CLAIMS, "sub": subject, "aud": audiences}
    made = draft(claims=claims, more=more)
    signed, row = made.write("k1", NOW, NAME)
    header, payload = parts(signed)
    said = json.loads(payload)
    assert said == {**claims, "iat": NOW, "exp": NOW + 3600, "jti": NAME, **more}
    assert list(said) == [*claims, "iat", "exp", "jti", *more]
    assert json.loads(header) == {"alg": "RS256", "kid": "k1", "typ": "at+jwt"}
    assert not set(b" =") & set(signed)
    about = (subject, tuple(audiences), "t", "c", "s")
    assert row == Issued(signed_digest(signed), URL, "k1", NOW, NOW + 3600, *about)


def test_each_has_its_own_time_name_and_key() -> None:
    made = draft(until=NOW + 1000)
    seen = []
    for kid, now, name in (("k1", NOW, NAME), ("k1", NOW + 5, "b"), ("k2", NOW + 5, "c"), ("k1", NOW, "d")):
        signed, row = made.write(kid, now, name)
        header, payload = map(json.loads, parts(signed))
        assert (header["kid"], payload["iat"], payload["jti"]) == (kid, now, name)
        assert (payload["exp"], row.expires, row.issued_at, row.kid) == (NOW + 1000, NOW + 1000, now, kid)
        seen.append(row.digest)
    assert len(set(seen)) == 4


@pytest.mark.parametrize(
    "changes",
    [
        {"claims": {**CLAIMS, "sub": "a" * 3000}},
        {"claims": {**CLAIMS, "aud": ["a"] * 65}},
        {"tenant": "\0"},
        {"session": "\ud800"},
    ],
    ids=["subject too long", "too many audiences", "NUL", "half a character"],
)
def test_what_fits_in_no_row_is_not_signed(changes: dict[str, Any]) -> None:
    """It is refused when it is to be written, before any key is asked for a signature."""
    with pytest.raises(LedgerRowError):
        draft(**changes).write("k1", NOW, NAME)
