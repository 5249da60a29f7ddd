"""Tokens over time: what is where, the roll-up of it, and the rows behind an hour."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from immure.clock import Clock, now
from immure.console.rollup import DAY, HOUR, Bucket, Kind, Rollup, RollupError, Share, Standing, add_up
from immure.console.rollup_refresh import Feed, Refreshed, refresh
from immure.console.settings import Settings, TenantSettings
from immure.console.sources.detection_state import DetectionState, Findings
from immure.errors import InputError, UsageError
from immure.ledger.opening import open_ledger

#: What a page shows, by the word in its address: the whole span, and the length of a bucket.
SPANS: Final = {
    "day": (DAY, HOUR),
    "week": (7 * DAY, HOUR),
    "month": (30 * DAY, 6 * HOUR),
    "quarter": (92 * DAY, DAY),
    "year": (366 * DAY, DAY),
}
_FOLDER: Final = "tokens"


@dataclass(frozen=True, slots=True)
class Series:
    """Counts over a span of time.

    Attributes:
        begin, end: of the span, seconds since 1970.
        step: length of a bucket.
        buckets: the oldest first.
        sums: of all of them.
        standing: what the roll-up covers.
    """

    begin: int
    end: int
    step: int
    buckets: tuple[Bucket, ...]
    sums: dict[Kind, int]
    standing: Standing


@dataclass(frozen=True, slots=True)
class Judged:
    """What the detection engine says of acceptances: how many have which verdict, how many wait for one, and
    what was found."""

    verdicts: dict[str, int]
    waiting: int
    findings: Findings


def place_of(console: Settings, tenant: TenantSettings) -> Path:
    """The directory of a tenant's roll-up; raises UsageError if the settings name none."""
    if console.state is None:
        raise UsageError("the settings of the console name no state, in which counts over time would be kept")
    return console.state / tenant.name / _FOLDER


def feeds_of(tenant: TenantSettings) -> list[tuple[Feed, list[Path]]]:
    """The files of a tenant that have rows of tokens; a ledger that is none of files is not among them.

    Raises:
        ImmureError: what the settings name is not there; else its counts would be taken out.
    """
    made: list[tuple[Feed, list[Path]]] = []
    if tenant.ledger is not None and Path(tenant.ledger).is_dir():
        made.append(("issued", _parquet(Path(tenant.ledger))))
    if tenant.accepted is not None:
        made.append(("accepted", _parquet(tenant.accepted)))
    if tenant.findings is not None:
        with DetectionState(tenant.findings) as state:
            parts = state.parts()
        if tenant.accepted is None:  # else the same rows would be counted twice
            made.append(("accepted", list(parts.accepted)))
        made.append(("verdicts", list(parts.verdicts)))
    return made


def refresh_tenant(
    console: Settings,
    tenant: TenantSettings,
    *,
    stop: threading.Event | None = None,
    clock: Clock = now,
) -> Refreshed | None:
    """Bring the roll-up of a tenant up to date; None if it has nothing to count.

    Raises:
        ImmureError: it cannot be.
    """
    feeds, place = feeds_of(tenant), place_of(console, tenant)
    if tenant.ledger is None or Path(tenant.ledger).is_dir():
        return refresh(place, feeds, stop=stop, clock=clock) if feeds else None
    with open_ledger(tenant.ledger) as ledger:
        return refresh(place, feeds, ledger=ledger, stop=stop, clock=clock)


def series(console: Settings, tenant: TenantSettings, span: str, end: int | None) -> Series:
    """Counts over a span.

    Args:
        span: one of :data:`SPANS`.
        end: of the span, seconds since 1970; by default the last hour in which anything happened.

    Raises:
        RollupError: nothing was counted yet, or the roll-up cannot be read.
        UsageError: the settings name no place for it, or the span is none.
    """
    if span not in SPANS:
        raise UsageError(f"no span of time: {span[:20]!a}")
    length, step = SPANS[span]
    with Rollup(place_of(console, tenant)) as rollup:
        standing = rollup.standing()
        last = (standing.last or 0) + HOUR if end is None else end
        stop = max(length, -(-last // step) * step)
        buckets = tuple(rollup.series(stop - length, stop, step))
    return Series(stop - length, stop, step, buckets, add_up(buckets), standing)


def buckets(console: Settings, tenant: TenantSettings, begin: int, end: int, step: int) -> list[Bucket]:
    """Counts of a span that somebody has chosen; raises as :func:`series`."""
    with Rollup(place_of(console, tenant)) as rollup:
        return rollup.series(begin, end, step)


def shares(
    console: Settings, tenant: TenantSettings, kind: Kind, begin: int, end: int, *, most: int = 100
) -> list[Share]:
    """Who the rows of a span are of; raises as :func:`series`."""
    with Rollup(place_of(console, tenant)) as rollup:
        return rollup.shares(kind, begin, end, most=most)


def judged(tenant: TenantSettings, *, rule: str, offset: int, most: int) -> Judged | None:
    """What was found; None if the settings name no state of the detection engine.

    Raises:
        DetectionError: it cannot be read.
    """
    if tenant.findings is None:
        return None
    with DetectionState(tenant.findings) as state:
        found = state.findings(rule=rule, offset=offset, most=most)
        return Judged(state.verdicts(), state.waiting(), found)


def newest(tenant: TenantSettings) -> int | None:
    """The number of the newest finding; None if the settings name no state; raises as :func:`judged`."""
    if tenant.findings is None:
        return None
    with DetectionState(tenant.findings) as state:
        return state.newest()


def counted(console: Settings, tenant: TenantSettings) -> tuple[int, ...] | None:
    """Numbers that differ when something else was counted; None if nothing ever was."""
    try:
        with Rollup(place_of(console, tenant)) as rollup:
            return rollup.stamp()
    except (RollupError, UsageError):
        return None


def _parquet(place: Path) -> list[Path]:
    if place.is_file():
        return [place]
    if not place.is_dir():
        raise InputError("is not there", path=str(place))
    return sorted(one for one in place.rglob("*.parquet") if not one.name.startswith("."))
