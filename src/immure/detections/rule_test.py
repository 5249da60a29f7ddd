"""The examples of rules, carried out: each must be found, and none of the counter-examples.

The conditions run in the engine, as they do over real records.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from immure.clock import from_rfc3339
from immure.detections.counter import Reading, counter_findings
from immure.detections.engine import Engine
from immure.detections.errors import DetectionError, RuleError
from immure.detections.export_sql import ALWAYS
from immure.detections.habit_rules import baseline, first_seen, volume
from immure.detections.ledger_run import segment_findings
from immure.detections.ledger_side import IssuerSide, SegmentFacts
from immure.detections.libraries import library
from immure.detections.reconcile import declare
from immure.detections.reconcile_sql import bare_sql, judged_sql, verdicts_sql
from immure.detections.records import schema
from immure.detections.row_rules import row_findings
from immure.detections.rule import KEY_FACTS, MAIL_FACTS, Rule
from immure.detections.weak import bind_used, weak_findings

_DAY: Final = 86_400
_TYPES: Final = {"BOOLEAN": "bool_", "VARCHAR": "string", "BIGINT": "int64", "DOUBLE": "float64"}


@dataclass(frozen=True, slots=True)
class Tried:
    """One example, and what became of it.

    Attributes:
        rule: whose.
        name: which, from 1.
        wanted: whether the rule must find it.
        found: whether it does.
        words: what went wrong, if it could not be tried.
    """

    rule: str
    name: str
    wanted: bool
    found: bool
    words: str = ""

    @property
    def holds(self) -> bool:
        """Whether it is as it must be."""
        return not self.words and self.wanted == self.found


def try_rules(rules: Iterable[Rule]) -> Iterator[Tried]:
    """All examples of some rules."""
    with TemporaryDirectory(prefix="immure-") as scratch, Engine(Path(scratch), threads=1) as engine:
        for rule in rules:
            yield from _try(engine, rule)


def _try(engine: Engine, rule: Rule) -> Iterator[Tried]:
    for wanted, examples in ((True, rule.examples), (False, rule.counter_examples)):
        for number, example in enumerate(examples, start=1):
            name = f"{'example' if wanted else 'counter-example'} {number}"
            try:
                yield Tried(rule.id, name, wanted, _finds(engine, rule, example))
            except (DetectionError, RuleError) as error:
                yield Tried(rule.id, name, wanted, not wanted, error.reason)


def _finds(engine: Engine, rule: Rule, example: Any) -> bool:
    if not isinstance(example, dict):
        raise RuleError("an example is a table")
    try:
        if rule.kind == "ledger":
            return _ledger(rule, example)
        if rule.kind == "counter":
            return _counter(rule, example)
        if rule.kind == "reconciliation":
            return _reconciled(engine, example)
        return _rows(engine, rule, example)
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise RuleError(f"is no example of a rule of kind {rule.kind}: {error}") from error


def _rows(engine: Engine, rule: Rule, example: Mapping[str, Any]) -> bool:
    if rule.kind == "row":
        table(engine, rule.about, [example])
        return any(True for _ in row_findings(engine, rule))
    if rule.kind == "weak":
        if rule.about == "acceptance":
            return _reconciled(engine, example, weak=True)
        table(engine, "mail", example["mail"])
        table(engine, "signin", example["signin"])
        bind_used(engine)
        return any(True for _ in weak_findings(engine, rule))
    if rule.kind == "volume":
        repeated = [
            {**example["record"], "time": day * _DAY + place}
            for day, count in example["repeat"].items()
            for place in range(count)
        ]
        table(engine, rule.about, repeated)
        return any(True for _ in volume(engine, rule))
    table(engine, rule.about, example["records"])
    known = baseline(engine, rule.about, example["baseline_days"])
    if known is None:
        raise RuleError("the records do not go beyond the baseline")
    return any(True for _ in first_seen(engine, rule, known))


def table(engine: Engine, kind: Any, records: Sequence[Mapping[str, Any]]) -> None:
    """Records of an example as the table that rules read; what an example does not say is null."""
    arrow = library("pyarrow")
    facts = KEY_FACTS if kind == "acceptance" else MAIL_FACTS if kind == "mail" else {}
    fields = [
        *schema(kind),
        *(arrow.field(name, getattr(arrow, _TYPES[sort])()) for name, sort in facts.items()),
    ]
    wanted = arrow.schema([field.with_nullable(True) for field in fields])
    unknown = {name for record in records for name in record} - set(wanted.names)
    if unknown:
        raise RuleError(f"no column {min(unknown)!a} of {kind}")
    made = [
        {"record_id": str(place), "source": "example", "verdict": "accepted", **record, "time": _time(record)}
        for place, record in enumerate(records)
    ]
    try:
        engine.table(kind, arrow.Table.from_pylist(made, schema=wanted))
    except arrow.ArrowException as error:
        raise RuleError(f"a value that its column cannot have: {error}") from error


def _time(record: Mapping[str, Any]) -> int:
    """Microseconds since 1970, of seconds or of RFC 3339."""
    value = record.get("time", 0)
    return int(from_rfc3339(value).timestamp() * 1e6) if isinstance(value, str) else int(value * 1_000_000)


def _reconciled(engine: Engine, example: Mapping[str, Any], *, weak: bool = False) -> bool:
    """Whether the accepted token is forged; raises RuleError if the verdict is not the one that is stated."""
    arrow = library("pyarrow")
    accepted = example["accepted"]
    text = arrow.string()
    columns = {"digest": arrow.binary(16), "iss": text, "sub": text, "iat": arrow.int64()}

    def rows(name: str, given: Sequence[Mapping[str, Any]], more: dict[str, Any]) -> None:
        made = [{**one, "digest": bytes.fromhex(one.get("digest", "")) or None} for one in given]
        engine.table(name, arrow.Table.from_pylist(made, schema=arrow.schema({**columns, **more})))

    texts = (
        "record_id",
        "source",
        "token_id",
        "kid",
        "tenant",
        "client",
        "relying_party",
        "ip",
        "verdict",
    )
    more = {**dict.fromkeys(texts, text), "time": arrow.timestamp("us", tz="UTC")}
    rows("accepted", [{"verdict": "accepted", "record_id": "1", **accepted}], more)
    rows("issued", example.get("issued", []), {})
    side = IssuerSide(
        "https://login.example", [], int(example.get("known_from", 0)), int(example["watermark"])
    )
    side.gaps = [(start, end, "example") for start, end in example.get("gaps", [])]
    declare(engine, {side.issuer: side})
    sql = judged_sql(f"({bare_sql(*ALWAYS)})") if weak else verdicts_sql(*ALWAYS)
    found = [row[-1] for row in engine.rows(sql)]
    verdict = found[0] if found else "there" if weak else "issued"
    if verdict != example["verdict"]:
        raise RuleError(f"the verdict is {verdict}, not {example['verdict']}")
    return bool(verdict == "forged")


def _ledger(rule: Rule, example: Mapping[str, Any]) -> bool:
    facts = SegmentFacts(
        "segment",
        (),
        tuple(example.get("backfilled", ())),
        0,
        example.get("wrong", ""),
        example.get("altered", False),
    )
    return any(True for _ in segment_findings({rule.id: rule}, "https://login.example", facts))


def _counter(rule: Rule, example: Mapping[str, Any]) -> bool:
    readings = [Reading(**one) for one in example["readings"]]
    found = counter_findings(
        rule,
        readings,
        lambda kid, low, high: int(example["rows"]),
        watermark=lambda kid: int(example["watermark"]),
    )
    return any(True for _ in found)
