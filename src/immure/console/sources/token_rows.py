"""The rows of tokens behind a span of time, a page at a time, by DuckDB over the files that have them."""

from __future__ import annotations

import atexit
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from immure.console.rollup import Kind, Rollup
from immure.console.rollup_ledger import LIVE
from immure.console.settings import Settings, TenantSettings
from immure.console.sources.engines import Engines
from immure.console.sources.tokens import place_of
from immure.detections.engine import Engine
from immure.errors import UsageError

#: Files that are looked into for one page, those with most rows of the span first.
MOST_FILES: Final = 64
MOST_ROWS: Final = 50
_CHARACTERS: Final = 300
_FOLDER: Final = "rows"
_ENGINES: Final = Engines()
atexit.register(_ENGINES.close)
_TEXTS: Final = ("iss", "kid", "sub", "tenant", "client", "relying_party", "ip", "rule", "source")
_WHERE: Final = {
    "issued": "true",
    "accepted": "verdict = 'accepted'",
    "refused": "verdict = 'refused'",
    "forged": "finding = 'forged'",
}


@dataclass(frozen=True, slots=True)
class TokenRow:
    """A row; a text is empty where the file says nothing.

    Attributes:
        time: microseconds since 1970: when it was decided; of an issued token its ``iat``.
        record: the record's own name; of an issued token its number in the ledger of its issuer.
        digest: of the token, hexadecimal.
    """

    time: int
    record: str
    digest: str
    iss: str
    kid: str
    sub: str
    tenant: str
    client: str
    relying_party: str
    ip: str
    rule: str
    source: str


@dataclass(frozen=True, slots=True)
class Rows:
    """A page of rows, the oldest first.

    Attributes:
        rows: of this page.
        after: what to ask for the next page with; None if this is the last.
        left_out: files that were not looked into, because there are too many.
        live: whether rows are in a ledger that was not exported: they are counted, and not shown.
    """

    rows: tuple[TokenRow, ...]
    after: str | None
    left_out: int
    live: bool


def rows_of(
    console: Settings,
    tenant: TenantSettings,
    kind: Kind,
    begin: int,
    end: int,
    *,
    issuer: str | None = None,
    party: str | None = None,
    after: str | None = None,
    most: int = MOST_ROWS,
) -> Rows:
    """The rows of a kind and a span.

    Args:
        begin, end: seconds since 1970.
        issuer, party: only those of this issuer, at this relying party; empty for rows that name none.
        after: of the page before.

    Raises:
        UsageError: ``after`` is none of ours.
        DetectionError: a file cannot be read.
        RollupError: the roll-up cannot be.
    """
    place = place_of(console, tenant)
    with Rollup(place) as rollup:
        known = rollup.files(kind, begin, end, most=MOST_FILES + 1000)
    paths = [path for path in known if not path.startswith(LIVE)]
    looked, live = paths[:MOST_FILES], len(paths) < len(known)
    if not looked:
        return Rows((), None, 0, live)
    time, record = _mark(after)
    low, high = max(begin * 1_000_000, time), end * 1_000_000
    with _engine(place, tenant) as engine:
        engine.files("rows", looked)
        ask = _Ask(kind, {str(row[0]) for row in engine.rows("DESCRIBE rows")}, issuer, party)
        enough, last = engine.one(*ask.last(low, high, time, most + 1))
        if enough > most:  # so that but few rows are read whole
            high = last + 1
        found = list(engine.rows(*ask.rows(low, high, time, record, most + 1)))
    rows = tuple(_row(one) for one in found[:most])
    more = f"{rows[-1].time}:{rows[-1].record}" if len(found) > most else None
    return Rows(rows, more, len(paths) - len(looked), live)


def prepare(console: Settings, tenant: TenantSettings) -> None:
    """Have an engine ready, so that who asks first does not wait for it; raises as :func:`rows_of`."""
    with _engine(place_of(console, tenant), tenant) as engine:
        engine.run("SELECT 1")


def _engine(place: Path, tenant: TenantSettings) -> AbstractContextManager[Engine]:
    """An engine that can read all that the tenant has."""
    roots = [tenant.accepted, tenant.findings]
    if tenant.ledger is not None and Path(tenant.ledger).is_dir():
        roots.append(Path(tenant.ledger))
    folders = {one if one.is_dir() else one.parent for one in roots if one is not None}
    return _ENGINES.one(place / _FOLDER, folders)


class _Ask:
    """Queries for rows of the table ``rows``; moments are microseconds since 1970."""

    def __init__(self, kind: Kind, columns: set[str], issuer: str | None, party: str | None) -> None:
        self._issued, self._columns = kind == "issued", columns
        self._time = "iat * 1000000" if self._issued else "epoch_us(time)"
        self._where, self._given = [_WHERE[kind]], list[Any]()
        for name, wanted in (("iss", issuer), ("relying_party", party)):
            if wanted is not None:
                self._where.append(f"{_text(name, columns)} = ?")
                self._given.append(wanted)

    def last(self, low: int, high: int, after: int, most: int) -> tuple[str, list[Any]]:
        """How many rows there are after a moment, ``most`` at most, and the moment of the last of these."""
        sql = (
            f"SELECT count(*), max(moment) FROM (SELECT {self._time} AS moment FROM rows "  # noqa: S608
            f"WHERE {self._span(low, high)} AND {self._time} > {after:d} ORDER BY moment LIMIT {most:d})"
        )
        return sql, self._given

    def rows(self, low: int, high: int, after: int, record: str, most: int) -> tuple[str, list[Any]]:
        """The rows after the one of a moment and a name."""
        name = "seq || ' of ' || left(iss, 200)" if self._issued else f"left(record_id, {_CHARACTERS})"
        digest = "coalesce(hex(digest), '')" if "digest" in self._columns else "''"
        texts = ", ".join(_text(one, self._columns) for one in _TEXTS)
        sql = (
            f"SELECT * FROM (SELECT {self._time} AS moment, {name} AS record, {digest}, {texts} FROM rows "  # noqa: S608
            f"WHERE {self._span(low, high)}) WHERE moment > {after:d} OR (moment = {after:d} AND record > ?) "
            f"ORDER BY moment, record LIMIT {most:d}"
        )
        return sql, [*self._given, record]

    def _span(self, low: int, high: int) -> str:
        """With figures, so that the ends of row groups tell DuckDB which of them it need not read."""
        if self._issued:
            span = f"iat >= {-(-low // 1_000_000):d} AND iat < {-(-high // 1_000_000):d}"
        else:
            span = f"time >= make_timestamptz({low:d}::BIGINT) AND time < make_timestamptz({high:d}::BIGINT)"
        return " AND ".join([span, *self._where])


def _text(name: str, columns: set[str]) -> str:
    return f"left(coalesce({name}::VARCHAR, ''), {_CHARACTERS})" if name in columns else "''"


def _mark(after: str | None) -> tuple[int, str]:
    if after is None:
        return -1, ""
    time, colon, record = after.partition(":")
    if not colon or not time.isascii() or not time.isdigit() or len(time) > 18 or len(record) > _CHARACTERS:
        raise UsageError("no place from which a list could go on")
    return int(time), record


def _row(values: tuple[Any, ...]) -> TokenRow:
    time, record, digest, *texts = values
    return TokenRow(int(time), str(record), str(digest).lower(), *map(str, texts))
