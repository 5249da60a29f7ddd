"""Forged tokens as findings: one for each token, however often and wherever it was used."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from immure.detections.engine import Engine
from immure.detections.finding import MOST_RECORDS, Finding
from immure.detections.row_rules import worded
from immure.detections.rule import Rule

#: Uses of forged tokens that are taken up one by one; more are counted, and are in the files of verdicts.
MOST_FORGED: Final = 100_000
_FACTS: Final = ("iss", "kid", "sub", "tenant", "client", "iat", "relying_party", "ip")
_USES: Final = f"""
SELECT digest, record_id, epoch_us(min(time)), {", ".join(f"any_value({name})" for name in _FACTS)}
FROM verdicts WHERE finding = 'forged' GROUP BY digest, record_id
ORDER BY min(time), record_id LIMIT {MOST_FORGED}"""  # noqa: S608 - names of ours


def forged_findings(engine: Engine, rule: Rule, hear: Callable[[str, str], bool]) -> Iterator[Finding]:
    """What is to be said of the tokens that the table ``verdicts`` calls forged.

    Args:
        hear: notes a record under the rule's id, and says whether it was not noted before: what came twice
            counts once.
    """
    made: dict[bytes, tuple[dict[str, str], list[str], list[int]]] = {}
    for digest, record, moment, *values in engine.rows(_USES):
        if hear(rule.id, record):
            named: dict[str, Any] = dict(zip(_FACTS, values, strict=True))
            facts = {name: str(value) for name, value in named.items() if value is not None}
            _, records, moments = made.setdefault(bytes(digest), (facts, [], []))
            records.append(record)
            moments.append(moment)
    for digest, (facts, records, moments) in made.items():
        yield Finding(
            rule.id,
            rule.severity,
            rule.title,
            keys={"digest": digest.hex()},
            reason=worded(rule.reason, facts),
            count=len(records),
            first=min(moments),
            last=max(moments),
            records=tuple(records[:MOST_RECORDS]),
            facts=facts,
        )
