"""Accepted minus issued, window by window.

What cannot be judged yet is kept in a file of its own, and looked up again when the ledger knows more. So the
work of a run is that of the rows that came in, and not of all that ever did.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count, pairwise
from pathlib import Path
from typing import Any

from immure.detections.engine import Engine, quoted
from immure.detections.ledger_side import IssuerSide
from immure.detections.libraries import library
from immure.detections.reconcile_sql import (
    VERDICTS,
    accepted_sql,
    bare_ones_sql,
    bare_sql,
    judged_sql,
    missing_sql,
    untimed_sql,
)
from immure.detections.windows import ROWS, Group, cut, footers, split

#: Before and after all times that a token can state.
_FIRST, _LAST = -(1 << 62), 1 << 62
Told = Callable[[int, int], None]


@dataclass(slots=True)
class Reconciled:
    """What came out.

    Attributes:
        verdicts: how many accepted tokens have which (:data:`~immure.detections.reconcile_sql.VERDICTS`).
        windows: how many windows of time it took.
        files: Parquet files with every token that was not found, and its verdict (column ``finding``).
        bare: files of the same columns with acceptances without a digest, of whose issuer, second and subject
            there is no row: weak. Their verdict, unknown, is in ``files``.
    """

    verdicts: Counter[str] = field(default_factory=Counter)
    windows: int = 0
    files: list[Path] = field(default_factory=list)
    bare: list[Path] = field(default_factory=list)


def reconcile(
    engine: Engine,
    accepted: Sequence[str],
    sides: Mapping[str, IssuerSide],
    target: Callable[[int], Path],
    *,
    rows: int = ROWS,
    told: Told | None = None,
) -> Reconciled:
    """Look accepted tokens up.

    Args:
        engine: to work with.
        accepted: Parquet files of acceptances.
        sides: what the ledger knows, by issuer (:mod:`immure.detections.ledger_side`).
        target: where the file of the n-th window is written.
        rows: issued tokens of a window.
        told: how many windows were looked at, and how many there are.

    Raises:
        DetectionError: the engine cannot.
    """
    made = Reconciled()
    if not accepted:
        return made
    declare(engine, sides)
    files = sorted({path for side in sides.values() for path in side.files})
    theirs, mine = _Files(files), _Files(accepted)
    ends = _ends(cut(_within(theirs.groups(), mine.groups()), most=rows))
    ends = split(ends, mine.groups(), most=2 * rows)
    names = count(0)
    for number, bounds in enumerate(pairwise(ends), start=1):
        if found := mine.meet(*bounds):
            _window(engine, made, bounds, found, theirs.meet(*bounds), sides, lambda: target(next(names)))
        if told is not None:
            told(number, len(ends) - 1)
    engine.files("accepted", accepted)
    _write(engine, made, untimed_sql(), target(next(names)))
    return made


class _Files:
    """Parquet files, and the times of their row groups, which are read once."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._groups = {path: footers([path]) for path in paths}

    def groups(self) -> list[Group]:
        """Of all files."""
        return [group for groups in self._groups.values() for group in groups]

    def meet(self, low: int, high: int) -> list[str]:
        """The files that may have something of a window."""
        return [
            path
            for path, groups in self._groups.items()
            if any(least < high and low <= greatest for least, greatest, _ in groups)
        ]


def _ends(ends: list[int]) -> list[int]:
    """Boundaries that leave no time out: tokens may say that they are from any."""
    inner = ends[1:-1] if len(ends) > 1 else []
    return [_FIRST, *inner, _LAST]


def _within(issued: Sequence[Group], accepted: Sequence[Group]) -> list[Group]:
    """Row groups of the ledger of whose time anything was accepted."""
    low = min((least for least, _, _ in accepted), default=0)
    high = max((greatest for _, greatest, _ in accepted), default=0)
    return [one for one in issued if one[0] <= high and low <= one[1]]


