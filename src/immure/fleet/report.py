"""The account of a run, for programs and for people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, TextIO

from immure.fleet.account import Account, ImageAccount, RangeRecord
from immure.fleet.run import FleetReport
from immure.scanning.report.json import encoded, to_json
from immure.scanning.report.words import bytes_words, count_words, visible

#: Lost ranges that are listed on a terminal.
_LISTED: Final = 20


def write_json(report: FleetReport, stream: TextIO) -> None:
    """A scan report (``scan-report-1``) with one more member, ``fleet``."""
    for piece in encoded({**to_json(report.scan), "fleet": account_json(report.account)}):
        stream.write(piece)
    stream.write("\n")


def account_json(account: Account) -> dict[str, Any]:
    """The account as plain values."""
    return {
        "engine": account.engine,
        "totals": account.totals(),
        "images": (_image(image) for image in account.images),
    }


def _image(image: ImageAccount) -> dict[str, Any]:
    return {
        "path": image.path,
        "size": image.size,
        "searched_bytes": image.searched_bytes,
        "fault": image.fault,
        "ranges": (_range(one) for one in image.ranges),
    }


def _range(one: RangeRecord) -> dict[str, Any]:
    return {
        "stage": one.stage,
        "start": one.start,
        "stop": one.stop,
        "outcome": one.outcome,
        "attempts": one.attempts,
        "discarded": one.discarded,
        "reason": one.reason or None,
    }


def account_lines(account: Account) -> Iterator[str]:
    """What people want to know of the run."""
    totals = account.totals()
    searched = bytes_words(totals["searched_bytes"])
    yield (
        f"{visible(account.engine)}: {searched} searched, each byte once, in"
        f" {count_words(totals['ranges'], 'task')} with {count_words(totals['attempts'], 'attempt')}"
    )
    workers = count_words(totals["workers_seen"], "worker")
    lost = f", {totals['workers_lost']:,} lost" if totals["workers_lost"] else ""
    discarded = totals["discarded"]
    yield f"{workers}{lost}" + (
        f"; {count_words(discarded, 'answer')} came twice and counted once" * bool(discarded)
    )
    gone = account.lost
    for path, one in gone[:_LISTED]:
        how = "quarantined" if one.outcome == "quarantined" else "failed"
        yield (
            f"{how}: {one.stage} of bytes {one.start:,} to {one.stop:,} of {visible(path)}"
            f" after {count_words(one.attempts, 'attempt')}: {visible(one.reason)}"
        )
    if len(gone) > _LISTED:
        yield f"… and {len(gone) - _LISTED:,} more; --format json lists them all"
