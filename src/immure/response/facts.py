"""What the timeline says is so, and where two facts about one thing contradict each other.

A fact is a body with ``says`` (a text), and may have ``about`` and ``value``: two facts that stand about the
same thing with different values are a conflict, which is shown until one of them is corrected.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from immure.auditlog.canonical import canonical
from immure.response.timeline import Entry, standing


@dataclass(frozen=True, slots=True)
class Conflict:
    """Facts that cannot all be so.

    Attributes:
        about: the thing.
        entries: the facts, the oldest first.
    """

    about: str
    entries: tuple[Entry, ...]


def conflicts(entries: Iterable[Entry]) -> tuple[Conflict, ...]:
    """Things about which facts that stand say different things.

    >>> from immure.response.timeline import Entry
    >>> stolen = [Entry(n, 0, "fact", who, {"about": "stolen", "value": value})
    ...           for n, who, value in ((3, "ann", "April"), (7, "bo", "May"))]
    >>> [(one.about, [each.sequence for each in one.entries]) for one in conflicts(stolen)]
    [('stolen', [3, 7])]
    """
    about: dict[str, list[Entry]] = {}
    for entry in standing(entries, "fact"):
        thing = entry.body.get("about")
        if isinstance(thing, str) and "value" in entry.body:
            about.setdefault(thing, []).append(entry)
    return tuple(
        Conflict(thing, tuple(said))
        for thing, said in about.items()
        if len({canonical({"value": one.body["value"]}) for one in said}) > 1
    )


def summary(entry: Entry) -> str:
    """An entry in a line, for people."""
    body = entry.body
    for name in ("says", "summary", "words"):
        if isinstance(body.get(name), str):
            return str(body[name])
    if entry.kind == "opened":
        finding = body.get("finding")
        return f"{finding['kind']}: key {finding['kid']}" if isinstance(finding, dict) else ""
    if entry.kind == "role":
        word = "is" if body.get("granted") is True else "is no longer"
        return f"{body.get('person')} {word} {body.get('role')}"
    if entry.kind == "approval":
        return f"approves {str(body.get('subject', ''))[:16]}… {body.get('what', '')}".rstrip()
    if entry.kind == "evidence":
        return f"{body.get('kind')} {body.get('name')}, SHA-256 {str(body.get('sha256', ''))[:16]}…"
    if entry.kind == "step":
        target = f" for {body['target']}" if body.get("target") else ""
        return f"{body.get('step')}{target}: {body.get('state')}"
    if "radius" in body:
        return f"blast radius {str(body['radius'])[:16]}…"
    return canonical(body).decode()
