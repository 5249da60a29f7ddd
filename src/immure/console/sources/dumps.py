"""What the pages of dumps show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from immure.console.dump_index import DumpIndex
from immure.console.dump_join import STEPS
from immure.console.paging import Paging
from immure.console.tenant import Tenant

_ROW: Final = f"id, at, label, digest, size, signal, keys, spans, {', '.join(STEPS)}, expires, digests"
_EXPIRED: Final = "(expires < :now AND released != 1)"
#: By the word in the address: what it is called, and which rows are meant.
FILTERS: Final[Mapping[str, tuple[str, str]]] = {
    "": ("all", "1"),
    "keys": ("with keys inside", "keys > 0 AND redacted = 0"),
    "cleared": ("cleared, not released", "attested = 1 AND released != 1 AND expires >= :now"),
    "released": ("released", "released = 1"),
    "trouble": ("in trouble", f"(trouble = 1 OR {_EXPIRED})"),
}


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a dump's way: ``state`` is ``done``, ``failed`` or ``open``."""

    name: str
    state: str


@dataclass(frozen=True, slots=True)
class DumpRow:
    """A dump in the list.

    Attributes:
        id: in addresses.
        at: when it was captured, or sealed.
        label: who crashed, or what it is called.
        digest: of what is in the vault.
        keys: private keys that were found in it as it came.
        spans: ranges that were erased.
        expires: until when a clearance holds whose signatures count.
        standing, tone: where it is, in words, and how that is to be taken.
        digests: of it, and of what was made of it.
    """

    id: str
    at: datetime
    label: str
    digest: str
    size: int
    signal: int | None
    keys: int
    spans: int
    steps: tuple[Step, ...]
    expires: datetime | None
    standing: str
    tone: str
    digests: tuple[str, ...]

    @property
    def way(self) -> str:
        """The steps in one line, for who does not see them."""
        parts = [(state, [one.name for one in self.steps if one.state == state]) for state in _STATES]
        return "; ".join(f"{state}: {', '.join(names)}" for state, names in parts if names)


_STATES: Final = ("done", "failed", "open")


@dataclass(frozen=True, slots=True)
class Clearing:
    """A clearance: ``standing`` and ``tone`` as of a dump; ``reason`` why it does not hold."""

    file: str
    digest: str
    issued: datetime
    expires: datetime
    standing: str
    tone: str
    reason: str


@dataclass(frozen=True, slots=True)
class Deciding:
    """What the gate's log says of a release."""

    entry: int
    digest: str
    kind: str
    at: datetime
    rule: str
    reason: str
    destination: str

    @property
    def tone(self) -> str:
        """How it is to be taken."""
        return {"denied": "bad", "failed": "warn", "done": "good"}.get(self.kind, "wait")


def index_of(tenant: Tenant) -> DumpIndex:
    """The index of a tenant; opened once."""
    return tenant.source(
        "dump-index", lambda settings: DumpIndex(settings, tenant.console.state, tenant.clock)
    )


