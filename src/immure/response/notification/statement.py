"""The machine-readable list: what a tenant is told, and how two such statements differ.

>>> from immure.response.radius import BlastRadius, TenantImpact
>>> seen = TenantImpact("c", 2, ("ada",), (), (), 5, 9)
>>> radius = BlastRadius("k1", "https://login.example", tenants=(seen,))
>>> told = statement_of(radius, "c", incident="2026-11-30-a")
>>> told["standing"], told["tokens"], told["at_least"]
('affected', 2, False)
>>> changes(told, {**told, "tokens": 3, "subjects": ["ada", "bob"]})
[{'member': 'tokens', 'was': 2, 'is': 3}, {'member': 'subjects', 'added': ['bob'], 'removed': []}]

``docs/reference/notification.md`` describes each member, notification-1.schema.json their form.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final

from immure.auditlog.canonical import canonical
from immure.response.errors import RadiusError
from immure.response.moments import to_text
from immure.response.radius import BlastRadius, Interval, TenantImpact

SCHEMA_ID: Final = "https://immure.example/schemas/notification-1.json"
#: What is said of the letter, not of what happened: two statements that differ in these only say the same.
FRAME: Final = ("edition", "as_of", "radius", "looked_at", "corrects")
_COUNTS: Final = ("standing", "at_least", "judged", "tokens", "first", "last")


def statement_of(radius: BlastRadius, tenant: str, *, incident: str) -> dict[str, Any]:
    """What a tenant is to be told, without the members of :data:`FRAME`.

    A tenant that the radius does not know was reached by nothing that was seen; what is unknown for everybody
    is unknown for it.

    Raises:
        RadiusError: a moment in it is beyond the calendar.
    """
    nothing = TenantImpact(tenant, 0, (), (), (), None, None)
    impact = next((one for one in radius.tenants if one.tenant == tenant), nothing)
    unknown = sorted({*impact.unknown, *radius.unknown}, key=lambda one: (one.begin, one.end, one.reason))
    seen = bool(impact.tokens or impact.mailboxes)
    return {
        "schema": SCHEMA_ID,
        "incident": incident,
        "issuer": radius.issuer,
        "kid": radius.kid,
        "thumbprint": radius.thumbprint,
        "tenant": tenant,
        "judged": radius.judged,
        "standing": "affected" if seen else "unknown" if unknown else "not seen",
        "at_least": bool(unknown),
        "tokens": impact.tokens,
        "first": moment(impact.first),
        "last": moment(impact.last),
        "subjects": sorted(impact.subjects),
        "mailboxes": [
            {
                "address": box.address,
                "accesses": box.accesses,
                "messages": sorted(box.messages),
                "folders": sorted(box.folders),
            }
            for box in sorted(impact.mailboxes, key=lambda box: box.address)
        ],
        "unknown": [_interval(one) for one in unknown],
    }


def core_digest(statement: Mapping[str, Any]) -> str:
    """SHA-256, in hex, of what a statement says, without the members of :data:`FRAME`."""
    return hashlib.sha256(canonical(core(statement))).hexdigest()


def core(statement: Mapping[str, Any]) -> dict[str, Any]:
    """A statement without the members of :data:`FRAME`."""
    return {name: value for name, value in statement.items() if name not in FRAME}


def changes(was: Mapping[str, Any], now: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What a statement says otherwise than an earlier one, member by member."""
    found: list[dict[str, Any]] = [
        {"member": name, "was": was.get(name), "is": now.get(name)}
        for name in ("issuer", "kid", *_COUNTS)
        if was.get(name) != now.get(name)
    ]
    found += _list_change("subjects", was["subjects"], now["subjects"])
    found += _mailbox_change(was["mailboxes"], now["mailboxes"])
    found += _list_change("unknown", was["unknown"], now["unknown"])
    return found


def moment(seconds: int | None) -> str | None:
    """Seconds since 1970 as RFC 3339; None for none.

    Raises:
        RadiusError: no calendar has such a moment.
    """
    try:
        return None if seconds is None else to_text(seconds)
    except ValueError as error:
        raise RadiusError(f"no calendar has the moment {seconds}") from error


def _interval(one: Interval) -> dict[str, Any]:
    return {"begin": moment(one.begin), "end": moment(one.end), "reason": one.reason}


def _list_change(member: str, was: list[Any], now: list[Any]) -> list[dict[str, Any]]:
    old, new = {canonical(one) for one in was}, {canonical(one) for one in now}
    added = [one for one in now if canonical(one) not in old]
    removed = [one for one in was if canonical(one) not in new]
    return [{"member": member, "added": added, "removed": removed}] if added or removed else []


def _mailbox_change(was: list[Any], now: list[Any]) -> list[dict[str, Any]]:
    old, new = {box["address"]: box for box in was}, {box["address"]: box for box in now}
    change = {
        "added": [name for name in new if name not in old],
        "removed": [name for name in old if name not in new],
        "changed": [name for name in new if name in old and new[name] != old[name]],
    }
    return [{"member": "mailboxes", **change}] if any(change.values()) else []
