"""Feeds broken segments to the reader of the log of acceptances, and to what repairs them."""

from __future__ import annotations

import hashlib
from pathlib import Path
from tempfile import mkdtemp

from driver import run

from immure.tokens.acceptance.decision import Decision
from immure.tokens.acceptance.errors import AcceptanceRowError
from immure.tokens.acceptance.log import AcceptanceLog
from immure.tokens.acceptance.reader import read_decisions, segments
from immure.tokens.acceptance.recovery import recover
from immure.tokens.acceptance.rows import parse_line, to_line

MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None  # a disk's fsync would take most of the time
PLACE = Path(mkdtemp(prefix="immure-fuzz-", dir=MEMORY))
NAME = "20261125T000000.000000Z-1-00000000.jsonl"


def check(data: bytes) -> None:
    """What is read can be written and read again; what is repaired ends with a whole line, and is sealed."""
    for path in PLACE.iterdir():
        path.unlink()
    (PLACE / f"{NAME}.open").write_bytes(data)
    torn: list[AcceptanceRowError] = []
    before = _read(torn)
    [found] = recover(PLACE)
    left = (PLACE / NAME).read_bytes()
    assert left == data[: data.rfind(b"\n") + 1]
    assert found.torn == len(data) - len(left)
    assert (PLACE / f"{NAME}.sha256").read_text().startswith(hashlib.sha256(left).hexdigest())
    if before is not None:
        assert list(read_decisions(PLACE)) == before
        assert bool(torn) == bool(found.torn)


def _read(torn: list[AcceptanceRowError]) -> list[Decision] | None:
    try:
        rows = list(read_decisions(PLACE, notice=torn.append))
    except AcceptanceRowError:
        return None
    for row in rows:
        assert parse_line(to_line(row)) == row
    return rows


def seeds() -> list[bytes]:
    """A segment with rows of all kinds."""
    place = Path(mkdtemp(prefix="immure-fuzz-"))
    with AcceptanceLog(place) as log:
        for number in range(6):
            log.record(Decision(time=number, digest=bytes(16), subject="ada \u00e4", audience=("a", "b")))
            log.record(Decision(time=1.5, digest=None, rule="token-form", channel="imap", expires=2))
    return [segments(place)[0].read_bytes()]


if __name__ == "__main__":
    run(check, seeds())
