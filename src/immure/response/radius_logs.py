"""Logs into a state of :mod:`immure.detections`, and what that shows of what is missing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from immure.detections.cycle import Cycle, nobody
from immure.detections.cycle import Told as CycleTold
from immure.detections.ledger_run import ledger_sides
from immure.detections.rule_files import all_rules
from immure.detections.settings import LedgerInput, Settings
from immure.detections.state import State
from immure.registry.record import KeyRecord
from immure.response.radius_settings import Known

#: The one rule that is asked: whose verdicts are kept.
_RULE = "token-forged"
#: What a run of detection says it has counted, whole: whatever else it says has the name of a file in it.
_COUNTED = re.compile(
    "|".join(
        (
            r"[0-9,]+ acceptances are from after the watermark: not yet known",
            r"[0-9,]+ acceptances are from a time of which rows of the ledger were lost",
            r"of [0-9,]+ acceptances nobody can tell: no ledger of their issuer, no digest, or no time",
            r"[0-9,]+ acceptances, and no ledger \(--issued\)",
            r"[0-9,]+ records were not understood",
            r"[0-9,]+ more findings of [a-z0-9.-]+ are not shown",
        )
    )
)


def take_in_logs(state: State, settings: Settings, *, told: CycleTold = nobody) -> Known:
    """Read logs into a state, and hold acceptances against the ledger, if there is one.

    What was read before is not read again.

    Raises:
        ImmureError: ledger, log or state cannot be used. A source that cannot be read is in the answer.
    """
    rules = [rule for rule in all_rules([]) if rule.id == _RULE]
    outcome = Cycle(state, replace(settings, rules=rules), told=told).run()
    sides = None if settings.ledger is None else ledger_sides(state, settings.ledger)
    kept = tuple(words for words in outcome.missing if not is_counted(words))
    return Known(sides, kept, _lost(state))


def read_state(state: State, ledger: LedgerInput | None) -> Known:
    """What a state that ``immure detect`` keeps knows; nothing is read into it, and no rule is asked.

    Raises:
        ImmureError: the ledger cannot be used.
    """
    missing: tuple[str, ...] = ()
    new = sum(part.rows for part in state.parts("acceptance") if part.state == "new")
    if ledger is not None and new:
        missing = (
            f"{new:,} acceptances of the state were not yet held against the ledger (immure detect run)",
        )
    return Known(None if ledger is None else ledger_sides(state, ledger), missing, _lost(state))


def records_of(
    records: Sequence[KeyRecord], kid: str, issuer: str
) -> tuple[KeyRecord | None, tuple[KeyRecord, ...]]:
    """The record of a key, and those of other keys under the same kid.

    Args:
        records: of the registry.
        kid: the key; a thumbprint is taken as well.
        issuer: its issuer; empty if that is not known.
    """
    named = [one for one in records if kid in (one.kid, one.thumbprint)]
    own = [one for one in named if not issuer or one.issuer == issuer]
    record = own[0] if len(own) == 1 else None
    if record is None:
        return None, ()
    return record, tuple(one for one in records if one.kid == record.kid and one is not record)


def state_of(directory: Path) -> State:
    """The state in a directory; raises DetectionError."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    return State(directory)


def is_counted(words: str) -> bool:
    """Whether the radius says something itself that a run of detection found missing: by tenant, and with the
    time."""
    return _COUNTED.fullmatch(words) is not None


def _lost(state: State) -> dict[str, int]:
    lost: dict[str, int] = {}
    for one in state.odd():
        if one.lost:
            lost[one.source] = lost.get(one.source, 0) + one.count
    return lost
