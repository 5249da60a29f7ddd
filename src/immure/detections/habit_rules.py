"""Rules that know what is usual: what was seen for the first time, and what is more than ever.

Both are noisy by nature: an honest tenant gets new programs all the time. So they rank, by how rare what they
found is among all mailboxes, and say with each finding why.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from immure.detections.engine import Engine
from immure.detections.finding import Finding
from immure.detections.row_rules import MOST_FINDINGS, condition_of, finding_of
from immure.detections.rule import Rule

_DAY: Final = 86_400_000_000


@dataclass(frozen=True, slots=True)
class Baseline:
    """The time that counts as usual: from the first record up to ``until`` (microseconds since 1970)."""

    begins: int
    until: int

    @property
    def days(self) -> float:
        """How long it is."""
        return (self.until - self.begins) / _DAY


def baseline(engine: Engine, table: str, days: float) -> Baseline | None:
    """The first days of a table; None if all of it is not longer than that."""
    first, last = engine.one(f"SELECT epoch_us(min(time)), epoch_us(max(time)) FROM {table}")  # noqa: S608
    until = None if first is None else first + int(days * _DAY)
    return None if until is None or until > last else Baseline(first, until)


def first_seen(engine: Engine, rule: Rule, known: Baseline) -> Iterator[Finding]:
    """What was seen after the baseline for the first time.

    A rule's parameter ``known`` says how many of the first columns of ``by`` must have been seen before: of a
    user who is new himself it would be no news that all he does is new. ``rare`` says from which column of
    ``by`` on rarity is counted, among the mailboxes of the same ``by[0]``.
    """
    names = list(rule.by)
    need, skip = int(rule.parameters.get("known", 0)), int(rule.parameters.get("rare", 1))
    rare = [names[0], *names[skip:]] if skip < len(names) else names
    sql = _FIRST.format(
        by=", ".join(names),
        rare=", ".join(rare),
        scope=names[0],
        condition=condition_of(rule),
        table=rule.about,
        until=known.until,
        same_rare=_same("k", "r", rare),
        same_scope=_same("k", "s", names[:1]),
        keys=", ".join(f"k.{name}" for name in names),
        before=_seen_before(rule.about, names[:need], known.until),
        most=MOST_FINDINGS + 1,
    )
    for row in engine.rows(sql):
        *values, count, first, last, records, holders, all_holders = row
        score = math.log2((all_holders + 1) / (holders + 1)) + 1
        day = datetime.fromtimestamp(first / 1e6, UTC).date().isoformat()
        reason = (
            f"seen for the first time on {day}, after {known.days:.0f} days without it; in "
            f"{holders:,} of {all_holders:,} mailboxes; {count:,} records"
        )
        yield finding_of(
            rule, values, count=count, first=first, last=last, records=tuple(sorted(records)),
            reason=reason, score=round(score, 2), strength="weak",
        )  # fmt: skip


_FIRST: Final = """
WITH these AS (SELECT *, coalesce(mailbox_id, mailbox, user_id, "user") AS holder
               FROM {table} WHERE {condition}),
keyed AS (SELECT {by}, count(*) AS n, epoch_us(min(time)) AS begun, epoch_us(max(time)) AS ended,
                 list(DISTINCT record_id)[1:10] AS records
          FROM these GROUP BY {by}),
rarity AS (SELECT {rare}, count(DISTINCT holder) AS holders FROM these GROUP BY {rare}),
scopes AS (SELECT {scope}, count(DISTINCT coalesce(mailbox_id, mailbox, user_id, "user")) AS holders
           FROM {table} GROUP BY {scope})
SELECT {keys}, k.n, k.begun, k.ended, k.records, r.holders, s.holders
FROM keyed k JOIN rarity r ON {same_rare} JOIN scopes s ON {same_scope}
WHERE k.begun >= {until} {before}
ORDER BY r.holders, k.n LIMIT {most}"""


def _same(one: str, other: str, names: list[str]) -> str:
    return " AND ".join(f"{one}.{name} IS NOT DISTINCT FROM {other}.{name}" for name in names)


def _seen_before(table: str, names: list[str], until: int) -> str:
    if not names:
        return ""
    return (
        f"AND EXISTS (SELECT 1 FROM {table} b WHERE {_same('k', 'b', names)} "  # noqa: S608
        f"AND epoch_us(b.time) < {until})"
    )


def volume(engine: Engine, rule: Rule) -> Iterator[Finding]:
    """Days on which there was far more than usual.

    Parameters: ``factor``, how many times the median of the days; ``least``, below which nothing is said;
    ``days``, how many days there must be to know what is usual.
    """
    names = ", ".join(rule.by)
    factor, least = rule.parameters.get("factor", 10), rule.parameters.get("least", 200)
    sql = _VOLUME.format(
        by=names,
        table=rule.about,
        condition=condition_of(rule),
        same=_same("d", "u", list(rule.by)),
        keys=", ".join(f"d.{name}" for name in rule.by),
        factor=factor,
        least=least,
        days=int(rule.parameters.get("days", 3)),
        most=MOST_FINDINGS + 1,
    )
    for row in engine.rows(sql):
        *values, day, count, first, last, records, usual = row
        reason = f"{count:,} records on {day}, where {usual:,.0f} are usual"
        made = finding_of(
            rule, values, count=count, first=first, last=last, records=tuple(sorted(records)), reason=reason,
            score=round(math.log2(count / max(usual, 1)), 2), strength="weak",
        )  # fmt: skip
        yield Finding(**{**made.__dict__, "keys": {**made.keys, "day": str(day)}})


_VOLUME: Final = """
WITH daily AS (SELECT {by}, CAST(time AT TIME ZONE 'UTC' AS DATE) AS day, count(*) AS n,
                      epoch_us(min(time)) AS begun, epoch_us(max(time)) AS ended,
                      list(DISTINCT record_id)[1:10] AS records
               FROM {table} WHERE {condition} GROUP BY {by}, day),
usual AS (SELECT {by}, median(n) AS middle, count(*) AS days FROM daily GROUP BY {by})
SELECT {keys}, d.day, d.n, d.begun, d.ended, d.records, u.middle
FROM daily d JOIN usual u ON {same}
WHERE u.days >= {days} AND d.n >= {least} AND d.n > {factor} * u.middle
ORDER BY d.n DESC LIMIT {most}"""
