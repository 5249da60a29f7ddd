"""Reconciliation by identifiers, where the issuer's ledger is not ours: weak, and called so.

A mailbox record that names its token, and an acceptance that has its identifier and no digest, is held
against the issuer's own log of sign-ins. That log is no ledger: nobody vouches that it is complete, an
identifier of 128 bits or less may be copied by who forges a token, and tokens of refresh flows may be in a
log that was not exported. So a token without a sign-in is a lead.

Nothing is said of tokens from outside of the time that the sign-ins cover.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from immure.detections.engine import Engine
from immure.detections.finding import Finding
from immure.detections.row_rules import MOST_FINDINGS, finding_of
from immure.detections.rule import Rule

#: Seconds by which a sign-in may come into the log before or after the token says it was issued.
SLACK: Final = 3600

_UNKNOWN: Final = """
WITH span AS (SELECT epoch(min(time)) AS low, epoch(max(time)) AS high
              FROM signin WHERE token_id IS NOT NULL)
SELECT {columns}
FROM used u, span
WHERE {within} u.issued >= span.low + {slack} AND u.issued <= span.high - {slack}
  AND NOT EXISTS (SELECT 1 FROM signin s WHERE s.token_id = u.token_id)
{rest}"""

_USED: Final = """
CREATE OR REPLACE TEMP VIEW used AS
SELECT token_id, tenant, "user", app, record_id, time, coalesce(token_iat, epoch(time)) AS issued
FROM mail WHERE token_id IS NOT NULL"""
_BARE: Final = """
UNION ALL
SELECT token_id, tenant, sub, client, record_id, time, coalesce(iat, epoch(time))
FROM bare_acceptance WHERE verdict = 'accepted' AND digest IS NULL AND token_id IS NOT NULL"""


def bind_used(engine: Engine, acceptances: Sequence[str] = ()) -> None:
    """Call tokens that were used ``used``: those of the table ``mail``, and of acceptances without a digest.

    Args:
        acceptances: files that have them.
    """
    if acceptances:
        engine.files("bare_acceptance", acceptances)
    engine.run(_USED + (_BARE if acceptances else ""))


def unmatched_sql() -> str:
    """Tokens that were used, and that no sign-in has."""
    columns = (
        'u.tenant, u.token_id, u."user", u.app, count(DISTINCT u.record_id), epoch_us(min(u.time)), '
        "epoch_us(max(u.time)), list(DISTINCT u.record_id)[1:10]"
    )
    rest = f'GROUP BY u.tenant, u.token_id, u."user", u.app LIMIT {MOST_FINDINGS + 1}'
    return _UNKNOWN.format(columns=columns, within="", slack=SLACK, rest=rest)


def weak_findings(engine: Engine, rule: Rule) -> Iterator[Finding]:
    """Tokens that were used and that no sign-in has; ``used`` and ``signin`` are bound."""
    for tenant, token, user, app, count, first, last, records in engine.rows(unmatched_sql()):
        made = finding_of(
            rule, [], count=count, first=first, last=last, records=tuple(sorted(records)), strength="weak",
            reason="no sign-in of that time has this token; a weak sign: the log of sign-ins is no ledger",
        )  # fmt: skip
        named = {"tenant": tenant, "token_id": token, "user": user, "app": app}
        keys = {name: str(value) for name, value in named.items() if value is not None}
        yield Finding(**{**made.__dict__, "keys": keys})


def weak_counts(engine: Engine) -> dict[str, int]:
    """How many records could be held against sign-ins, and how many not, for want of what."""
    total, named = engine.one("SELECT count(*), count(token_id) FROM mail")
    (used,) = engine.one("SELECT count(DISTINCT record_id) FROM used")
    (signins,) = engine.one("SELECT count(token_id) FROM signin")
    (covered,) = engine.one(
        "WITH span AS (SELECT epoch(min(time)) AS low, epoch(max(time)) AS high FROM signin "
        "WHERE token_id IS NOT NULL) SELECT count(DISTINCT record_id) FROM used, span "
        "WHERE issued BETWEEN low + ? AND high - ?",
        (SLACK, SLACK),
    )
    return {
        "mail records": total,
        "without a token identifier": total - named,
        "acceptances without a digest": used - named,
        "outside of the sign-ins' time": used - covered if signins else used,
        "held against sign-ins": covered if signins else 0,
    }
