"""Accepted minus issued, over columns drawn by Hypothesis, against a model of three lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from immure.detections.engine import Engine
from immure.detections.ledger_side import IssuerSide, SegmentFacts
from immure.detections.reconcile import reconcile
from immure.detections.records import schema
from immure.detections.windows import cut, footers, split

ISSUERS = ("https://a.example", "https://b.example", "https://none.example")
row = st.tuples(st.integers(0, 15), st.sampled_from(ISSUERS[:2]), st.integers(0, 60))
use = st.tuples(st.integers(0, 15), st.sampled_from(ISSUERS), st.integers(-5, 70))


def write(path: Path, rows: list[dict[str, Any]], kind: Any, group: int) -> str:
    wanted = schema(kind)
    filled = [dict.fromkeys(wanted.names) | one for one in rows]
    nullable = pyarrow.schema([field.with_nullable(True) for field in wanted])
    table = pyarrow.Table.from_pylist(filled, schema=nullable)
    pyarrow.parquet.write_table(table, path, row_group_size=group)
    return str(path)


def digest(number: int) -> bytes:
    return bytes([number]) * 16


def verdict(one: tuple[int, str, int], issued: set[tuple[int, str, int]], side: IssuerSide | None) -> str:
    if one in issued:
        return "issued"
    if side is None:
        return "unknown"
    if one[2] >= side.watermark:
        return "not-yet-known"
    if any(start <= one[2] < end for start, end, _ in side.gaps):
        return "ledger-gap"
    return "unknown" if one[2] < side.known_from else "forged"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Engine]]:
    """An engine for all examples: to begin one takes longer than an example."""
    place = tmp_path_factory.mktemp("windows")
    with Engine(place, threads=1) as engine:
        yield place, engine


@settings(max_examples=25, deadline=None)
@given(
    issued=st.lists(row, max_size=40),
    used=st.lists(use, min_size=1, max_size=40),
    watermark=st.integers(1, 70),
    known_from=st.integers(0, 20),
    gap=st.tuples(st.integers(0, 60), st.integers(1, 20)),
    most=st.integers(3, 50),
    group=st.integers(1, 20),
    backfilled=st.integers(0, 3),
)
def test_verdicts_are_those_of_the_model(
    shared: tuple[Path, Engine],
    issued: list[Any],
    used: list[Any],
    watermark: int,
    known_from: int,
    gap: tuple[int, int],
    most: int,
    group: int,
    backfilled: int,
) -> None:
    scratch, engine = shared
    place = Path(mkdtemp(dir=scratch))
    rows = [
        {"seq": number, "digest": digest(one), "iss": iss, "iat": iat, "kid": "k", "exp": 0}
        for number, (one, iss, iat) in enumerate(issued, start=1)
    ]
    accepted = [
        {
            "record_id": str(number),
            "source": "x",
            "time": number,
            "verdict": "accepted",
            "digest": digest(one),
            "iss": iss,
            "iat": iat,
        }
        for number, (one, iss, iat) in enumerate(used)
    ]
    segment = write(place / "issued.parquet", rows, "issued", group)
    uses = write(place / "accepted.parquet", accepted, "acceptance", group)
    sides = {}
    for issuer in ISSUERS[:2]:
        void = tuple(r["seq"] for r in rows if r["iss"] == issuer)[:backfilled]
        side = IssuerSide(issuer, [segment] if rows else [], known_from, watermark)
        side.gaps = [(gap[0], gap[0] + gap[1], "lost")]
        side.facts = [SegmentFacts(segment, backfilled=void)]
        sides[issuer] = side
    good = {
        (one, iss, iat)
        for number, (one, iss, iat) in enumerate(issued, start=1)
        if number not in sides[iss].facts[0].backfilled
    }
    done = reconcile(engine, [uses], sides, lambda n: place / f"out-{n}.parquet", rows=most)
    assert done.verdicts == Counter(verdict(one, good, sides.get(one[1])) for one in used)
    named = {
        (bytes(one["digest"])[0], one["iss"], one["iat"]): one["finding"]
        for path in done.files
        for one in pyarrow.parquet.read_table(path).to_pylist()
    }
    assert named == {one: verdict(one, good, sides.get(one[1])) for one in used if one not in good}


def test_acceptances_that_cannot_be_looked_up_are_unknown(tmp_path: Path) -> None:
    base = {"source": "x", "time": 1, "verdict": "accepted", "digest": digest(1), "iss": ISSUERS[0], "iat": 5}
    rows = [{**base, "record_id": name, name: None} for name in ("digest", "iss", "iat")]
    rows.append({**base, "record_id": "refused", "verdict": "refused"})
    uses = write(tmp_path / "accepted.parquet", rows, "acceptance", 10)
    sides = {ISSUERS[0]: IssuerSide(ISSUERS[0], [], 0, 100)}
    with Engine(tmp_path, threads=1) as engine:
        done = reconcile(engine, [uses], sides, lambda n: tmp_path / f"out-{n}.parquet")
    assert done.verdicts == {"unknown": 3}


@given(
    st.lists(st.tuples(st.integers(0, 1000), st.integers(0, 50), st.integers(1, 100)), max_size=30),
    st.integers(1, 500),
)
def test_windows_leave_no_time_out(groups: list[tuple[int, int, int]], most: int) -> None:
    spread = [(least, least + wide, rows) for least, wide, rows in groups]
    ends = cut(spread, most=most)
    assert ends == sorted(set(ends))
    if spread:
        assert ends[0] == min(least for least, _, _ in spread)
        assert ends[-1] == max(greatest for _, greatest, _ in spread) + 1
        assert len(ends) <= sum(rows for *_, rows in spread) // most + 2


@given(
    st.lists(st.tuples(st.integers(0, 1000), st.integers(0, 1 << 40), st.integers(1, 100)), max_size=40),
    st.lists(st.integers(-5, 1100), min_size=2, max_size=5, unique=True),
    st.integers(100, 300),
)
def test_windows_are_split_where_much_was_accepted(
    groups: list[tuple[int, int, int]], given_ends: list[int], most: int
) -> None:
    """Whatever times somebody has chosen: between two boundaries no more begin than a window may hold."""
    old = sorted(given_ends)
    spread = [(least, least + wide, rows) for least, wide, rows in groups]
    ends = split(old, spread, most=most)
    assert set(old) <= set(ends)
    assert (ends[0], ends[-1]) == (old[0], old[-1])
    for low, high in pairwise(ends):
        begin = [(least, rows) for least, _, rows in spread if low <= least < high]
        assert len({least for least, _ in begin}) <= 1 or sum(rows for _, rows in begin) <= most


def test_footers_tell_the_times_of_row_groups(tmp_path: Path) -> None:
    rows = [
        {"record_id": str(n), "source": "x", "time": n, "verdict": "accepted", "iat": n, "aud": ["a", "b"]}
        for n in range(6)
    ]
    path = write(tmp_path / "a.parquet", rows, "acceptance", 3)
    assert footers([path]) == [(0, 2, 3), (3, 5, 3)]
