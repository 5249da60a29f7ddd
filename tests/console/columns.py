"""Files of tokens for the tests of the roll-up, and what is true of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet

from immure.console.rollup import HOUR, Kind, Rollup
from immure.detections.records import Acceptance, batch_of

BEGIN = 1_793_491_200
ISSUER = "https://login.example"


def acceptance(number: int = 0, **changes: Any) -> Acceptance:
    """A token that was accepted at :data:`BEGIN`, plus ``number`` seconds."""
    values: dict[str, Any] = {
        "time": (BEGIN + number) * 1_000_000,
        "source": "acceptance-log",
        "record_id": f"r{number:06}",
        "verdict": "accepted",
        "digest": abs(number).to_bytes(16, "big"),
        "iss": ISSUER,
        "sub": "ada",
        "relying_party": "mail",
        "iat": BEGIN + number,
    }
    return Acceptance(**{**values, **changes})


def accepted(path: Path, rows: Sequence[Acceptance]) -> Path:
    """A file as the detection engine has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pyarrow.parquet.write_table(pyarrow.Table.from_batches([batch_of("acceptance", rows)]), path)
    return path


def table(path: Path, **columns: Any) -> Path:
    """A file of any columns."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pyarrow.parquet.write_table(pyarrow.table(columns), path)
    return path


def truth(rows: Iterable[Acceptance]) -> Counter[tuple[Kind, int]]:
    """How many there are of each kind and hour."""
    return Counter(
        ("accepted" if one.verdict == "accepted" else "refused", one.time // 1_000_000 // HOUR * HOUR)
        for one in rows
    )


def counted(directory: Path) -> Counter[tuple[Kind, int]]:
    """What the roll-up says of the same."""
    with Rollup(directory) as rollup:
        found = rollup.standing()
        if found.first is None or found.last is None:
            return Counter()
        buckets = rollup.series(found.first, found.last + HOUR)
    return Counter(
        {(kind, one.begin): count for one in buckets for kind, count in one.counts.items() if count}
    )


def agrees(directory: Path) -> bool:
    """Whether the hours are the sums of what the files have."""
    with Rollup(directory) as rollup:
        ask = rollup.database.execute
        sums = ask("SELECT kind, hour, sum(count) FROM counts GROUP BY kind, hour ORDER BY 1, 2").fetchall()
        hours = ask("SELECT kind, hour, count FROM hours ORDER BY 1, 2").fetchall()
    return bool(sums == hours)
