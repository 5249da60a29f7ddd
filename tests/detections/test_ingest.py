from __future__ import annotations

from pathlib import Path

import pyarrow.parquet
import pytest

from detections.test_reconcile import digest
from immure.detections import ingest
from immure.detections.ingest import take_in
from immure.detections.records import Acceptance, NotUnderstood, batch_of
from immure.detections.sources.chunk import Chunk
from immure.detections.state import State
from immure.errors import InputError


def chunk(number: int, moments: list[int]) -> Chunk:
    rows = [
        Acceptance(time=n, source="x", record_id=f"{number}-{n}", verdict="accepted", digest=digest(1), iat=n)
        for n in moments
    ]
    odd = NotUnderstood(source="x", file="f", offset=number, line=1, reason="json")
    read = len(rows) + 3
    batch = batch_of("acceptance", rows)
    return Chunk("x", "f", {"acceptance": batch}, read, (odd,), {"health": 2}, f"after {number}")


def test_everything_that_was_read_is_accounted_for(tmp_path: Path) -> None:
    with State(tmp_path / "state") as state:
        assert take_in(state, "f", [chunk(1, [9, 3]), chunk(2, [5])]) == 3
        assert state.position("f") == "after 2"
        counts = state.counts()["x"]
        assert counts == {"read": 9, "lost": 2, "rows.acceptance": 3, "passed-over.health": 4}
        assert counts["read"] == counts["rows.acceptance"] + counts["lost"] + counts["passed-over.health"]
        assert [(one.count, one.offset) for one in state.odd()] == [(2, 1)]
        (part,) = state.parts("acceptance")
        assert pyarrow.parquet.read_table(state.path(part.name))["iat"].to_pylist() == [3, 5, 9]


def test_rows_come_in_bounded_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest, "ROWS", 4)
    with State(tmp_path / "state") as state:
        assert take_in(state, "f", (chunk(number, [1, 2, 3]) for number in range(5))) == 15
        assert [part.rows for part in state.parts("acceptance")] == [6, 6, 3]


def test_a_source_that_breaks_off_keeps_what_was_read(tmp_path: Path) -> None:
    def broken() -> object:
        yield chunk(1, [1])
        raise InputError("broken", path="f")

    with State(tmp_path / "state") as state:
        with pytest.raises(InputError):
            take_in(state, "f", broken())  # type: ignore[arg-type]
        assert state.position("f") == "after 1"
        assert [part.rows for part in state.parts("acceptance")] == [1]
