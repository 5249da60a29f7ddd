"""Statements of the state, and what stands in its rows."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any, Final, cast

from immure.clock import from_rfc3339
from immure.watching.finding import Hit, HitKind, KnownKey, Sighting, Spot

#: Matches of rules hold as long as these rules are asked; what is proved holds for ever. Another watch may
#: have begun later than this one, and seen it already.
SIGHT: Final = (
    "INSERT INTO sightings SELECT ?, ?, key, inside, content, NULL, NULL, ?, ?, NULL FROM hits"
    " WHERE content = ? AND (asker = '' OR asker IN (SELECT value FROM json_each(?)))"
    " ON CONFLICT DO UPDATE SET content = excluded.content,"
    " last_seen = max(last_seen, excluded.last_seen), gone = NULL"
)
#: A scan for other keys meets this one by the way, and then knows less of it.
HIT: Final = (
    "INSERT INTO hits VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET kind = excluded.kind,"
    " proof = excluded.proof, whole = max(whole, excluded.whole), count = excluded.count,"
    " spots = excluded.spots WHERE excluded.count > count OR (excluded.kind = 'named' AND kind <> 'named')"
)
SIGHTINGS: Final = (
    "SELECT target, place, sightings.inside, sightings.content, path, detail, first_seen, last_seen, gone,"
    " kind, proof, whole, count, spots, thumbprint, label, kty, kid, issuer"
    " FROM sightings JOIN keys ON thumbprint = sightings.key JOIN hits ON hits.content = sightings.content"
    " AND hits.key = sightings.key AND hits.inside = sightings.inside"
    " WHERE target = ? AND (asker = '' OR asker IN (SELECT value FROM json_each(?)))"
    " ORDER BY thumbprint, place, sightings.inside"
)


def sighting_of(row: tuple[Any, ...]) -> Sighting:
    """A row that :data:`SIGHTINGS` gives."""
    target, place, inside, content, path, detail, first, last, gone = row[:9]
    kind, proof, whole, count, spots, *key = row[9:]
    hit = Hit(
        KnownKey(*key), inside, cast(HitKind, kind), proof, bool(whole), count,
        tuple(Spot(**spot) for spot in json.loads(spots)),
    )  # fmt: skip
    return Sighting(
        target, place, path if path is not None else place, detail or "", content, hit,
        from_rfc3339(first), from_rfc3339(last), from_rfc3339(gone) if gone else None,
    )  # fmt: skip


def is_under(place: str, troubled: Collection[str]) -> bool:
    """Whether a place, or something above it, is in trouble."""
    if not troubled:
        return False
    if "" in troubled or place in troubled:
        return True
    return any(place[:at] in troubled for at, character in enumerate(place) if character in "/!")


def text_for(text: str) -> str:
    """Text that a database takes: names of files may hold bytes that are no UTF-8."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
