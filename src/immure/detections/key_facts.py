"""What the registry says of the keys that signed accepted tokens: facts for the rules over rows.

The many rows have few keys, issuers, tenants and audiences: each combination is looked up once in Python, and
joined to the rows by the engine. What was true at ``iat`` is a join with the lives of the keys.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from immure.detections.engine import Engine
from immure.detections.errors import DetectionError
from immure.detections.libraries import library
from immure.registry.record import KeyRecord
from immure.registry.state import KeyState
from immure.tokens.jwk_scope import ANY_CLASS

#: Combinations of key, issuer, tenant and audience that are looked up.
MOST_COMBINATIONS: Final = 200_000
_AGES: Final = 1 << 62


@dataclass(frozen=True)
class Knowledge:
    """What is known of keys and issuers.

    Attributes:
        records: of the registry; None if there is none, and then no rule on keys says anything.
        audiences: classes of each audience, as a token policy has them.
        lifetimes: of the longest-lived token of an issuer, seconds; "" stands for all others.
        key_life: seconds for which a key may sign, from when it became active.
        skew: by how many seconds clocks may differ.
    """

    records: Sequence[KeyRecord] | None = None
    audiences: Mapping[str, frozenset[str]] = field(default_factory=dict)
    lifetimes: Mapping[str, int] = field(default_factory=dict)
    key_life: int | None = None
    skew: int = 300


def bind_acceptances(engine: Engine, files: Sequence[str], knowledge: Knowledge) -> None:
    """Call accepted tokens, with what is known of their keys, ``acceptance``.

    Raises:
        DetectionError: there are too many combinations of keys and issuers.
    """
    engine.files("raw_acceptance", files, where="verdict = 'accepted'")
    found = list(engine.rows(f"{_COMBINATIONS} LIMIT {MOST_COMBINATIONS + 1}"))
    if len(found) > MOST_COMBINATIONS:
        raise DetectionError(f"more than {MOST_COMBINATIONS} combinations of keys, issuers and audiences")
    index = _Index(knowledge)
    facts, lives = [], []
    for number, combination in enumerate(found):
        record, values = index.look_up(*combination)
        facts.append((number, *combination, *values))
        lives += [(number, *life) for life in (lives_of(record) if record else [])]
    _tables(engine, facts, lives)
    engine.run(_VIEW.format(skew=knowledge.skew, registry=knowledge.records is not None))


_COMBINATIONS: Final = "SELECT DISTINCT iss, kid, thumbprint, tenant, aud FROM raw_acceptance"
#: Facts have one row for each combination, and lives do not overlap: no row is doubled.
_VIEW: Final = """
CREATE OR REPLACE TEMP VIEW acceptance AS
SELECT a.*, {registry} AS has_registry, {skew} AS skew, epoch_us(a.time) / 1e6 AS seconds,
       k.key_known, k.key_scoped, k.issuer_allowed, k.class_allowed, k.tenant_allowed,
       k.key_active_from, k.key_not_after, k.key_compromised_from, k.most_lifetime, k.key_life,
       l.state AS key_state
FROM raw_acceptance a
LEFT JOIN key_facts k ON k.iss IS NOT DISTINCT FROM a.iss AND k.kid IS NOT DISTINCT FROM a.kid
    AND k.thumbprint IS NOT DISTINCT FROM a.thumbprint AND k.tenant IS NOT DISTINCT FROM a.tenant
    AND k.aud IS NOT DISTINCT FROM a.aud
