"""Which rows are of the key: as SQL over a table with ``kid``, ``iss`` and (mostly) ``thumbprint``.

A thumbprint decides, where a row has one: somebody has checked the signature then. Without it the kid does,
unless the issuer of the token has another key under that kid. A token of *any* other issuer counts: that a
key signed for an issuer that it must not sign for is what happened in 2023.
"""

from __future__ import annotations

import re

from immure.detections.engine import quoted
from immure.registry.scope import TENANT
from immure.response.radius_settings import RadiusSettings

_GUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"


def key_sql(settings: RadiusSettings, *, thumbprints: bool = True, proved: bool = False) -> str:
    """The condition.

    Args:
        thumbprints: whether the table has that column.
        proved: whether every row has a thumbprint: then the engine need look at nothing else.

    >>> key_sql(RadiusSettings("k1"))
    "(kid = 'k1')"
    """
    named = f"kid = {quoted(settings.kid)}"
    others = [one.scope.issuer for one in settings.namesakes if one.scope is not None]
    if others:
        kept = " AND ".join(_not_of(issuer) for issuer in sorted(set(others)))
        named += f" AND (iss IS NULL OR ({kept}))"
    if settings.record is None or not thumbprints:
        return f"({named})"
    if proved:
        return f"thumbprint = {quoted(settings.record.thumbprint)}"
    return f"(thumbprint = {quoted(settings.record.thumbprint)} OR (thumbprint IS NULL AND {named}))"


def _not_of(issuer: str) -> str:
    if TENANT not in issuer:
        return f"iss <> {quoted(issuer)}"
    pattern = _GUID.join(re.escape(part) for part in issuer.split(TENANT))
    return f"NOT regexp_full_match(iss, {quoted(pattern)})"
