"""Accepted minus issued, as SQL that DuckDB, ClickHouse and Spark take unchanged.

It is written against five tables:

==============  ======================================================================================
``accepted``    the columns of an acceptance (:mod:`immure.detections.records`)
``issued``      rows of the ledger: ``digest``, ``iss``, ``iat``; none that were put in afterwards
``watermarks``  ``iss``, ``known_from``, ``watermark``: of ``known_from <= iat < watermark`` all is known;
                a row for each issuer
``gaps``        ``iss``, ``gap_from``, ``gap_to``: of ``gap_from <= iat < gap_to`` rows were lost
``window``      nothing: ``{low}`` and ``{high}`` stand for the first second and the one after the last
==============  ======================================================================================

Why by windows of ``iat``: the digest is over ``iat``, so that a token and its row have the same one, and a
window of one side needs no more than the same window of the other. Memory is then that of one window, and N
windows are N machines.

Why ``NOT EXISTS``: it is the one spelling of an anti-join that all three engines have. Of ``iat`` outside of
every window (a token that says no time) there are no verdicts but ``unknown``: :data:`UNTIMED`.
"""

from __future__ import annotations

from typing import Final

#: The verdicts, and what each means.
VERDICTS: Final = {
    "issued": "the ledger has it",
    "forged": "the ledger is complete for its time, and has it not",
    "not-yet-known": "it says it is from after the watermark",
    "ledger-gap": "rows of its time were lost",
    "unknown": "nobody can tell: no ledger of its issuer, no digest, no time, or from before all rows",
}

#: What all verdicts are about.
_SUBJECT: Final = (
    "record_id, source, time, digest, token_id, iss, kid, sub, tenant, client, iat, relying_party, ip"
)

#: Accepted tokens that are not in the ledger.
_MISSING: Final = """\
SELECT {subject}
FROM accepted a
WHERE a.verdict = 'accepted' AND a.digest IS NOT NULL AND a.iss IS NOT NULL
  AND a.iat >= {low} AND a.iat < {high}
  AND NOT EXISTS (SELECT 1 FROM issued i
                  WHERE i.digest = a.digest AND i.iss = a.iss AND i.iat = a.iat
                    AND i.iat >= {low} AND i.iat < {high})"""

#: Acceptances without a digest, of whose issuer, second and subject the ledger has no row.
_BARE: Final = """\
SELECT {subject}
FROM accepted a
WHERE a.verdict = 'accepted' AND a.digest IS NULL AND a.iss IS NOT NULL AND a.sub IS NOT NULL
  AND a.iat >= {low} AND a.iat < {high}
  AND NOT EXISTS (SELECT 1 FROM issued i
                  WHERE i.sub = a.sub AND i.iss = a.iss AND i.iat = a.iat
                    AND i.iat >= {low} AND i.iat < {high})"""

#: What is to be said of them.
_JUDGED: Final = """\
SELECT m.*,
       CASE WHEN w.iss IS NULL THEN 'unknown'
            WHEN w.watermark <= m.iat THEN 'not-yet-known'
            WHEN EXISTS (SELECT 1 FROM gaps g
                         WHERE g.iss = m.iss AND g.gap_from <= m.iat AND m.iat < g.gap_to)
              THEN 'ledger-gap'
            WHEN m.iat < w.known_from THEN 'unknown'
            ELSE 'forged'
       END AS finding
FROM {missing} m LEFT JOIN watermarks w ON w.iss = m.iss"""

#: Accepted tokens of which too little is written down to look them up.
UNTIMED: Final = """\
SELECT {subject}, 'unknown' AS finding
FROM accepted
WHERE verdict = 'accepted' AND (digest IS NULL OR iss IS NULL OR iat IS NULL)"""

ACCEPTED: Final = """\
SELECT count(DISTINCT hash(record_id))
FROM accepted
WHERE verdict = 'accepted' AND digest IS NOT NULL AND iss IS NOT NULL AND iat >= {low} AND iat < {high}"""

#: Whether a window has acceptances without a digest.
BARE_ONES: Final = """\
SELECT EXISTS (SELECT 1 FROM accepted
               WHERE verdict = 'accepted' AND digest IS NULL AND iss IS NOT NULL AND sub IS NOT NULL
                 AND iat >= {low} AND iat < {high})"""


def missing_sql(low: int, high: int) -> str:
    """Tokens with ``low <= iat < high`` that were accepted and are not in the ledger.

    Args:
        low, high: seconds since 1970.
    """
    return _MISSING.format(subject=_SUBJECT, low=int(low), high=int(high))


def bare_sql(low: int, high: int) -> str:
    """As :func:`missing_sql`, of acceptances without a digest: by issuer, second and subject, which is weak.

    A row of the same subject and second proves nothing, and a log may name subjects in a way of its own.
    """
    return _BARE.format(subject=_SUBJECT, low=int(low), high=int(high))


def judged_sql(missing: str) -> str:
    """What :func:`missing_sql` gives, each with its verdict.

    Args:
        missing: the name of a table that has it.
    """
    return _JUDGED.format(missing=missing)


def verdicts_sql(low: int, high: int) -> str:
    """Both in one, for engines of others: tokens that are not in the ledger, each with its verdict.

    We take two steps: DuckDB 2.0 carries the first out as an anti-join when it stands for itself, and as a
    mark join of twice the time when the second is around it.
    """
    return judged_sql(f"({_indented(missing_sql(low, high))})")


def _indented(sql: str) -> str:
    return sql.replace("\n", "\n      ")


def untimed_sql() -> str:
    """Accepted tokens that cannot be looked up."""
    return UNTIMED.format(subject=_SUBJECT)


def accepted_sql(low: int, high: int) -> str:
    """How many acceptances with a digest a window has, those that came twice counted once; less those of
    :func:`missing_sql`, they were issued. (For DuckDB only: 64-bit hashes of names take a third of the memory
    of the names, and the count is off by one in some ten million windows.)"""
    return ACCEPTED.format(low=int(low), high=int(high))


def bare_ones_sql(low: int, high: int) -> str:
    """Whether a window has anything for :func:`bare_sql`."""
    return BARE_ONES.format(low=int(low), high=int(high))
