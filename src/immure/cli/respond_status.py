"""``immure respond status``: where an incident stands."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from immure.cli.exit_codes import ExitCode
from immure.cli.respond_options import FORMAT, INCIDENT, entry_json, reading

if TYPE_CHECKING:
    from immure.response.incident import Incident
    from immure.response.timeline import Entry

_EPILOG = """
No key is needed: the record is read, and held against its own checkpoint. Who signed that is for
immure respond verify to say.

\b
Examples:
  immure respond status incident
  immure respond status incident --timeline
  immure respond status incident --format json

\b
Exit codes:
  0  the incident is open or closed, and nothing in it contradicts itself
  1  facts contradict each other, or a step has failed or was broken off
  2  the command cannot be done as it was given
  3  the record cannot be read
"""


@click.command(epilog=_EPILOG)
@INCIDENT
@click.option("--timeline", is_flag=True, help="Every entry, also those that were corrected.")
@FORMAT
def status(folder: Path, timeline: bool, form: str) -> int:
    """Show where an incident stands: what it is about, who does what, what is done, what is amiss."""
    from immure.response.facts import conflicts
    from immure.response.steps import Steps

    incident = reading(folder)
    entries = incident.entries()
    open_steps = [
        (step, target, entry)
        for step, target, entry in Steps(incident, "").all()
        if entry.body.get("state") != "done"
    ]
    clashes = conflicts(entries)
    if form == "json":
        click.echo(json.dumps(_json(incident, entries, open_steps), indent=1))
    else:
        _print(incident, entries, open_steps, timeline)
    return ExitCode.FINDINGS if clashes or open_steps else ExitCode.CLEAN


def _json(
    incident: Incident, entries: tuple[Entry, ...], open_steps: list[tuple[str, str, Entry]]
) -> dict[str, Any]:
    from immure.response.facts import conflicts

    return {
        "incident": incident.name,
        "finding": incident.opened.plain(),
        "closed": None if incident.closed is None else incident.closed.sequence,
        "roles": {role: sorted(people) for role, people in incident.roles().items()},
        "conflicts": [
            {"about": one.about, "entries": [each.sequence for each in one.entries]}
            for one in conflicts(entries)
        ],
        "unfinished": [
            {"step": step, "target": target, "state": entry.body.get("state"), "entry": entry.sequence}
            for step, target, entry in open_steps
        ],
        "entries": [entry_json(one) for one in entries],
    }


def _print(
    incident: Incident,
    entries: tuple[Entry, ...],
    open_steps: list[tuple[str, str, Entry]],
    timeline: bool,
) -> None:
    from immure.response.facts import conflicts
    from immure.response.timeline import corrected, standing
    from immure.scanning.report.words import visible

    found, closed = incident.opened, incident.closed
    click.echo(f"incident {visible(incident.name)}, {'open' if closed is None else 'closed'}")
    click.echo(f"  {found.kind}: key {visible(found.kid)} of {visible(found.issuer) or 'an unknown issuer'}")
    if found.summary:
        click.echo(f"  {visible(found.summary)}")
    for role, people in incident.roles().items():
        if people:
            click.echo(f"  {role:<13}{visible(', '.join(sorted(people)))}")
    gone = corrected(entries)
    shown = entries if timeline else standing(entries, "fact", "evidence", "approval", "closed", "advisory")
    for entry in shown:
        later = gone.get(entry.sequence)
        mark = f"  [corrected by {later[-1]}]" if later else ""
        click.echo(f"{_line(entry)}{mark}")
    for clash in conflicts(entries):
        numbers = ", ".join(str(one.sequence) for one in clash.entries)
        click.echo(f"CONFLICT  entries {numbers} disagree about {visible(clash.about)}: correct one")
    for step, target, entry in open_steps:
        where = f" for {visible(target)}" if target else ""
        click.echo(f"UNFINISHED  {visible(step)}{where}: {entry.body.get('state')} (entry {entry.sequence})")


def _line(entry: Entry) -> str:
    from datetime import UTC, datetime

    from immure.response.facts import summary
    from immure.scanning.report.words import visible

    when = datetime.fromtimestamp(entry.at, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    corrects = "" if entry.corrects is None else f" of {entry.corrects}"
    source = "" if entry.source is None else f"  ({visible(entry.source)})"
    sure = "" if entry.confidence == "confirmed" else f"  [{entry.confidence}]"
    words = visible(summary(entry))
    return (
        f"{entry.sequence:>5}  {when}  {entry.kind}{corrects}  {visible(entry.actor)}: {words}{source}{sure}"
    )
