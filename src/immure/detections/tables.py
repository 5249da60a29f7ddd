"""The names by which rules call rows: ``mail`` and ``signin``, each record once.

A record that came twice, in one file or in two, in one shape or in two, counts once: sources give both the
same ``record_id``. (``acceptance`` is bound by :mod:`immure.detections.key_facts`.)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from immure.detections.engine import Engine
from immure.detections.libraries import library
from immure.detections.records import Kind, schema

#: /24 of IPv4, /48 of IPv6.
NETWORK: Final = (
    "CASE WHEN ip IS NULL THEN NULL "
    "WHEN contains(ip, ':') "
    "THEN regexp_extract(ip, '^([0-9a-fA-F]*:[0-9a-fA-F]*:[0-9a-fA-F]*)', 1) || '::/48' "
    "ELSE regexp_extract(ip, '^([0-9]+[.][0-9]+[.][0-9]+)[.]', 1) || '.0/24' END AS network"
)


def bind(engine: Engine, kind: Kind, files: Sequence[str]) -> int:
    """Call the records of a kind by its name, each of them once; returns how many came twice.

    Raises:
        DetectionError: a file cannot be read.
    """
    raw = f"raw_{kind}"
    if not files:
        engine.table(raw, library("pyarrow").Table.from_batches([], schema=schema(kind)))
    else:
        engine.files(raw, files)
    more = f", {NETWORK}" if kind == "mail" else ""
    engine.run(
        f"CREATE OR REPLACE TEMP TABLE {kind} AS SELECT *{more} FROM {raw} "  # noqa: S608 - names are ours
        "QUALIFY row_number() OVER (PARTITION BY record_id ORDER BY time, source) = 1"
    )
    (rows, distinct) = engine.one(f"SELECT count(*), count(DISTINCT record_id) FROM {raw}")  # noqa: S608
    return int(rows - distinct)
