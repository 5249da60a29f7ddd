"""What is said of segments: up to when they are complete, and where not. And encoders, there and back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from immure.auditlog.canonical import MAX_INTEGER, canonical, parse_canonical
from immure.ledger.batch import Batch
from immure.ledger.declaring import declare_gap
from immure.ledger.errors import LedgerError
from immure.ledger.gap import Gap
from immure.ledger.manifest import Manifest, check_manifest, parse_manifest, read_manifest
from immure.ledger.retention import prune
from immure.ledger.row import END_OF_TIME, Issued
from immure.ledger.segments import check_segment, export, folder_of, read_segment, segments
from ledger.making import ISSUER, House, T
from ledger.test_gap import lose
from ledger.test_row import rows

pytest.importorskip("pyarrow", reason="NOT TESTED: pyarrow is not installed")


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def exported(house: House, out: Path) -> Manifest:
    list(export(house.store, ISSUER, out))
    made = read_manifest(folder_of(out, ISSUER))
    assert made is not None
    batches = {one.entry: one for one in house.store.batches(ISSUER) if one.entry is not None}
    check_manifest(made, batches, house.checked()[ISSUER].gaps, "x")
    return made


def test_it_follows_the_watermark(house: House, tmp_path: Path) -> None:
    """Also of batches without rows, which no segment has."""
    out = tmp_path / "out"
    house.batch(*house.some(3))
    made = exported(house, out)
    assert (made.first, made.last, made.watermark, made.batch, made.forgotten, made.gaps) == (
        1, 3, T - 5, 0, 0, (),
    )  # fmt: skip
    house.times.go(100)
    house.batch()
    assert exported(house, out).watermark == T + 105
    house.store.append(house.some(2))  # in no batch yet
    assert exported(house, out).last == 3
    house.batch(*house.some(1))
    made = exported(house, out)
    assert (made.last, made.batch) == (6, 2)


def test_there_is_none_before_the_log_has_a_batch(house: House, tmp_path: Path) -> None:
    house.store.append(house.some(2))
    list(export(house.store, ISSUER, tmp_path / "out"))
    assert read_manifest(folder_of(tmp_path / "out", ISSUER)) is None


def test_no_rows_at_all(house: House, tmp_path: Path) -> None:
    house.store.close_until(ISSUER, T - 9)
    house.batch()
    made = exported(house, tmp_path / "out")
    assert (made.first, made.last, made.watermark) == (1, 0, T - 5)


def test_gaps_are_in_it(house: House, tmp_path: Path) -> None:
    """Who has only segments must not call a token forged that was lost."""
    out = tmp_path / "out"
    lose(house)
    gap = declare_gap(house.store, house.log, ISSUER, reason="disk lost", end=house.now())
    house.batch(*house.some(2))
    made = exported(house, out)
    assert [one.body() for one in made.gaps] == [gap.body()]
    assert made.last == 10
    assert made.watermark >= gap.end
    assert [(one.first, one.last) for one in segments(out, ISSUER, gaps=made.gaps)] == [(1, 3), (9, 10)]


def test_a_gap_that_is_declared_after_the_export(house: House, tmp_path: Path) -> None:
    out = tmp_path / "out"
    house.batch(*house.some(2))
    assert exported(house, out).gaps == ()
    house.times.go(60)
    declare_gap(house.store, house.log, ISSUER, reason="took over", end=house.now())
    house.batch(*house.some(1))
    assert [one.reason for one in exported(house, out).gaps] == ["took over"]


def test_pruned_before_the_first_export(house: House, tmp_path: Path) -> None:
    house.batch(*house.some(2))
    house.batch(*house.some(2))
    prune(house.store, ISSUER, 2)
    made = exported(house, tmp_path / "out")
    assert (made.first, made.last, made.forgotten) == (3, 4, T + 1)


def test_pruned_after_the_export(house: House, tmp_path: Path) -> None:
    """The segments have the rows: nothing is forgotten there."""
    out = tmp_path / "out"
    house.batch(*house.some(2))
    exported(house, out)
    house.batch(*house.some(2))
    prune(house.store, ISSUER, 2)
    made = exported(house, out)
    assert (made.first, made.last, made.forgotten) == (1, 4, 0)


def test_segments_that_were_taken_away(house: House, tmp_path: Path) -> None:
    """They are written again; the manifest of before is not believed."""
    out = tmp_path / "out"
    house.batch(*house.some(2))
    house.batch(*house.some(2))
    exported(house, out)
    for one in segments(out, ISSUER):
        one.path.unlink()
    assert exported(house, out).last == 4
    assert segments(out, ISSUER)[0].first == 1


def test_killed_between_segment_and_manifest(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    house.batch(*house.some(2))
    exported(house, out)
    house.batch(*house.some(2))
    with monkeypatch.context() as patch:
        patch.setattr("immure.ledger.segments.write_manifest", _killed)
        with pytest.raises(KeyboardInterrupt):
            list(export(house.store, ISSUER, out))
    before = read_manifest(folder_of(out, ISSUER))
    assert before is not None
    assert before.last == 2  # older, not wrong
    assert exported(house, out).last == 4


def _killed(*_: Any) -> None:
    raise KeyboardInterrupt


GOOD = Manifest(ISSUER, 1, 2, 3, 0, 0, 0, (Gap(ISSUER, 1, 2, 1, 0, "x"),)).plain()
BAD = [
    (b"", "no JSON"),
    (b"[" * 100_000, "no JSON"),
    (b"[]", "not the manifest"),
    ({"version": 2}, "not the manifest"),
    ({"more": 1}, "not the manifest"),
    ({"first": "1"}, "number"),
    ({"last": True}, "number"),
    ({"watermark": -1}, "number"),
    ({"entry": MAX_INTEGER + 1}, "number"),
    ({"last": -1}, "number"),
    ({"first": 9}, "no issuer"),
    ({"issuer": ""}, "no issuer"),
    ({"gaps": {}}, "no issuer"),
    ({"gaps": [1]}, "gap"),
    ({"gaps": [{}]}, "gap"),
]


@pytest.mark.parametrize(("change", "words"), BAD)
def test_files_that_are_no_manifests(change: Any, words: str) -> None:
    data = change if isinstance(change, bytes) else json.dumps({**GOOD, **change}).encode()
    with pytest.raises(LedgerError, match=words):
        parse_manifest(data)


numbers = st.integers(0, MAX_INTEGER)
issuers = st.text(min_size=1, max_size=40).filter(
    lambda text: text.encode("utf-8", "ignore").decode() == text
)
hashes = st.binary(min_size=32, max_size=32)
batches = st.builds(
    lambda issuer, number, first, count, watermark, root, previous: Batch(
        issuer, number, first, min(first - 1 + count, MAX_INTEGER), watermark, root, previous, 7
    ),
    issuers, numbers, st.integers(1, MAX_INTEGER), st.integers(0, 1 << 40), numbers, hashes, hashes,
)  # fmt: skip
gaps = st.builds(
    lambda issuer, start, length, first, count, reason: Gap(
        issuer, start, start + length, first, first - 1 + count, reason, 7
    ),
    issuers, st.integers(0, END_OF_TIME - 1000), st.integers(1, 999), st.integers(1, 1 << 40),
    st.integers(0, 1 << 40), st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=30),
)  # fmt: skip


@given(batches)
def test_batches_and_back(batch: Batch) -> None:
    body: Any = parse_canonical(canonical(batch.body()))
    assert Batch.from_body(body, 7) == batch


@given(gaps)
def test_gaps_and_back(gap: Gap) -> None:
    body: Any = parse_canonical(canonical(gap.body()))
    assert Gap.from_body(body, 7) == gap


@settings(max_examples=25, deadline=None)
@given(st.lists(rows, min_size=1, max_size=8))
def test_segments_and_back(tmp_path_factory: pytest.TempPathFactory, made: list[Issued]) -> None:
    """Any rows that a ledger takes are the same rows when they are read from a segment."""
    directory = tmp_path_factory.mktemp("segments")
    house = House(directory)
    taken = [Issued(one.digest, ISSUER, one.kid, one.issued_at, one.expires, one.subject, one.audience,
                    one.tenant, one.client, one.session) for one in made]  # fmt: skip
    house.batch(*taken)
    (segment,) = export(house.store, ISSUER, directory / "out")
    assert check_segment(segment.path)
    assert [one for _, one in read_segment(segment.path)[1]] == taken
    house.store.close()