LEFT JOIN key_lives l ON l.number = k.number AND a.iat >= l.since AND a.iat < l.until"""


def _tables(engine: Engine, facts: list[tuple[Any, ...]], lives: list[tuple[Any, ...]]) -> None:
    arrow = library("pyarrow")
    text, number, flag = arrow.string(), arrow.int64(), arrow.bool_()
    columns = [
        ("number", number), ("iss", text), ("kid", text), ("thumbprint", text), ("tenant", text),
        ("aud", arrow.list_(text)), ("key_known", flag), ("key_scoped", flag), ("issuer_allowed", flag),
        ("class_allowed", flag), ("tenant_allowed", flag), ("key_active_from", number),
        ("key_not_after", number), ("key_compromised_from", number), ("most_lifetime", number),
        ("key_life", number),
    ]  # fmt: skip
    for name, rows, wanted in (
        ("key_facts", facts, columns),
        ("key_lives", lives, [("number", number), ("since", number), ("until", number), ("state", text)]),
    ):
        cells = list(zip(*rows, strict=True)) if rows else [()] * len(wanted)
        arrays = [arrow.array(cell, kind) for cell, (_, kind) in zip(cells, wanted, strict=True)]
        engine.table(name, arrow.Table.from_arrays(arrays, schema=arrow.schema(wanted)))


class _Index:
    """Finds the record of a key by what a token or a log says of it."""

    def __init__(self, knowledge: Knowledge) -> None:
        self._knowledge = knowledge
        self._thumbprints = {one.thumbprint: one for one in knowledge.records or ()}
        self._kids: dict[str, list[KeyRecord]] = {}
        for one in knowledge.records or ():
            self._kids.setdefault(one.kid, []).append(one)

    def look_up(
        self,
        iss: str | None,
        kid: str | None,
        thumbprint: str | None,
        tenant: str | None,
        aud: list[str] | None,
    ) -> tuple[KeyRecord | None, tuple[Any, ...]]:
        """The record, and the facts in the order of the table."""
        record = self._record(iss, kid, thumbprint)
        lifetime = self._knowledge.lifetimes.get(iss or "", self._knowledge.lifetimes.get(""))
        life = self._knowledge.key_life
        if record is None:
            known = None if kid is None and thumbprint is None else False
            return None, (known, None, None, None, None, None, None, None, lifetime, life)
        scope = record.scope
        after = scope.not_after if scope else None
        return record, (
            True,
            scope is not None,
            None if scope is None or iss is None else scope.allows_issuer(iss),
            self._class_allowed(record, aud or ()),
            _tenant_allowed(record, iss, tenant),
            active_from(record),
            None if after is None else _seconds(after),
            compromised_from(record),
            lifetime,
            life,
        )

    def _record(self, iss: str | None, kid: str | None, thumbprint: str | None) -> KeyRecord | None:
        if thumbprint is not None:
            return self._thumbprints.get(thumbprint)
        named = self._kids.get(kid or "", [])
        fitting = (one for one in named if one.scope and iss is not None and one.scope.allows_issuer(iss))
        return next(fitting, named[0] if named else None)

    def _class_allowed(self, record: KeyRecord, audiences: Iterable[str]) -> bool | None:
        """None if nobody says of what class the audience is, or what the key may sign for."""
        classes = {name for one in audiences for name in self._knowledge.audiences.get(one, ())}
        if record.scope is None or not classes:
            return None
        return ANY_CLASS in record.scope.audience_classes or bool(classes & record.scope.audience_classes)


def _tenant_allowed(record: KeyRecord, iss: str | None, tenant: str | None) -> bool | None:
    scope = record.scope
    if scope is None or tenant is None:
        return None
    named = scope.tenant_of(iss) if scope.is_templated and iss is not None else None
    if named is not None and named != tenant:
        return False
    return not scope.tenants or tenant in scope.tenants


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())


def active_from(record: KeyRecord) -> int | None:
    """When the key became active, seconds since 1970; the scope knows it of keys older than the registry."""
    if record.scope is not None and record.scope.not_before is not None:
        return _seconds(record.scope.not_before)
    return None if record.activated_at is None else _seconds(record.activated_at)


def compromised_from(record: KeyRecord) -> int | None:
    """Since when others may have had the key, seconds since 1970; None if nobody says that they have."""
    change = next((one for one in record.history if one.state is KeyState.COMPROMISED), None)
    return None if change is None else _seconds(change.since or change.at)


def lives_of(record: KeyRecord) -> list[tuple[int, int, str]]:
    """The states of a key as ``(since, until, state)``, which follow one another and leave no time out."""
    active, since = active_from(record), compromised_from(record)
    begins: list[tuple[int, str]] = []
    for change in record.history:
        moment = -_AGES if change.state is KeyState.PRE_ACTIVE else _seconds(change.at)
        if change.state is KeyState.ACTIVE and active is not None:
            moment, active = active, None  # the first time only
        begins.append((moment, change.state.value))
    if since is not None:
        begins = [one for one in begins if one[0] < since and one[1] != KeyState.COMPROMISED.value]
        begins.append((since, KeyState.COMPROMISED.value))
    made, floor, state = [], -_AGES, KeyState.PRE_ACTIVE.value
    for moment, following in begins:
        if moment > floor:
            made.append((floor, moment, state))
        floor, state = max(floor, moment), following
    return [*made, (floor, _AGES, state)]