def _window(
    engine: Engine,
    made: Reconciled,
    bounds: tuple[int, int],
    accepted: Sequence[str],
    issued: Sequence[str],
    sides: Mapping[str, IssuerSide],
    target: Callable[[], Path],
) -> None:
    engine.files("accepted", accepted)
    bind_issued(engine, issued, sides)
    (named,) = engine.one(accepted_sql(*bounds))
    (bare,) = engine.one(bare_ones_sql(*bounds))
    made.windows += 1
    if named:
        found = _missing(engine, missing_sql(*bounds))
        made.verdicts["issued"] += named - (found and _write(engine, made, judged_sql("missing"), target()))
    if bare and _missing(engine, bare_sql(*bounds)):
        made.bare.append(target())
        _copy(engine, judged_sql("missing"), made.bare[-1])
    engine.run("DROP TABLE IF EXISTS missing")


def _missing(engine: Engine, sql: str) -> int:
    """The table ``missing``: tokens that were not found. Returns how many rows it has."""
    engine.run(f"CREATE OR REPLACE TEMP TABLE missing AS {sql}")
    return int(engine.one("SELECT count(*) FROM missing")[0])


def _copy(engine: Engine, sql: str, target: Path) -> None:
    engine.run(f"COPY ({sql}) TO {quoted(str(target))} (FORMAT parquet, COMPRESSION zstd)")


def _write(engine: Engine, made: Reconciled, sql: str, target: Path) -> int:
    """Write the rows of an answer down, and count their verdicts, those that came twice once."""
    _copy(engine, sql, target)
    source = f"read_parquet({quoted(str(target))})"
    counts = dict(engine.rows(f"SELECT finding, count(DISTINCT record_id) FROM {source} GROUP BY finding"))  # noqa: S608
    if not counts:
        target.unlink(missing_ok=True)
        return 0
    assert counts.keys() <= VERDICTS.keys()  # noqa: S101 - the SQL has no others
    made.verdicts.update(counts)
    made.files.append(target)
    return sum(counts.values())


def declare(engine: Engine, sides: Mapping[str, IssuerSide]) -> None:
    """Tell the engine what the ledger knows: the tables ``watermarks``, ``gaps`` and ``backfilled``."""
    arrow = library("pyarrow")
    known = [side for side in sides.values() if side.watermark]
    marks = [(side.issuer, side.known_from, side.watermark) for side in known]
    gaps = [(side.issuer, start, end) for side in sides.values() for start, end, _ in side.gaps]
    back = [(side.issuer, one) for side in sides.values() for facts in side.facts for one in facts.backfilled]
    number, text = arrow.int64(), arrow.string()
    for name, rows, columns in (
        ("watermarks", marks, {"iss": text, "known_from": number, "watermark": number}),
        ("gaps", gaps, {"iss": text, "gap_from": number, "gap_to": number}),
        ("backfilled", back, {"iss": text, "seq": number}),
    ):
        engine.table(name, _table(arrow, rows, columns))


def _table(arrow: Any, rows: Sequence[tuple[Any, ...]], columns: Mapping[str, Any]) -> Any:
    cells = list(zip(*rows, strict=True)) if rows else [()] * len(columns)
    arrays = [arrow.array(cell, kind) for cell, kind in zip(cells, columns.values(), strict=True)]
    return arrow.Table.from_arrays(arrays, names=list(columns))


def bind_issued(engine: Engine, files: Sequence[str], sides: Mapping[str, IssuerSide]) -> None:
    """Call rows of the ledger ``issued``, without those that were put in afterwards."""
    if not files:
        engine.run(
            "CREATE OR REPLACE TEMP VIEW issued AS "
            "SELECT NULL::BLOB AS digest, NULL::VARCHAR AS iss, NULL::VARCHAR AS sub, NULL::BIGINT AS iat "
            "WHERE false"
        )
        return
    if any(facts.backfilled for side in sides.values() for facts in side.facts):
        engine.files(
            "issued", files,
            where="NOT EXISTS (SELECT 1 FROM backfilled b WHERE b.iss = file.iss AND b.seq = file.seq)",
        )  # fmt: skip
    else:
        engine.files("issued", files)
