"""The report of a room as a page that stands alone: no script, nothing loaded from anywhere."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from immure.access.texts import spelled
from immure.scanning.report.markup import Markup, element, facts, join, page_head, table

if TYPE_CHECKING:
    from immure.access.report import Report

_STYLE = """
:root { color-scheme: light dark; font-family: system-ui, sans-serif; line-height: 1.45; }
body { max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .3rem .7rem .3rem 0; }
th, td { border-bottom: 1px solid #8886; }
dl.facts div { display: flex; gap: 1rem; } dl.facts dt { min-width: 9rem; font-weight: 600; }
dd { margin: 0; overflow-wrap: anywhere; } .note { border-left: .3rem solid #b45309; padding-left: .8rem; }
"""
_PEOPLE = ("account", "person", "roles", "screened to", "until", "state", "may act")
_GRANTS = ("id", "who", "what", "why", "from", "until", "approved by", "now")
_SESSIONS = ("who", "on", "from", "until", "state", "workstation")
_USES = ("entry", "when", "grant", "action", "detail")
_REFUSED = ("entry", "when", "what", "who", "rule", "why")
_CERTIFICATES = ("entry", "when", "grant", "kind", "serial", "until")


def to_html(report: Report) -> str:
    """The page."""
    title = "Who could enter, who did, and what left"
    body = element(
        "main",
        element("h1", title),
        _head(report),
        join(element("p", note, class_="note") for note in report.notes),
        _section("Who could enter", _PEOPLE, [_person(one) for one in report.people]),
        _section("Grants", _GRANTS, [_grant(one) for one in report.grants]),
        _section("Who was in", _SESSIONS, [_session(one) for one in report.sessions]),
        _section("What was done", _USES, [_use(one) for one in report.uses]),
        _section("What left", _USES, [_use(one) for one in report.left]),
        _section("Certificates", _CERTIFICATES, [_certificate(one) for one in report.certificates]),
        _section("Refused", _REFUSED, [_refused(one) for one in report.refused]),
    )
    page = element("html", page_head(title, _STYLE), element("body", body), lang="en")
    return f"<!doctype html>\n{page}\n"


def _head(report: Report) -> Markup:
    since = "the beginning" if report.since is None else spelled(report.since)
    return facts(
        [
            ("Room", report.room),
            ("From", since),
            ("Until", spelled(report.at)),
            ("Log", f"{report.entries} entries, root {report.root}"),
        ]
    )


def _section(name: str, headings: tuple[str, ...], rows: list[list[str]]) -> Markup:
    what = table(headings, rows, name) if rows else element("p", "None.")
    return element("section", element("h2", name), what)


def _person(row: dict[str, Any]) -> list[str]:
    roles = ", ".join(row["roles"])
    return [
        row["id"],
        row["person"],
        roles,
        row["level"],
        row["expires"],
        row["state"],
        row["fault"] or "yes",
    ]


def _grant(row: dict[str, Any]) -> list[str]:
    what = f"{', '.join(row['actions'])} {row['resource']}"
    why = " ".join(text for text in (row["ticket"], row["purpose"]) if text)
    by = f"broken glass; {row['verdict'] or 'not reviewed'}" if row["glass"] else ", ".join(row["approvers"])
    now = "live" if row["live"] else str(row["why"])
    return [row["id"], row["account"], what, why, row["begins"], row["ends"], by, now]


def _session(row: dict[str, Any]) -> list[str]:
    state = " ".join(text for text in (row["state"], row["reason"]) if text)
    return [row["account"], row["grant"], row["begins"], row["ends"], state, row["workstation"][:16]]


def _use(row: dict[str, Any]) -> list[str]:
    detail = json.dumps(row["detail"], ensure_ascii=False)
    return [str(row["entry"]), row["at"], row["grant"], row["action"], detail]


def _certificate(row: dict[str, Any]) -> list[str]:
    return [str(row["entry"]), row["at"], row["grant"], row["kind"], row["serial"], row["ends"]]


def _refused(row: dict[str, Any]) -> list[str]:
    names = ("at", "of", "account", "rule", "reason")
    return [str(row["entry"]), *(str(row[name]) for name in names)]
