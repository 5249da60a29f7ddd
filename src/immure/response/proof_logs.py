"""What logs say of a burnt key after it was contained: acceptances of its tokens, and the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from immure.errors import ImmureError
from immure.registry.opening import open_store
from immure.registry.scope import KeyScope
from immure.response.containment.action import Scene
from immure.response.timeline import JsonValue
from immure.tokens.acceptance.decision import Decision
from immure.tokens.acceptance.reader import read_decisions

_LIBRARIES: Final = ("duckdb", "msgspec", "pyarrow", "yaml")
_FORGED: Final = "token-forged"
_KINDS: Final = ("reconciliation", "ledger")
_WAITING: Final = ("not-yet-known", "unknown", "ledger-gap")


@dataclass(frozen=True, slots=True)
class Logged:
    """What a log of acceptances says.

    Attributes:
        count: tokens of the key that were accepted after a moment.
        last: when the last of all was accepted, seconds since 1970; None if none was.
        refused: tokens of the key that were refused since.
    """

    count: int
    last: float | None
    refused: int

    def plain(self) -> dict[str, JsonValue]:
        """As the timeline has it."""
        last = None if self.last is None else int(self.last)
        return {"accepted_since": self.count, "last_accepted": last, "refused_since": self.refused}


@dataclass(frozen=True, slots=True)
class RowsOfKey:
    """Which rows of a log are of a key.

    A thumbprint decides, where a row has one: somebody has checked the signature then. Without it the kid
    does, unless the issuer of the token has another key under that kid. Otherwise the issuer that a token
    names does not matter: that a key signed for one that it must not sign for is what happened in 2023.

    Attributes:
        kid, thumbprint: of the key.
        others: what other keys under that kid may sign for.
    """

    kid: str
    thumbprint: str
    others: tuple[KeyScope, ...] = ()

    @classmethod
    def of(cls, scene: Scene) -> RowsOfKey:
        """For the key of an incident; raises RegistryError."""
        with open_store(scene.settings.registry) as store:
            records = [one for one in store.records() if one.kid == scene.kid]
        others = (one.scope for one in records if one.thumbprint != scene.thumbprint)
        return cls(scene.kid, scene.thumbprint, tuple(one for one in others if one is not None))

    def has(self, row: Decision) -> bool:
        """Whether a row is of the key."""
        if row.thumbprint:
            return row.thumbprint == self.thumbprint
        issuer = row.issuer
        return row.kid == self.kid and not (issuer and any(one.allows_issuer(issuer) for one in self.others))


def accepted_since(log: Path, rows: RowsOfKey, *, since: float, party: str = "") -> Logged:
    """What the log of a relying party says of a key.

    Args:
        log: directory of it, or a segment.
        rows: which rows are of the key.
        since: seconds since 1970.
        party: only rows of this relying party; "" takes all.

    Raises:
        AcceptanceLogError: it cannot be read.
    """
    count = refused = 0
    last: float | None = None
    for row in read_decisions(log, notice=lambda _: None):
        if not rows.has(row) or (party and row.relying_party != party):
            continue
        if row.verdict == "accepted":
            count += row.time > since
            last = row.time if last is None else max(last, row.time)
        else:
            refused += row.time >= since
    return Logged(count, last, refused)


def reconcile_again(scene: Scene, room: Path, *, since: int) -> tuple[int | None, str]:
    """Hold what was accepted against the ledger, as ``immure detect run`` does.

    Args:
        scene: names ledger and logs.
        room: directory for the state of the detection; what is in it is read on the next time.
        since: seconds since 1970 from which on a forged token counts.

    Returns:
        How many forged tokens of the key were accepted since; None if that cannot be told. And words.
    """
    settings = scene.settings.reconcile
    logs = sorted({one.accepted for one in scene.settings.parties.values() if one.accepted is not None})
    if settings is None:
        return None, ""
    if not logs:
        return None, "not compared with the ledger: no relying party has a log of acceptances (accepted)"
    if any(find_spec(name) is None for name in _LIBRARIES):
        return None, "not compared with the ledger: immure[detect] is not installed"
    try:
        return _compared(scene, room, logs, since)
    except ImmureError as error:
        return None, f"not compared with the ledger: {error}"[:500]


def _compared(scene: Scene, room: Path, logs: Sequence[Path], since: int) -> tuple[int | None, str]:
    from immure.auditlog.note import parse_vkey
    from immure.detections.cycle import Cycle
    from immure.detections.key_facts import Knowledge
    from immure.detections.rule_files import built_in
    from immure.detections.settings import Input, LedgerInput, Settings
    from immure.detections.state import State

    given = scene.settings.reconcile
    assert given is not None  # noqa: S101 - the caller has seen to it
    if scene.settings.signing is not None:
        _export(scene.settings.signing.ledger, scene.issuer, given.segments)
    with open_store(scene.settings.registry) as registry:
        knowledge = Knowledge(registry.records())
    settings = Settings(
        [rule for rule in built_in() if rule.kind in _KINDS and rule.about == "acceptance"],
        [Input(path, "acceptance-log") for path in logs],
        LedgerInput(given.segments, given.log, parse_vkey(given.log_key) if given.log_key else None),
        knowledge,
        threads=1,
        ended=False,
    )
    with State(room) as state:
        outcome = Cycle(state, settings).run()
    if outcome.missing:
        return None, f"not compared with the ledger: {outcome.missing[0]}"[:500]
    forged = [
        one
        for one in outcome.findings
        if one.rule == _FORGED and one.facts.get("kid") == scene.kid and (one.last or 0) >= since * 1_000_000
    ]
    waiting = sum(outcome.verdicts.get(name, 0) for name in _WAITING)
    words = f"{len(forged)} forged tokens of the key were accepted since it was contained"
    return len(forged), f"{words}; of {waiting} acceptances the ledger says nothing yet" if waiting else words


def _export(ledger: str, issuer: str, segments: Path) -> None:
    """Bring the segments of a ledger of our own up to date."""
    from immure.ledger.opening import open_ledger
    from immure.ledger.segments import export

    with open_ledger(ledger) as store:
        for _ in export(store, issuer, segments):
            pass
