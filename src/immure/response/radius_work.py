"""Works a blast radius out: key → relying parties → tokens → tenants, subjects, mailboxes; what is unknown.

    with State(directory) as state:
        known = take_in_logs(state, detect)         # immure.response.radius_logs
        radius = work_out(state, RadiusSettings("k1", end=now), known)

It reads the Parquet files that :mod:`immure.detections` has made of the logs, in windows of time and under a
cap of memory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from immure.detections.engine import Engine
from immure.detections.key_facts import active_from, compromised_from, lives_of
from immure.detections.libraries import library
from immure.detections.records import schema
from immure.detections.state import State
from immure.registry.record import KeyRecord
from immure.response.radius import (
    MOST_DRAWN,
    BlastRadius,
    Cell,
    Interval,
    RelyingParty,
    Scope,
    Source,
    StateSpan,
)
from immure.response.radius_key import key_sql
from immure.response.radius_ledger import bind_forged, undecided
from immure.response.radius_listing import TokenList
from immure.response.radius_mail import name_tokens, read_mailboxes
from immure.response.radius_seen import nameless, refusals, relying_parties
from immure.response.radius_settings import Known, RadiusSettings
from immure.response.radius_tenants import Tenants
from immure.response.radius_tokens import TokenCount, Tokens
from immure.response.radius_unknown import Pieces, coverage, merged
from immure.scanning.report.words import count_words

_STEPS: Final = (60, 300, 900, 3600, 4 * 3600, 12 * 3600, 86_400, 7 * 86_400, 30 * 86_400, 365 * 86_400)
#: Steps of time in the longest radius.
_MOST_STEPS: Final = 120
_AGES: Final = 1 << 60
Told = Callable[[str, int, int], None]


def nobody(what: str, count: int, total: int) -> None:
    """Tells nobody."""


def work_out(state: State, settings: RadiusSettings, known: Known, *, told: Told = nobody) -> BlastRadius:
    """The blast radius of a key.

    Args:
        state: with the logs, taken in.
        settings: what is asked.
        known: what was seen when they were taken in.
        told: is told what is done, and how far it is.

    Raises:
        DetectionError: the engine cannot.
        RadiusError: there is more than a radius may hold.
    """
    with Engine(state.directory, memory=settings.memory, threads=settings.threads) as engine:
        return _Work(engine, state, settings, known, told).radius()


class _Work:
    def __init__(
        self, engine: Engine, state: State, settings: RadiusSettings, known: Known, told: Told
    ) -> None:
        self._engine, self._state, self._settings, self._known, self._told = (
            engine,
            state,
            settings,
            known,
            told,
        )
        self._accepted = self._paths("acceptance", pending=False)
        self._mail = self._paths("mail")
        self._begin = self._end = 0
        self._span = "true"
        scoped = (
            settings.record.scope.tenants if settings.record is not None and settings.record.scope else ()
        )
        self._tenants = Tenants([*settings.tenants, *sorted(scoped)])
        self._everywhere: list[Interval] = []

    def radius(self) -> BlastRadius:
        settings = self._settings
        self._bind()
        self._bounds()
        step = next((one for one in _STEPS if (self._end - self._begin) / one <= _MOST_STEPS), _STEPS[-1])
        judged = self._known.sides is not None
        if judged:
            self._judge()
        if self._mail:
            name_tokens(self._engine, self._span)
        self._told("logs", 0, 0)
        pieces = coverage(self._engine, "raw_acceptance", "relying_party", self._span, least=settings.silence)
        listing = None if settings.tokens is None else TokenList(self._state.directory, settings.tokens)
        counter = TokenCount(
            self._engine, settings, self._span, list(pieces), step=step, judged=judged,
            mail=bool(self._mail), listing=listing,
        )  # fmt: skip
        tokens = counter.count(self._accepted, told=lambda count, total: self._told("tokens", count, total))
        if listing is not None:
            listing.finish(self._engine)
        parties = self._parties(tokens, pieces)
        self._tenants.take_tokens(self._engine)
        self._mailboxes(tokens)
        self._notes()
        return BlastRadius(
            kid=settings.kid,
            issuer=settings.issuer,
            thumbprint="" if settings.record is None else settings.record.thumbprint,
            begin=self._begin,
            end=self._end,
            judged="ledger" if judged else "all",
            scope=_scope(settings.record),
            states=_states(settings.record, self._end),
            relying_parties=parties,
            tenants=self._tenants.impacts(parties, self._everywhere, self._begin, self._end),
            unknown=merged(self._everywhere, self._begin, self._end),
            sources=self._sources(pieces),
            tokens=self._tenants.tokens,
            step=step,
            cells=self._cells(step),
        )

    # --- what is there ---

    def _paths(self, kind: str, *, pending: bool = True) -> list[str]:
        """The files of a kind; pending ones are copies of rows of others."""
        parts = self._state.parts(kind)
        return [str(self._state.path(one.name)) for one in parts if pending or one.state != "pending"]

    def _bind(self) -> None:
        for name, files in (("acceptance", self._accepted), ("mail", self._mail)):
            if files:
                self._engine.files(f"raw_{name}", files)
            else:
                empty = library("pyarrow").Table.from_batches([], schema=schema(name))  # type: ignore[arg-type]
                self._engine.table(f"raw_{name}", empty)

    def _bounds(self) -> None:
        """From when to when is looked at."""
        settings, record = self._settings, self._settings.record
        begin = settings.begin
        if begin is None and record is not None:
            begin = compromised_from(record)
            begin = active_from(record) if begin is None else begin
        if begin is None:
            sql = "SELECT epoch_us(min(time)) // 1000000 FROM raw_{}"
            found = [self._engine.one(sql.format(name))[0] for name in ("acceptance", "mail")]
            begin = min((one for one in found if one is not None), default=settings.end)
        self._begin, self._end = min(begin, settings.end), settings.end
        low, high = self._begin * 1_000_000, self._end * 1_000_000
        self._span = f"time >= make_timestamptz({low}) AND time < make_timestamptz({high})"

    # --- logs ---

    def _sources(self, pieces: Pieces) -> tuple[Source, ...]:
        """What logs there are."""
        made = [_source(name or "(unnamed)", "acceptance", rows) for name, rows in pieces.items()]
        mail = coverage(self._engine, "raw_mail", "source", self._span, least=self._settings.silence)
        return (*made, *(_source(name, "mail", rows) for name, rows in mail.items()))

    def _parties(self, tokens: Tokens, pieces: Pieces) -> tuple[RelyingParty, ...]:
        """Who takes tokens, and what no log tells of it."""
        if not pieces:
            words = "there is no row of a log of acceptances of this time"
            self._everywhere.append(Interval(self._begin, self._end, words))
        refused = refusals(self._engine, self._accepted, self._settings, self._span)
        return relying_parties(self._settings, tokens, pieces, refused, self._begin, self._end)

    def _mailboxes(self, tokens: Tokens) -> None:
        if self._mail:
            self._told("mailboxes", 0, 0)
            mail = read_mailboxes(self._engine, self._settings, self._span, tokens.named_by, self._begin)
            self._tenants.take_mail(mail)
            self._everywhere += mail.everywhere
        self._tenants.take_mail_silences(
            self._engine,
            self._span,
            self._begin,
            self._end,
            least=self._settings.silence,
            mail=bool(self._mail),
        )

    def _judge(self) -> None:
        """What the ledger says, and what it cannot."""
        verdicts = self._paths("verdicts")
        waiting = [one.name for one in self._state.parts("acceptance") if one.state == "pending"]
        bind_forged(self._engine, verdicts)
        key = key_sql(self._settings, thumbprints=False)
        files = [str(self._state.path(name)) for name in waiting]
        for tenant, gap in undecided(self._engine, verdicts, files, key, self._span):
            self._tenants.not_known(tenant, gap)

    def _notes(self) -> None:
        """What could not be read is unknown for all of the time."""
        if self._known.sides is None:  # the ledger judges acceptances without a name
            self._everywhere += nameless(self._engine, self._accepted, self._span)
        for source, count in self._known.lost.items():
            words = f"{count_words(count, 'record')} of {source or 'unknown logs'} not understood"
            self._everywhere.append(Interval(self._begin, self._end, words))
        for words in self._known.missing:
            self._everywhere.append(Interval(self._begin, self._end, words))

    def _cells(self, step: int) -> tuple[Cell, ...]:
        sql = (
            "SELECT tenant, step, sum(tokens)::BIGINT FROM cells WHERE tenant IN ("
            "  SELECT tenant FROM cells GROUP BY tenant ORDER BY sum(tokens) DESC, tenant LIMIT ?) "
            "GROUP BY tenant, step ORDER BY tenant, step"
        )
        rows = self._engine.rows(sql, (MOST_DRAWN,))
        return tuple(Cell(tenant, number * step, count) for tenant, number, count in rows)


def _source(name: str, kind: str, rows: Sequence[tuple[Any, ...]]) -> Source:
    return Source(
        name, kind, sum(row[2] for row in rows), min(row[0] for row in rows), max(row[1] for row in rows)
    )


def _scope(record: KeyRecord | None) -> Scope | None:
    if record is None or record.scope is None:
        return None
    scope = record.scope
    sets = [scope.audience_classes, scope.tenants, scope.clouds, scope.algorithms]
    moments = [None if one is None else int(one.timestamp()) for one in (scope.not_before, scope.not_after)]
    classes, tenants, clouds, algorithms = (tuple(sorted(one)) for one in sets)
    return Scope(scope.issuer, classes, tenants, clouds, algorithms, *moments)


def _states(record: KeyRecord | None, end: int) -> tuple[StateSpan, ...]:
    """The states that the key was in; that before it was active has no beginning and is left out."""
    if record is None:
        return ()
    reasons = {change.state.value: change.reason for change in record.history}
    return tuple(
        StateSpan(state, since, None if until > _AGES else until, reasons.get(state, ""))
        for since, until, state in lives_of(record)
        if since > -_AGES and since < max(end, since + 1)
    )
