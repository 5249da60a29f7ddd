"""What the pages of keys show: who could sign what, in which state each key is, and what comes next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from immure.console.paging import Paging
from immure.console.sources.key_facts import KeyFacts
from immure.console.sources.key_table import Keys, Table, Turn, turn_of
from immure.console.tenant import Tenant
from immure.registry.state import KeyState

_TONES: Final = {
    KeyState.PRE_ACTIVE: "wait",
    KeyState.ACTIVE: "good",
    KeyState.SUSPENDED: "warn",
    KeyState.DEACTIVATED: "off",
    KeyState.COMPROMISED: "bad",
    KeyState.DESTROYED: "off",
}
#: What a key in a state can do for an audience class that it has in its scope.
_CAN: Final = {
    KeyState.PRE_ACTIVE: ("will sign", "wait"),
    KeyState.ACTIVE: ("signs", "good"),
    KeyState.SUSPENDED: ("stopped", "warn"),
    KeyState.DEACTIVATED: ("verifies", "off"),
    KeyState.COMPROMISED: ("thief could", "bad"),
    KeyState.DESTROYED: ("", ""),
}


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A key.

    Attributes:
        cells: for each column of the matrix what the key can do there, and how that is to be taken.
        more: classes in its scope that have no column.
        age: seconds since it became active for the first time.
        share: of its lifetime that has passed; None if no plan says how long that is.
        turn: what comes next.
    """

    facts: KeyFacts
    state: str
    tone: str
    cells: tuple[tuple[str, str], ...]
    more: int
    age: float | None
    share: float | None
    turn: Turn | None

    @property
    def is_late(self) -> bool:
        """Whether its turn was before now."""
        return self.share is not None and self.share > 1


def keys_of(tenant: Tenant) -> Keys:
    """The registry of a tenant; opened once."""
    state = tenant.console.state
    file = None if state is None else state / f"keys-{tenant.name}.json"
    return tenant.source("keys", lambda one: Keys(one.registry or "", one.signing, file))


def key_list(
    table: Table,
    at: datetime,
    *,
    text: str = "",
    state: str = "",
    issuer: str = "",
    audience: str = "",
    page: str | None = None,
) -> tuple[Sequence[KeyRow], Paging]:
    """A page of the matrix; filters that are empty leave nothing out."""
    small = text.lower()
    found = [
        key
        for key, words in zip(table.keys, table.searched, strict=True)
        if small in words
        and (not state or key.state.value == state)
        and (not issuer or key.issuer == issuer)
        and (not audience or audience in key.classes)
    ]
    paging = Paging.of(len(found), page)
    return [row(table, one, at) for one in paging.cut(found)], paging


def row(table: Table, key: KeyFacts, at: datetime) -> KeyRow:
    """One key."""
    can = _CAN[key.state]
    plan = table.plans.get(key.issuer or "")
    share = None
    if plan is not None and key.activated is not None and key.state is KeyState.ACTIVE:
        share = (at - key.activated) / plan.lifetime
    return KeyRow(
        facts=key,
        state=key.state.value,
        tone=_TONES[key.state],
        cells=tuple(can if one in key.classes else ("", "") for one in table.columns),
        more=len(key.classes.difference(table.columns)),
        age=None if key.activated is None else (at - key.activated).total_seconds(),
        share=share,
        turn=turn_of(key, plan),
    )


def next_turns(table: Table, at: datetime) -> Sequence[KeyRow]:
    """Keys whose turn comes soonest, those that are late first."""
    return [row(table, one, at) for one in table.turns]
