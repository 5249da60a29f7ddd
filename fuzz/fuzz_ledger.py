"""Feeds broken rows, batches, gaps, manifests and segments to what reads the issuance ledger."""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from driver import run

from immure.auditlog import AuditLog
from immure.auditlog.canonical import canonical, parse_canonical
from immure.errors import LogError
from immure.ledger.batch import Batch
from immure.ledger.errors import LedgerError
from immure.ledger.gap import Gap
from immure.ledger.manifest import parse_manifest
from immure.ledger.row import Issued, row_from
from immure.ledger.segments import check_segment, export, folder_of, read_segment

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from ledger.making import ISSUER, House, row

PLACE = Path(mkdtemp(prefix="immure-fuzz-"))
HOUSE = House(PLACE)
HOUSE.batch(row(subject="Åse", audience=("a", "b")), row(tenant=""), row(session="\u202e"))
HOUSE.times.go(60)
HOUSE.batch(*HOUSE.some(40))
(SEGMENT,) = export(HOUSE.store, ISSUER, PLACE / "out")
GOOD = dict(HOUSE.store.rows(ISSUER, 1, 100))
BATCHES = list(HOUSE.store.batches(ISSUER))
GAP = Gap(ISSUER, 1, 2, 1, 0, "a reason")
COPY = PLACE / SEGMENT.path.name


def check(data: bytes) -> None:
    """Each reader gives what it promises, or one of our errors."""
    kind, rest = data[:1], data[1:]
    with suppress(LedgerError, LogError):
        if kind == b"p":
            _check_segment(rest)
        elif kind == b"m":
            made = parse_manifest(rest)
            assert parse_manifest(json.dumps(made.plain()).encode()) == made
        elif kind == b"r":
            _check_row(rest)
        else:
            _check_entry(parse_canonical(rest))


def _check_segment(data: bytes) -> None:
    """A segment whose batches are those of the log has the rows of the ledger, whatever was changed in it."""
    COPY.write_bytes(data)
    batches = check_segment(COPY)
    _, rows = read_segment(COPY)
    found = dict(rows)
    for batch in batches:
        if batch in BATCHES:
            assert all(found[number] == GOOD[number] for number in range(batch.first, batch.last + 1))


def _check_row(data: bytes) -> None:
    try:
        cells = json.loads(data)
        issuer, digest, kid, subject, audience, tenant, client, issued_at, expires, session = cells
        others = [kid, subject, audience, tenant, client, issued_at, expires, session]
        digest = bytes.fromhex(digest)
    except (ValueError, TypeError, RecursionError):
        return
    made = row_from(issuer, [digest, *others], "x")
    assert row_from(made.issuer, made.cells(), "x") == made
    plain: Any = parse_canonical(made.leaf(1))
    assert canonical(plain) == made.leaf(1)
    assert isinstance(made, Issued)


def _check_entry(body: Any) -> None:
    for kind in (Batch, Gap):
        with suppress(LedgerError):
            made = kind.from_body(body, 7)
            assert made.body() == body
            assert made.entry == 7


def seeds() -> list[bytes]:
    """One good input of each kind, and what is near to it."""
    rows = [[ISSUER, one.digest.hex(), *one.cells()[1:]] for one in GOOD.values()]
    bodies = [one.body() for one in BATCHES] + [GAP.body()]
    return [
        b"p" + SEGMENT.path.read_bytes(),
        b"m" + (folder_of(PLACE / "out", ISSUER) / "ledger.json").read_bytes(),
        b"m" + json.dumps({"version": 1, "gaps": [GAP.body()]}).encode(),
        *(b"r" + json.dumps(one).encode() for one in rows[:4]),
        *(b"e" + canonical(one) for one in bodies),
    ]


if __name__ == "__main__":
    assert len(AuditLog.open(HOUSE.logs)) == 2
    run(check, seeds())
