"""Closed batches as Parquet, and what may be forgotten."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from immure.ledger.errors import LedgerError
from immure.ledger.retention import needed, prunable, prune
from immure.ledger.segments import check_segment, export, folder_of, read_segment, segments
from ledger.making import ISSUER, OTHER, House, T, row

pq = pytest.importorskip("pyarrow.parquet", reason="NOT TESTED: pyarrow is not installed")


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def names(found: Any) -> list[tuple[int, int]]:
    return [(one.first, one.last) for one in found]


def test_rows_and_back(house: House, tmp_path: Path) -> None:
    rows = [row(subject="Åse ☃", audience=()), row(audience=("a", "b")), row(issuer=OTHER)]
    house.batch(*rows)
    (segment,) = export(house.store, ISSUER, tmp_path / "out")
    batches, found = read_segment(segment.path)
    assert list(found) == [(1, rows[0]), (2, rows[1])]
    assert batches == list(house.store.batches(ISSUER))
    assert check_segment(segment.path) == batches
    table = pq.read_table(segment.path)
    assert table.column("digest").to_pylist() == [rows[0].digest, rows[1].digest]
    assert table.column("iat").to_pylist() == [T, T]


def test_each_batch_once(house: House, tmp_path: Path) -> None:
    out = tmp_path / "out"
    for count in (3, 2, 4):
        house.batch(*house.some(count))
    assert names(export(house.store, ISSUER, out, rows=5)) == [(1, 5), (6, 9)]
    assert names(export(house.store, ISSUER, out, rows=5)) == []
    house.batch(*house.some(1))
    house.store.append(house.some(1))  # in no batch yet
    assert names(export(house.store, ISSUER, out)) == [(10, 10)]
    assert names(segments(out, ISSUER)) == [(1, 5), (6, 9), (10, 10)]


def test_a_segment_that_is_gone(house: House, tmp_path: Path) -> None:
    out = tmp_path / "out"
    for _ in range(3):
        house.batch(*house.some(1))
        list(export(house.store, ISSUER, out))
    segments(out, ISSUER)[1].path.unlink()
    with pytest.raises(LedgerError, match="begins at row 3"):
        segments(out, ISSUER)


def test_rows_that_are_gone(house: House, tmp_path: Path) -> None:
    house.batch(row(), row())
    house.store.prune(ISSUER, 1)
    with pytest.raises(LedgerError, match="not all there"):
        list(export(house.store, ISSUER, tmp_path / "out"))
    assert [one.name for one in folder_of(tmp_path / "out", ISSUER).iterdir()] == ["lock"]


def test_two_who_export_at_once(house: House, tmp_path: Path) -> None:
    """One of them is told so: two files with some of the same rows would be in the way for ever."""
    house.batch(row())
    first = export(house.store, ISSUER, tmp_path / "out", rows=1)
    house.batch(row(issued_at=T + 10))
    next(first)
    with pytest.raises(LedgerError, match="another process exports"):
        list(export(house.store, ISSUER, tmp_path / "out"))
    assert names(first) == [(2, 2)]
    assert names(export(house.store, ISSUER, tmp_path / "out")) == []


def test_what_a_killed_export_has_left(house: House, tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "out", ISSUER)
    folder.mkdir(parents=True)
    left = folder / ".000000000001-000000000001.parquet.x.part"
    left.write_bytes(b"half")
    house.batch(row())
    assert names(export(house.store, ISSUER, tmp_path / "out")) == [(1, 1)]
    assert not left.exists()


def test_many_small_batches(house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the log says of each is in the file: so there may not be too many of them."""
    monkeypatch.setattr("immure.ledger.segments.BATCHES", 3)
    for _ in range(7):
        house.batch(*house.some(1))
    assert names(export(house.store, ISSUER, tmp_path / "out")) == [(1, 3), (4, 6), (7, 7)]


def test_pruned_before_the_first_export(house: House, tmp_path: Path) -> None:
    for _ in range(3):
        house.batch(*house.some(2))
    prune(house.store, ISSUER, 2)
    assert names(export(house.store, ISSUER, tmp_path / "out")) == [(3, 6)]


