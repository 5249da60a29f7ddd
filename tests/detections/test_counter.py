from __future__ import annotations

from pathlib import Path

import pytest

from immure.detections.counter import Reading, counter_findings, judged, read_readings
from immure.detections.rule_files import built_in
from immure.errors import InputError

RULE = next(rule for rule in built_in() if rule.id == "signatures-without-rows")


def test_readings_are_sorted_by_key_and_time(tmp_path: Path) -> None:
    path = tmp_path / "counter.csv"
    path.write_text("kid,time,count\nk2,5,1\nk1,2026-01-01T00:00:00Z,9\nk1,100,3\n")
    assert read_readings(path) == [Reading("k1", 100, 3), Reading("k1", 1767225600, 9), Reading("k2", 5, 1)]


@pytest.mark.parametrize(
    "text",
    [
        "kid,time\nk1,5\n",
        "kid,time,count\nk1,yesterday,5\n",
        "kid,time,count\nk1,5,many\n",
        "kid,time,count\nk1,5,-1\n",
        "kid,time,count\n,5,1\n",
        "kid,time,count\nk1\n",
        "kid,time,count\nk1,2026-01-01T00:00:00,1\n",
    ],
)
def test_what_is_no_reading_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "counter.csv"
    path.write_text(text)
    with pytest.raises(InputError, match="line 2 is no reading"):
        read_readings(path)


def test_what_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "counter.csv"
    path.write_bytes(b"kid,time,count\n\xff,1,1\n")
    with pytest.raises(InputError, match="is no CSV in UTF-8"):
        read_readings(path)
    with pytest.raises(InputError, match="No such file"):
        read_readings(tmp_path / "none")


def test_signatures_are_held_against_rows_of_their_time() -> None:
    readings = [Reading("k1", time, count) for time, count in ((100, 0), (200, 4), (300, 9), (400, 11))]
    rows = [110, 120, 130, 140, 250, 260, 305, 310, 320]

    def counted(kid: str, low: int, high: int) -> int:
        return sum(low <= moment < high for moment in rows)

    found = list(counter_findings(RULE, readings, counted, watermark=lambda kid: 350))
    assert [(one.keys["from"], one.keys["to"]) for one in found] == [("200", "300")]
    assert found[0].reason == "5 signatures, and the ledger has 3 rows at most for that time"
    assert judged(readings, watermark=lambda kid: 350) == (2, 1)
