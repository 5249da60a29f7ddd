"""Rows of the ledger."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from immure.auditlog.canonical import canonical, parse_canonical
from immure.ledger.errors import LedgerError, LedgerRowError
from immure.ledger.row import MOST_AUDIENCES, MOST_CHARACTERS, Issued, row_from
from ledger.making import T, row

REFUSED = [
    ("digest short", {"digest": bytes(15)}),
    ("digest long", {"digest": bytes(32)}),
    ("digest no bytes", {"digest": "0" * 16}),
    ("no issuer", {"issuer": ""}),
    ("no key", {"kid": ""}),
    ("subject too long", {"subject": "a" * (MOST_CHARACTERS + 1)}),
    ("NUL", {"client": "a\0b"}),
    ("half a character", {"tenant": "\ud800"}),
    ("no text", {"session": None}),
    ("too many audiences", {"audience": ("a",) * (MOST_AUDIENCES + 1)}),
    ("audience no text", {"audience": (1,)}),
    ("audience half a character", {"audience": ("\udfff",)}),
    ("time is a fraction", {"issued_at": T + 0.5}),
    ("time is true", {"expires": True}),
    ("time before 1970", {"issued_at": -1}),
    ("time behind the year 9999", {"expires": 253_402_300_800}),
]


@pytest.mark.parametrize(("what", "changes"), REFUSED, ids=[what for what, _ in REFUSED])
def test_refused(what: str, changes: dict[str, Any]) -> None:
    with pytest.raises(LedgerRowError) as caught:
        row(**changes)
    assert caught.value.code == "ledger-row"


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=50)
rows = st.builds(
    Issued,
    st.binary(min_size=16, max_size=16),
    texts.filter(bool),
    texts.filter(bool),
    st.integers(0, 1 << 37),
    st.integers(0, 1 << 37),
    texts,
    st.lists(texts, max_size=3).map(tuple),
    texts,
    texts,
    texts,
)


@given(rows, st.integers(1, 1 << 50))
def test_leaf_is_canonical(row: Issued, sequence: int) -> None:
    """The same bytes as the log's own canonical JSON, so that anybody can compute them."""
    leaf = row.leaf(sequence)
    plain: Any = parse_canonical(leaf)
    assert canonical(plain) == leaf
    assert plain[0] == sequence
    assert plain[1] == row.digest.hex()
    assert plain[5] == list(row.audience)


@given(rows)
def test_cells_and_back(row: Issued) -> None:
    assert row_from(row.issuer, row.cells(), "x") == row


@pytest.mark.parametrize(
    ("place", "value"), [(0, b"short"), (0, None), (1, 7), (3, "["), (3, "[1]"), (3, "7"), (6, "x")]
)
def test_altered_cells(place: int, value: object) -> None:
    cells = list(row().cells())
    cells[place] = value
    with pytest.raises(LedgerError, match="altered") as caught:
        row_from("i", cells, "ledger.db")
    assert caught.value.path == "ledger.db"


@given(rows, st.binary(min_size=16, max_size=16), st.integers(0, 1 << 37), st.integers(0, 1 << 37))
def test_the_same_again(row: Issued, digest: bytes, issued_at: int, expires: int) -> None:
    made = row.again(digest, issued_at, expires)
    texts = (row.subject, row.audience, row.tenant, row.client, row.session)
    assert made == Issued(digest, row.issuer, row.kid, issued_at, expires, *texts)
    assert row_from(made.issuer, made.cells(), "x") == made


@pytest.mark.parametrize(
    ("digest", "issued_at", "expires"),
    [
        (bytes(15), T, T),
        ("0" * 16, T, T),
        (bytes(16), -1, T),
        (bytes(16), T + 0.5, T),
        (bytes(16), T, True),
        (bytes(16), T, 253_402_300_800),
    ],
)
def test_not_with_another_kind_of_digest_or_time(digest: Any, issued_at: Any, expires: Any) -> None:
    with pytest.raises(LedgerRowError):
        row().again(digest, issued_at, expires)
