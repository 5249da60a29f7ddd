"""What the ledger says of accepted tokens: those that it never issued, and those of which it cannot tell."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from immure.detections.engine import Engine
from immure.response.radius import Interval
from immure.scanning.report.words import count_words

_FORGED: Final = """
CREATE OR REPLACE TEMP TABLE forged AS
SELECT DISTINCT digest FROM verdicts WHERE finding = 'forged' AND digest IS NOT NULL"""
_UNDECIDED: Final = """
SELECT coalesce(tenant, ''), count(*), min(epoch_us(time)) // 1000000, max(epoch_us(time)) // 1000000
FROM {source} AND {key} AND {span} GROUP BY 1"""
_GAP: Final = "of a time of which the ledger lost rows"
_WAITING: Final = (
    "that the ledger cannot judge: after its watermark, before its first row, or without a digest"
)


def bind_forged(engine: Engine, verdicts: Sequence[str]) -> None:
    """Make the table ``forged``: digests of tokens that were never issued.

    Args:
        verdicts: files of verdicts of :mod:`immure.detections`.
    """
    if verdicts:
        engine.files("verdicts", verdicts)
        engine.run(_FORGED)
    else:
        engine.run("CREATE OR REPLACE TEMP TABLE forged (digest BLOB)")


def undecided(
    engine: Engine, verdicts: Sequence[str], waiting: Sequence[str], key: str, span: str
) -> Iterator[tuple[str, Interval]]:
    """Tenants, and when tokens of the key were accepted there that may be forged.

    Args:
        verdicts: as of :func:`bind_forged`.
        waiting: files of acceptances that are not judged yet.
        key, span: which rows are of the key and the time, as SQL.
    """
    for files, name, source, words in (
        (verdicts, "verdicts", "verdicts WHERE finding <> 'forged'", _GAP),
        (waiting, "waiting", "waiting WHERE true", _WAITING),
    ):
        if files:
            engine.files(name, files)
            rows = engine.rows(_UNDECIDED.format(source=source, key=key, span=span))
            for tenant, count, first, last in rows:
                yield tenant, Interval(first, last + 1, f"{count_words(count, 'acceptance')} {words}")
