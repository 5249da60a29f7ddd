"""The ledger in a run: verified, remembered, and what is wrong with it as findings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from immure.detections.errors import DetectionError
from immure.detections.finding import Finding
from immure.detections.ledger_side import (
    IssuerSide,
    LogSide,
    SegmentFacts,
    check,
    log_of_segments,
    read_log,
    segment_paths,
    sides,
)
from immure.detections.row_rules import finding_of
from immure.detections.rule import Rule
from immure.detections.settings import LedgerInput
from immure.detections.state import State

_CHECKPOINT = "ledger-checkpoint"


def ledger_sides(state: State, ledger: LedgerInput) -> dict[str, IssuerSide]:
    """What the ledger knows, by issuer. The log must continue what was seen of it in earlier runs.

    Raises:
        LogError: the log was altered, or put back to an older state.
        LedgerError, DetectionError: log or segments cannot be read.
    """
    segment_paths(ledger.segments)
    log = _log(state, ledger)
    return sides(ledger.segments, log, lambda path: _facts(state, path, log, rows=ledger.rows))


def _log(state: State, ledger: LedgerInput) -> LogSide:
    if ledger.log is None:
        return log_of_segments(segment_paths(ledger.segments))
    from immure.auditlog import AuditLog, parse_checkpoint, verify_log

    if ledger.key is None:
        raise DetectionError("the log needs a public key", path=str(ledger.log))
    kept = state.get(_CHECKPOINT)
    known = None if kept is None else parse_checkpoint(kept.encode())
    verified = verify_log(ledger.log, public_key=ledger.key, known=known)
    found = read_log(AuditLog.open(ledger.log, known=verified.checkpoint).entries())
    state.put(_CHECKPOINT, verified.checkpoint.note.decode())
    return found


def _facts(state: State, path: Path, log: LogSide, *, rows: bool) -> SegmentFacts:
    """What is remembered of a segment that has not changed, else what its check shows."""
    stat = path.stat()
    stamp = f"{stat.st_size}:{stat.st_mtime_ns}:{stat.st_ino}:{int(rows)}"
    kept = state.facts(str(path), stamp)
    if kept is not None:
        tuples = {name: tuple(kept[name]) for name in ("numbers", "backfilled")}
        return SegmentFacts(**{**kept, **tuples})
    found = check(path, log, rows=rows)
    if not found.wrong:  # what was wrong may be put right without a sign
        state.keep_facts(str(path), stamp, asdict(found))
    return found


def ledger_findings(rules: dict[str, Rule], found: dict[str, IssuerSide]) -> Iterator[Finding]:
    """Segments that were altered, or have rows that were put in afterwards."""
    for side in found.values():
        for facts in side.facts:
            yield from segment_findings(rules, side.issuer, facts)


def segment_findings(rules: dict[str, Rule], issuer: str, facts: SegmentFacts) -> Iterator[Finding]:
    """What is wrong with one segment."""
    keys = {"issuer": issuer, "segment": Path(facts.path).name}
    rule = rules.get("ledger-altered")
    if rule is not None and facts.altered:
        yield _found(rule, keys, f"{Path(facts.path).name}: {facts.wrong}", 1)
    rule = rules.get("ledger-backfilled")
    if rule is not None and facts.backfilled:
        numbers = ", ".join(str(one) for one in facts.backfilled[:5])
        words = (
            f"{len(facts.backfilled):,} rows say that they are from before a watermark that had been signed "
            f"already, and were not there then: number {numbers}"
        )
        yield _found(rule, keys, words, len(facts.backfilled))


def _found(rule: Rule, keys: dict[str, str], words: str, count: int) -> Finding:
    made = finding_of(rule, [], reason=words, count=count)
    return Finding(**{**made.__dict__, "keys": keys})
