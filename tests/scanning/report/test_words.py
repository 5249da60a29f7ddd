from __future__ import annotations

import unicodedata
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given

from immure.keymaterial.key import Origin, PublicKey, RsaNumbers
from immure.scanning.report.words import (
    bytes_words,
    count_words,
    list_words,
    shortened,
    tail,
    utc,
    validity_words,
    visible,
)

from .strategies import strings


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("/usr/lib/libc.so.6", "/usr/lib/libc.so.6"),
        ("Schlüssel 鍵", "Schlüssel 鍵"),
        ("\x1b[31m", "\\x1b[31m"),
        ("\x9b31m", "\\x9b31m"),
        ("a\nb\tc\rd\x7f", "a\\x0ab\\x09c\\x0dd\\x7f"),
        ("\u202egpj\u2066", "\\u202egpj\\u2066"),
        ("\ud800", "\\ud800"),
        ("a\u00a0b\u2028c\u200bd", "a\\xa0b\\u2028c\\u200bd"),
        ("\U000e0041\u3164", "\\U000e0041\\u3164"),
    ],
)
def test_visible(raw: str, shown: str) -> None:
    assert visible(raw) == shown


@given(strings)
def test_visible_leaves_nothing_that_acts(raw: str) -> None:
    shown = visible(raw)
    assert all(character == " " or unicodedata.category(character)[0] not in "CZ" for character in shown)
    shown.encode("utf-8")


def test_visible_is_bounded() -> None:
    assert len(visible("x" * 1_000_000)) < 1000


@given(strings)
def test_cut_to_width(raw: str) -> None:
    for width in (5, 12, 30):
        assert len(shortened(raw, width)) <= width
        assert len(tail(raw, width)) <= width


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (1023, "1,023 bytes"),
        (1024, "1.0 KiB"),
        ((1 << 20) - 1, "1.0 MiB"),
        (12_900_000, "12.3 MiB"),
        (1 << 62, "4.0 EiB"),
        (1 << 70, "1,024.0 EiB"),
    ],
)
def test_bytes_words(count: int, words: str) -> None:
    assert bytes_words(count) == words


def test_counts_and_lists() -> None:
    assert count_words(1, "key") == "1 key"
    assert count_words(1234, "entry", "entries") == "1,234 entries"
    assert list_words([]) == ""
    assert list_words(["a"]) == "a"
    assert list_words(["a", "b", "c"], "or") == "a, b or c"


@pytest.mark.parametrize(
    ("moment", "words"),
    [
        (None, None),
        (datetime(2021, 4, 5, 6, 7, 8), "2021-04-05T06:07:08Z"),
        (datetime(2021, 4, 5, tzinfo=UTC), "2021-04-05T00:00:00Z"),
        (datetime(2021, 4, 5, tzinfo=timezone(timedelta(hours=2))), "2021-04-04T22:00:00Z"),
    ],
)
def test_utc(moment: datetime | None, words: str | None) -> None:
    assert utc(moment) == words


@pytest.mark.parametrize(
    ("begin", "end", "words"),
    [
        (None, None, None),
        (2020, None, "valid from 2020-01-01"),
        (None, 2030, "valid until 2030-01-01"),
        (2020, 2030, "valid 2020-01-01 to 2030-01-01"),
    ],
)
def test_validity(begin: int | None, end: int | None, words: str | None) -> None:
    days = [datetime(year, 1, 1, tzinfo=UTC) if year else None for year in (begin, end)]
    key = PublicKey(RsaNumbers(35, 5), Origin("x", not_before=days[0], not_after=days[1]))
    assert validity_words(key) == words
