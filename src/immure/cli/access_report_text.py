"""The report of a room for a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from immure.scanning.report.words import visible

if TYPE_CHECKING:
    from immure.access.report import Report


def to_lines(report: Report) -> Iterator[str]:
    """The lines of the report."""
    for line in _lines(report):
        yield visible(line)


def _lines(report: Report) -> Iterator[str]:
    yield f"{report.entries} entries of the log"
    for note in report.notes:
        yield f"note: {note}"
    yield from _part("who could enter", report.people, _person)
    yield from _part("grants", report.grants, _grant)
    yield from _part("sessions", report.sessions, _session)
    yield from _part("workstations", report.workstations, _workstation)
    yield from _part("uses", report.uses, lambda use: f"{use['at']}  {use['action']} on {use['grant']}")
    yield from _part("what left", report.left, lambda use: f"{use['at']}  on {use['grant']}: {use['detail']}")
    yield from _part("refused", report.refused, _refused)
    yield from _part("waiting", report.waiting, lambda one: f"{one['id']}  {one['kind']} by {one['account']}")


def _part(name: str, rows: list[dict[str, Any]], line: Any) -> Iterator[str]:
    yield f"{name}: {len(rows) or 'none'}"
    for row in rows:
        yield f"  {line(row)}"


def _person(person: dict[str, Any]) -> str:
    return f"{person['id']}  {person['person']}  {person['fault'] or 'may act'}"


def _grant(grant: dict[str, Any]) -> str:
    by = "BROKEN GLASS" if grant["glass"] else f"approved by {', '.join(grant['approvers'])}"
    now = "live" if grant["live"] else grant["why"]
    done = f"{grant['account']}  {', '.join(grant['actions'])} {grant['resource']}"
    return f"{grant['id']}  {done}  until {grant['ends']}  {by}  {now}"


def _session(session: dict[str, Any]) -> str:
    return f"{session['begins']}  {session['account']} on {session['grant']}  {session['state']}"


def _workstation(one: dict[str, Any]) -> str:
    where = f"key in {one['protection']}  {one['model']}".rstrip()
    return f"{one['id'][:16]}  {one['account']}  {one['state']}  {where}"


def _refused(row: dict[str, Any]) -> str:
    return f"{row['at']}  {row['of']} by {row['account']}: {row['rule']}: {row['reason']}"
