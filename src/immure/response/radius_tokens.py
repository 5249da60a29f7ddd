"""The tokens that count, window by window: by tenant, subject, relying party and time.

Windows are of ``iat``, which the digest is over: all uses of a token are in one window, so that distinct
tokens can be counted with the memory of a window. In a window each token is one row, and the relying parties
that took it are bits of a number: so there is one grouping, whoever took it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from immure.detections.engine import Engine, quoted
from immure.detections.windows import Group, cut, footers
from immure.response.errors import RadiusError
from immure.response.parquet_facts import has_nulls
from immure.response.radius_key import key_sql
from immure.response.radius_listing import TokenList
from immure.response.radius_settings import MOST_PARTIES, RadiusSettings

_FIRST, _LAST = -(1 << 62), 1 << 62
#: Bits of a number that are used.
_BITS: Final = 60
Told = Callable[[int, int], None]

#: ``cells`` and ``subjects`` grow from window to window, ``hits`` are tokens that a mailbox log names.
_TABLES: Final = """
CREATE OR REPLACE TEMP TABLE cells (tenant VARCHAR, step BIGINT, tokens BIGINT, first BIGINT, last BIGINT);
CREATE OR REPLACE TEMP TABLE subjects (tenant VARCHAR, sub VARCHAR);
CREATE OR REPLACE TEMP TABLE hits (digest BLOB, token_id VARCHAR, session VARCHAR, tenant VARCHAR);
"""
#: What names a token: its digest, or else what its log calls it, or else the record itself. The names of
#: records are most of a file: they are read only where a digest is missing.
_DIGEST: Final = "digest"
_TOKEN: Final = "coalesce(digest, encode(token_id), encode(record_id))"
_TOKENS: Final = """
CREATE OR REPLACE TEMP TABLE tokens AS
SELECT {token} AS token, any_value(tenant) AS tenant, any_value(sub) AS sub, min(time) AS first,
       max(time) AS last{parties}{named}
FROM accepted a
WHERE {which}
GROUP BY token"""
_NAMED: Final = """,
       any_value(digest) AS digest, any_value(token_id) AS token_id, any_value(session) AS session"""
_WHICH: Final = "verdict = 'accepted' AND {key} AND {window} AND {span}"
_JUDGED: Final = " AND digest IN (SELECT digest FROM forged)"
_CELLS: Final = """
INSERT INTO cells
SELECT coalesce(tenant, ''), epoch_us(first) // {step} AS step, count(*), min(epoch_us(first)) // 1000000,
       max(epoch_us(last)) // 1000000