def test_pruned_what_was_not_exported(house: House, tmp_path: Path) -> None:
    """There is a hole then, and it is not passed over in silence."""
    house.batch(*house.some(2))
    list(export(house.store, ISSUER, tmp_path / "out"))
    for _ in range(2):
        house.batch(*house.some(2))
    prune(house.store, ISSUER, 4)
    with pytest.raises(LedgerError, match="not all there"):
        list(export(house.store, ISSUER, tmp_path / "out"))


def test_a_segment_under_another_name(house: House, tmp_path: Path) -> None:
    house.batch(row(), row())
    (segment,) = export(house.store, ISSUER, tmp_path / "out")
    other = segment.path.with_name("000000000003-000000000004.parquet")
    segment.path.rename(other)
    with pytest.raises(LedgerError, match="not named"):
        check_segment(other)


def _altered(table: Any, what: str) -> Any:
    import pyarrow as pa

    if what == "a row changed":
        subjects = table.column("sub").to_pylist()
        place = table.schema.get_field_index("sub")
        return table.set_column(place, "sub", pa.array(["eve", *subjects[1:]]))
    if what == "a row removed":
        return table.slice(1)
    if what == "a row added":
        return pa.concat_tables([table, table.slice(0, 1)])
    if what == "a digest that is none":
        place = table.schema.get_field_index("digest")
        return table.set_column(place, "digest", pa.array([b"x"] * table.num_rows))
    if what == "a column missing":
        return table.drop_columns(["kid"])
    return table.replace_schema_metadata({b"immure.ledger": b"[" if what == "no batches" else b'[{"a":1}]'})


ALTERED = [
    ("a row changed", "not those"),
    ("a row removed", "not those"),
    ("a row added", "in no batch"),
    ("a digest that is none", "cannot be read"),
    ("a column missing", "cannot be read"),
    ("no batches", "no segment"),
    ("other batches", "not that of a batch"),
]


@pytest.mark.parametrize(("what", "words"), ALTERED)
def test_altered_segments(house: House, tmp_path: Path, what: str, words: str) -> None:
    house.batch(row(), row(), row())
    (segment,) = export(house.store, ISSUER, tmp_path / "out")
    table = pq.read_table(segment.path)
    pq.write_table(_altered(table, what), segment.path)
    with pytest.raises(LedgerError, match=words):
        check_segment(segment.path)


@settings(max_examples=30, deadline=None)
@given(st.binary(max_size=200), st.integers(0, 2000))
def test_any_bytes(tmp_path_factory: pytest.TempPathFactory, junk: bytes, place: int) -> None:
    """A file that is none, or a segment with bytes of it overwritten."""
    directory = tmp_path_factory.mktemp("segment")
    house = House(directory)
    house.batch(row(), row())
    (segment,) = export(house.store, ISSUER, directory / "out")
    whole = segment.path.read_bytes()
    place %= len(whole)
    segment.path.write_bytes(whole[:place] + junk + whole[place + len(junk) :])
    with suppress(LedgerError):  # where nothing of it matters
        check_segment(segment.path)
    segment.path.write_bytes(junk)
    with pytest.raises(LedgerError):
        check_segment(segment.path)
    house.store.close()


def test_how_long() -> None:
    day = timedelta(days=1)
    assert needed(key_life=60 * day, token_life=day, lag=700 * day) == 761 * day
    with pytest.raises(LedgerError):
        needed(key_life=-day, token_life=day, lag=day)


def test_what_may_go(house: House) -> None:
    def at(seconds: int) -> datetime:
        return datetime.fromtimestamp(T + seconds, UTC)

    house.batch(row(issued_at=T), row(issued_at=T))
    house.batch(row(issued_at=T + 9))
    house.batch(row(issued_at=T + 30))  # its clock is ahead
    assert [prunable(house.store, ISSUER, at(s)) for s in (-9, 0, 4, 9, 10, 29, 31)] == [0, 0, 2, 2, 3, 3, 4]
    house.store.append([row(issued_at=T + 40)])
    assert prunable(house.store, ISSUER, at(4000)) == 4