def counts(index: DumpIndex, at: datetime) -> Mapping[str, int]:
    """How many dumps each filter shows; what expires is counted ten seconds later at most."""
    return index.known("counts", int(at.timestamp()) // 10, lambda: _counted(index, at))


def _counted(index: DumpIndex, at: datetime) -> Mapping[str, int]:
    parts = ", ".join(f"ifnull(sum({where}), 0)" for _, where in FILTERS.values())
    [row] = index.ask(f"SELECT {parts} FROM dumps", {"now": int(at.timestamp())})  # noqa: S608 - ours
    return dict(zip(FILTERS, row, strict=True))


def dump_list(
    index: DumpIndex, at: datetime, *, state: str = "", text: str = "", page: str | None = None
) -> tuple[Sequence[DumpRow], Paging]:
    """A page of dumps, the newest first; ``text`` is part of a name, or the beginning of a digest."""
    where = f"({FILTERS.get(state, FILTERS[''])[1]})"
    values: dict[str, Any] = {"now": int(at.timestamp())}
    if text:
        where += " AND (instr(lower(label), :text) OR instr(lower(id), :text)"
        where += " OR (digest >= :text AND digest < :end))"
        values |= {"text": text.lower(), "end": f"{text.lower()}\U0010ffff"}
        [(total,)] = index.ask(f"SELECT count(*) FROM dumps WHERE {where}", values)  # noqa: S608 - ours
    else:
        total = counts(index, at)[state if state in FILTERS else ""]
    paging = Paging.of(total, page)
    query = f"SELECT {_ROW} FROM dumps WHERE {where} ORDER BY at DESC, id LIMIT :size OFFSET :offset"  # noqa: S608
    rows = index.ask(query, {**values, "size": paging.size, "offset": paging.offset})
    return [_row(row, at) for row in rows], paging


def dump(index: DumpIndex, identity: str, at: datetime) -> DumpRow | None:
    """One dump, or None if there is none of that id."""
    rows = index.ask(f"SELECT {_ROW} FROM dumps WHERE id = :id", {"id": identity})  # noqa: S608 - ours
    return _row(rows[0], at) if rows else None


def clearings(index: DumpIndex, row: DumpRow, at: datetime) -> Sequence[Clearing]:
    """The clearances of a dump, the one that holds longest first."""
    marks = ", ".join("?" * len(row.digests)) or "''"
    what = f"digest IN ({marks}) ORDER BY stands = 1 DESC, expires DESC"
    query = f"SELECT file, digest, issued, expires, stands, reason FROM cleared WHERE {what}"  # noqa: S608
    made = []
    for file, sha256, issued, expires, stands, reason in index.ask(query, row.digests):
        standing, tone = ("holds", "good") if stands == 1 else ("does not hold", "bad")
        if stands == 0:
            standing, tone = "not verified", "warn"
        elif stands == 1 and expires < at.timestamp():
            standing, tone = "expired", "warn"
        made.append(Clearing(file, sha256, _moment(issued), _moment(expires), standing, tone, reason))
    return made


def decisions(index: DumpIndex, row: DumpRow) -> Sequence[Deciding]:
    """What the gate's log says of a dump, in its order."""
    marks = ", ".join("?" * len(row.digests)) or "''"
    query = f"SELECT * FROM decided WHERE digest IN ({marks}) AND kind != '' ORDER BY entry"  # noqa: S608 - ours
    return [
        Deciding(entry, sha256, kind.removeprefix("release."), _moment(when), rule, reason, where)
        for entry, sha256, kind, when, rule, reason, where in index.ask(query, row.digests)
    ]


def _row(row: Sequence[Any], at: datetime) -> DumpRow:
    identity, when, label, sha256, size, number, keys, spans, *states, expires, digests = row
    steps = tuple(
        Step(name, ("open", "done", "failed")[state]) for name, state in zip(STEPS, states, strict=True)
    )
    held = None if expires is None else _moment(expires)
    standing, tone = _standing(dict(zip(STEPS, states, strict=True)), keys, held is not None and held < at)
    return DumpRow(
        identity, _moment(when), label, sha256, size, number, keys, spans, steps, held, standing, tone,
        tuple(digests.split()),
    )  # fmt: skip


def _standing(state: Mapping[str, int], keys: int, expired: bool) -> tuple[str, str]:
    """In words, and how that is to be taken: what went wrong first, then how far it is."""
    cases = (
        (state["released"] == 1, "released", "good"),
        (state["captured"] == 2, "record unreadable", "bad"),
        (state["proved"] == 2, "proof failed", "bad"),
        (state["decided"] == 2, "refused by the gate", "bad"),
        (state["attested"] == 2, "clearance does not hold", "bad"),
        (state["released"] == 2, "release failed", "warn"),
        (expired, "clearance expired", "warn"),
        (state["decided"] == 1, "allowed", "wait"),
        (state["attested"] == 1, "cleared", "wait"),
        (state["proved"] == 1, "proved", "wait"),
        (state["redacted"] == 1, "redacted", "wait"),
        (keys > 0, "keys inside", "warn"),
        (state["scanned"] == 1, "no key found", "off"),
    )
    return next(((word, tone) for case, word, tone in cases if case), ("sealed", "off"))


def _moment(at: int) -> datetime:
    return datetime.fromtimestamp(min(at, 253_402_300_799), UTC)
