"""Rules over single rows, carried out by the engine.

The names ``acceptance``, ``mail`` and ``signin`` must be bound (:mod:`immure.detections.tables`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from immure.detections.engine import Engine
from immure.detections.finding import MOST_RECORDS, Finding
from immure.detections.rule import Rule

#: Findings of one rule in one run; more are counted.
MOST_FINDINGS: Final = 10_000
_PARAMETER: Final = re.compile(r"\$([a-z_]+)")
_PLACE: Final = re.compile(r"\{([a-z_]+)\}")


def condition_of(rule: Rule) -> str:
    """The condition of a rule, with its parameters."""
    return _PARAMETER.sub(
        lambda found: repr(rule.parameters.get(found[1], found[0])).strip("'"), rule.condition
    )


def row_sql(rule: Rule) -> str:
    """Groups of rows that a rule finds: ``by``, count, first, last, records."""
    names = ", ".join(rule.by)
    return (
        f"SELECT {names}, count(DISTINCT record_id), epoch_us(min(time)), epoch_us(max(time)), "  # noqa: S608
        f"list(DISTINCT record_id)[1:{MOST_RECORDS}] "
        f"FROM {rule.about} WHERE {condition_of(rule)} GROUP BY {names} LIMIT {MOST_FINDINGS + 1}"
    )


def row_findings(engine: Engine, rule: Rule) -> Iterator[Finding]:
    """What a rule over rows finds.

    Raises:
        DetectionError: the condition is none that the engine takes.
    """
    for row in engine.rows(row_sql(rule)):
        *values, count, first, last, records = row
        yield finding_of(rule, values, count=count, first=first, last=last, records=tuple(sorted(records)))


def finding_of(rule: Rule, values: list[Any], **more: Any) -> Finding:
    """A finding of a rule.

    Args:
        values: of the columns that ``rule.by`` names.
        more: members of the finding.
    """
    keys = {name: as_text(value) for name, value in zip(rule.by, values, strict=True) if value is not None}
    if "reason" not in more:
        more["reason"] = worded(rule.reason or rule.title, {**keys, "count": str(more.get("count", 1))})
    return Finding(rule.id, rule.severity, rule.title, keys=keys, **more)


def worded(template: str, values: dict[str, str]) -> str:
    """A sentence with values in it.

    >>> worded("{count} tokens of {kid}", {"count": "2"})
    '2 tokens of (none)'
    """
    return _PLACE.sub(lambda found: values.get(found[1], "(none)"), template)


def as_text(value: Any) -> str:
    """A value as findings have it."""
    if isinstance(value, bytes | bytearray):
        return bytes(value).hex()
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return str(value)