FROM tokens GROUP BY 1, 2"""
_SUBJECTS: Final = """
INSERT INTO subjects SELECT DISTINCT coalesce(tenant, ''), sub FROM tokens WHERE sub IS NOT NULL"""
_ONCE: Final = "CREATE OR REPLACE TEMP TABLE subjects AS SELECT DISTINCT tenant, sub FROM subjects"
#: Rows of subjects, many of them from several windows, at which each is made to stand there once.
_MANY: Final = 2_000_000
_HITS: Final = """
INSERT INTO hits SELECT digest, token_id, session, tenant FROM tokens t
WHERE EXISTS (SELECT 1 FROM mail_names m WHERE m.digest = t.digest)
   OR EXISTS (SELECT 1 FROM mail_names m WHERE m.token_id = t.token_id)
   OR EXISTS (SELECT 1 FROM mail_names m WHERE m.session = t.session)"""
_AUDIENCES: Final = """
SELECT coalesce(relying_party, ''), any_value(aud[1]) FROM accepted
WHERE {which} GROUP BY 1"""


@dataclass(slots=True)
class Tokens:
    """What came out, beside the tables ``cells``, ``subjects`` and ``hits`` of the engine.

    Attributes:
        parties: distinct tokens by relying party.
        audiences: an ``aud`` of each relying party.
        named_by: by what tokens are named: ``digest``, ``token_id``, ``session``.
    """

    parties: Counter[str] = field(default_factory=Counter)
    audiences: dict[str, str] = field(default_factory=dict)
    named_by: set[str] = field(default_factory=set)


class TokenCount:
    """Counts tokens.

    Args:
        engine: has a table ``forged`` if ``judged``, and ``mail_names`` if ``mail``.
        settings: what is asked.
        span: the time that is looked at, as SQL over ``time``.
        parties: names of all relying parties in the files.
        step: seconds of a step.
        judged: only tokens of the table ``forged`` count.
        mail: whether there are logs of mailboxes, for which the names of tokens are kept.
        listing: takes every token.
    """

    def __init__(
        self,
        engine: Engine,
        settings: RadiusSettings,
        span: str,
        parties: Sequence[str],
        *,
        step: int,
        judged: bool,
        mail: bool,
        listing: TokenList | None = None,
    ) -> None:
        self._engine, self._parties, self._step, self._mail = engine, list(parties), step, mail
        self._settings, self._span, self._judged, self._listing = settings, span, judged, listing
        self._distinct = 0
        self._found = Tokens()

    def count(self, files: Sequence[str], *, told: Told | None = None) -> Tokens:
        """Count those in files of acceptances, of which none is a copy of rows of another.

        Args:
            told: how many windows were looked at, and how many there are.

        Raises:
            DetectionError: the engine cannot.
            RadiusError: there are too many relying parties.
        """
        if len(self._parties) > MOST_PARTIES:
            raise RadiusError(f"logs name more than {MOST_PARTIES:,} relying parties")
        self._engine.run(_TABLES)
        groups = {path: footers([path]) for path in files}
        bare = {path for path in files if has_nulls(path, "digest")}
        unproved = {path for path in files if has_nulls(path, "thumbprint")}
        ends = cut([one for each in groups.values() for one in each], most=self._settings.window_rows)
        ends = [_FIRST, *ends[1:-1], _LAST]
        for number, (low, high) in enumerate(pairwise(ends), start=1):
            found = [path for path, each in groups.items() if low == _FIRST or _meets(each, low, high)]
            if found:
                self._engine.files("accepted", found)
                key = key_sql(self._settings, proved=not unproved & set(found))
                which = _WHICH.format(key=key, span=self._span, window=_window(low, high))
                which += _JUDGED if self._judged else ""
                self._window(which, _TOKEN if bare & set(found) else _DIGEST)
            if told is not None:
                told(number, len(ends) - 1)
        self._engine.run("DROP TABLE IF EXISTS tokens")
        self._engine.run(_ONCE)
        return self._found

    def _window(self, which: str, token: str) -> None:
        """Add the tokens of a window to what was found before."""
        parties = "".join(f",\n       {sql} AS parties{place}" for place, sql in enumerate(self._masks()))
        named = _NAMED if self._mail or self._listing is not None else ""
        sql = _TOKENS.format(token=token, parties=parties, named=named, which=which)
        self._engine.run(sql)
        seen = self._count_parties()
        if not seen:
            return
        if seen - self._found.audiences.keys():
            rows = self._engine.rows(_AUDIENCES.format(which=which))
            self._found.audiences |= {name: str(audience or "") for name, audience in rows}
        self._engine.run(_CELLS.format(step=self._step * 1_000_000))
        self._add_subjects()
        if self._mail:
            self._take_names()
        if self._listing is not None:
            self._listing.add(self._engine)

    def _add_subjects(self) -> None:
        self._engine.run(_SUBJECTS)
        (rows,) = self._engine.one("SELECT count(*) FROM subjects")
        if rows > 2 * max(_MANY, self._distinct):
            self._engine.run(_ONCE)
            (self._distinct,) = self._engine.one("SELECT count(*) FROM subjects")

    def _masks(self) -> list[str]:
        """For each sixty relying parties a number, whose bits are those that took the token."""
        made = []
        for start in range(0, len(self._parties), _BITS):
            bits = enumerate(self._parties[start : start + _BITS])
            cases = " ".join(f"WHEN {quoted(name)} THEN {1 << bit}" for bit, name in bits)
            made.append(f"bit_or(CASE coalesce(relying_party, '') {cases} ELSE 0 END::BIGINT)")
        return made

    def _count_parties(self) -> set[str]:
        """Count the tokens of a window by relying party; who has some."""
        if not self._parties:
            return set()
        sums = ", ".join(
            f"count_if(parties{place // _BITS} & {1 << place % _BITS} > 0)"
            for place in range(len(self._parties))
        )
        counts = self._engine.one(f"SELECT {sums} FROM tokens")  # noqa: S608 - made of numbers
        found = {name: count for name, count in zip(self._parties, counts, strict=True) if count}
        self._found.parties.update(found)
        return set(found)

    def _take_names(self) -> None:
        names = ("digest", "token_id", "session")
        counts = self._engine.one("SELECT count(digest), count(token_id), count(session) FROM tokens")
        self._found.named_by |= {name for name, count in zip(names, counts, strict=True) if count}
        self._engine.run(_HITS)


def _meets(groups: Sequence[Group], low: int, high: int) -> bool:
    return any(least < high and low <= greatest for least, greatest, _ in groups)


def _window(low: int, high: int) -> str:
    """Tokens that state no time are in the first window."""
    if low == _FIRST:
        return "true" if high == _LAST else f"(iat < {high} OR iat IS NULL)"
    return f"iat >= {low}" if high == _LAST else f"iat >= {low} AND iat < {high}"
