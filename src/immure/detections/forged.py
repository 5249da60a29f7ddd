"""Forged tokens as findings: one for each token, however often and wherever it was used.

Acceptances without a digest of which the ledger has no row either are findings of another rule, and weak: for
want of the token's name, one for each issuer, subject and second.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final, Literal

from immure.detections.engine import Engine
from immure.detections.finding import MOST_RECORDS, Finding
from immure.detections.row_rules import worded
from immure.detections.rule import Rule

#: Uses of forged tokens that are taken up one by one; more are counted, and are in the files of verdicts.
MOST_FORGED: Final = 100_000
_FACTS: Final = ("iss", "kid", "sub", "tenant", "client", "iat", "relying_party", "ip")
_USES: Final = """
SELECT {keys}, record_id, epoch_us(min(time)), {facts}
FROM {table} WHERE finding = 'forged' GROUP BY {keys}, record_id
ORDER BY min(time), record_id LIMIT {most}"""
Hear = Callable[[str, str], bool]


def forged_findings(engine: Engine, rule: Rule, hear: Hear) -> Iterator[Finding]:
    """What is to be said of the tokens that the table ``verdicts`` calls forged.

    Args:
        hear: notes a record under the rule's id, and says whether it was not noted before: what came twice
            counts once.
    """
    yield from _findings(engine, rule, hear, "verdicts", ("digest",), "strong")


def rowless_findings(engine: Engine, rule: Rule, hear: Hear) -> Iterator[Finding]:
    """What is to be said of the acceptances without a digest in the table ``bare``; see the module."""
    yield from _findings(engine, rule, hear, "bare", ("iss", "sub", "iat"), "weak")


def _findings(
    engine: Engine,
    rule: Rule,
    hear: Hear,
    table: str,
    names: tuple[str, ...],
    strength: Literal["strong", "weak"],
) -> Iterator[Finding]:
    made: dict[tuple[str, ...], tuple[dict[str, str], list[str], list[int]]] = {}
    facts = ", ".join(f"any_value({name}) AS a_{name}" for name in _FACTS)
    sql = _USES.format(keys=", ".join(names), facts=facts, table=table, most=MOST_FORGED)
    for row in engine.rows(sql):
        keys, (record, moment, *values) = row[: len(names)], row[len(names) :]
        if hear(rule.id, record):
            named: dict[str, Any] = dict(zip(_FACTS, values, strict=True))
            shown = {name: str(value) for name, value in named.items() if value is not None}
            _, records, moments = made.setdefault(tuple(map(_text, keys)), (shown, [], []))
            records.append(record)
            moments.append(moment)
    for texts, (shown, records, moments) in made.items():
        yield Finding(
            rule.id,
            rule.severity,
            rule.title,
            keys=dict(zip(names, texts, strict=True)),
            reason=worded(rule.reason, shown),
            strength=strength,
            count=len(records),
            first=min(moments),
            last=max(moments),
            records=tuple(records[:MOST_RECORDS]),
            facts=shown,
        )


def _text(value: Any) -> str:
    return bytes(value).hex() if isinstance(value, (bytes, bytearray, memoryview)) else str(value)
