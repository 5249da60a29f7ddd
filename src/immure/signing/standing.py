"""Where each issuer stands: which key signs, until when, which is next; how far the ledger is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from immure.ledger.opening import open_ledger
from immure.registry.opening import open_store
from immure.registry.record import KeyRecord
from immure.registry.state import KeyState
from immure.signing.settings import Issuer, Settings
from immure.signing.state_opening import open_state


@dataclass(frozen=True)
class Standing:
    """Of one issuer.

    Attributes:
        signs: name of the key that signs, since when, and when its successor takes over; None without one.
        announced: name of the next key, if it is published already.
        others: keys that are still published, or wait to be destroyed.
        rows, open_rows: tokens in the ledger, and of these in no batch yet.
        watermark: until when all tokens are in batches; None if there was no batch.
    """

    name: str
    issuer: str
    algorithm: str
    signs: str | None
    since: datetime | None
    until: datetime | None
    announced: str | None
    others: tuple[str, ...]
    rows: int
    open_rows: int
    watermark: datetime | None


def standings(settings: Settings) -> tuple[list[Standing], datetime | None]:
    """All issuers, and when a process was last at work; read only.

    Raises:
        ImmureError: registry, ledger or state cannot be read.
    """
    with open_store(settings.registry) as store:
        records = store.records()
    ledger = open_ledger(settings.ledger)
    try:
        rows = {one.issuer: one for one in ledger.standings()}
    finally:
        ledger.close()
    state = open_state(settings.state)
    try:
        beats = state.beats()
    finally:
        state.close()
    found = []
    for name, issuer in settings.issuers.items():
        one = rows.get(issuer.url)
        counts = (0, 0, 0) if one is None else (one.last, one.last - one.closed, one.watermark)
        found.append(_standing(name, issuer, [key for key in records if key.issuer == issuer.url], counts))
    return found, datetime.fromtimestamp(beats[0].at, UTC) if beats else None


def _standing(name: str, issuer: Issuer, keys: Sequence[KeyRecord], counts: tuple[int, int, int]) -> Standing:
    active = [key for key in keys if key.state is KeyState.ACTIVE]
    signs = max(active, key=lambda key: key.activated_at or key.history[0].at, default=None)
    since = None if signs is None else signs.activated_at or signs.history[0].at
    announced = next((key.kid for key in keys if key.state is KeyState.PRE_ACTIVE), None)
    others = (key.kid for key in keys if key.state in (KeyState.DEACTIVATED, KeyState.SUSPENDED))
    last, unsealed, watermark = counts
    return Standing(
        name,
        issuer.url,
        issuer.plan.algorithm,
        None if signs is None else signs.kid,
        since,
        None if since is None else since + issuer.plan.lifetime,
        announced,
        tuple(others),
        last,
        unsealed,
        datetime.fromtimestamp(watermark, UTC) if watermark else None,
    )
