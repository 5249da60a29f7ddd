"""``immure respond deadlines``: how long is left until customers and authorities must have been told."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from immure.cli.exit_codes import ExitCode
from immure.cli.respond_options import BY, FORMAT, QUIET, reading, writing
from immure.errors import UsageError

if TYPE_CHECKING:
    from immure.response.deadlines.rule import Rule
    from immure.response.deadlines.standing import Deadline
    from immure.response.incident import Incident

_EPILOG = """
Deadlines of GDPR, NIS 2 and SEC come with it; --presets shows them and their sources. Others are in a file
(--rules).

A deadline counts from an entry of the timeline: from when it was written, or from --since if that entry
speaks of another moment. What runs is part of the record, with the whole rule: a file that changes later
changes nothing.

\b
Examples:
  immure respond deadlines incident --start gdpr-33 --from 2 --by ann --key file:incident.key
  immure respond deadlines incident --start nis2-final-report --by ann --key file:incident.key
  immure respond deadlines incident
  immure respond deadlines incident --met gdpr-33 --reference 'DPA form 4711' --by ann --key file:incident.key

\b
Exit codes:
  0  none is overdue
  1  at least one is overdue
  2  it cannot be done as it was asked for; nothing was written
  3  the record cannot be read, or the entry from which one counts was corrected: then none is sure
"""


@click.command(epilog=_EPILOG)
@click.argument("folder", metavar="[INCIDENT]", type=click.Path(path_type=Path), required=False)
@click.option("--presets", is_flag=True, help="Show the deadlines that there are, and who set them.")
@click.option("--rules", metavar="FILE", type=click.Path(), help="Further deadlines (TOML).")
@click.option("--start", metavar="NAME", multiple=True, help="Let this one run.")
@click.option("--from", "origin", metavar="ENTRY", type=click.IntRange(0), help="The entry it counts from.")
@click.option("--since", metavar="TIME", help="The moment that entry speaks of (RFC 3339). "
              "[default: when it was written]")  # fmt: skip
@click.option("--met", metavar="NAME", multiple=True, help="This one was met.")
@click.option("--void", metavar="NAME", multiple=True, help="This one does not apply; --reference says why.")
@click.option("--when", metavar="TIME", help="When it was met. [default: now]")
@click.option("--reference", metavar="TEXT", default="", help="By what it was met, or why it does not apply.")
@click.option("--at", metavar="TIME", help="Show how they stand then. [default: now]")
@click.option("--key", "uri", metavar="URI", envvar="IMMURE_INCIDENT_KEY", show_envvar=True,
              help="The incident's key; only for what writes into the record.")  # fmt: skip
@BY
@FORMAT
@QUIET
def deadlines(
    folder: Path | None,
    presets: bool,
    rules: str | None,
    start: tuple[str, ...],
    origin: int | None,
    since: str | None,
    met: tuple[str, ...],
    void: tuple[str, ...],
    when: str | None,
    reference: str,
    at: str | None,
    uri: str | None,
    actor: str,
    form: str,
    quiet: bool,
) -> int:
    """Let deadlines run, mark them as met, and show how much time is left."""
    from immure import clock
    from immure.response.deadlines.standing import begin, deadlines_of, end

    known = _rules(rules)
    if presets:
        _show_rules(known, form)
        return ExitCode.CLEAN
    if folder is None:
        raise UsageError("which incident? (--presets needs none)")
    now = int(clock.now().timestamp())
    if start or met or void:
        if uri is None:
            raise UsageError("writing into the record needs the incident's key (--key)")
        if void and not reference:
            raise UsageError("why a deadline does not apply is part of the record (--reference)")
        chosen = [_named(known, wanted) for wanted in start]
        ended = int(_moment("--when", when) or now)
        with writing(folder, uri, quiet) as incident:
            for rule in chosen:
                counts = None if rule.after else _origin(incident, origin)
                begin(incident, rule, origin=counts, since=_moment("--since", since), actor=actor)
            for state, names in (("met", met), ("void", void)):
                for name in names:
                    end(incident, name, state=state, at=ended, reference=reference, actor=actor, now=now)
            entries = incident.entries()
    else:
        entries = reading(folder).entries()
    moment = _moment("--at", at) or now
    found = deadlines_of(entries, moment)
    _show(found, moment, form, quiet)
    if any(one.overdue for one in found):
        return ExitCode.FINDINGS
    return ExitCode.INCOMPLETE if any(one.doubt for one in found) else ExitCode.CLEAN


def _rules(path: str | None) -> dict[str, Rule]:
    from immure.response.deadlines.rules import presets, read_rules

    return presets() if path is None else {**presets(), **read_rules(path)}


def _named(known: dict[str, Rule], name: str) -> Rule:
    if name not in known:
        from immure.scanning.report.words import visible

        raise UsageError(f"no deadline is called {visible(name[:60])}; there are {', '.join(known)}")
    return known[name]


def _origin(incident: Incident, origin: int | None) -> int:
    """The entry that a deadline counts from; a name must say which, but for the one that opened it all."""
    if origin is None:
        raise UsageError(
            f"from which entry does it count? (--from; 0 is what opened {incident.name}, "
            "immure respond status shows the others)"
        )
    return origin


def _moment(option: str, text: str | None) -> int | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise click.BadParameter("a time as 2026-11-25T01:02:03Z", param_hint=option) from error
    try:
        return int((moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment).timestamp())
    except (OverflowError, OSError, ValueError) as error:
        raise click.BadParameter("a time that a calendar has", param_hint=option) from error


def _show_rules(known: dict[str, Rule], form: str) -> None:
    from immure.scanning.report.words import visible

    if form == "json":
        click.echo(json.dumps({"rules": [rule.plain() for rule in known.values()]}, indent=1))
        return
    for rule in known.values():
        span = rule.span_words() + (f" after {rule.after}" if rule.after else "")
        click.echo(f"{rule.id}: {span}; {visible(rule.title)}")
        for before, words in (("runs when ", rule.starts), ("to ", rule.to), ("", rule.note)):
            if words:
                click.echo(f"  {before}{visible(words)}")
        click.echo(f"  {visible(rule.source)}{f', {visible(rule.url)}' if rule.url else ''}")


def _show(found: list[Deadline], now: int, form: str, quiet: bool) -> None:
    from immure.response.deadlines.words import line, to_json
    from immure.scanning.report.words import visible

    if form == "json":
        click.echo(json.dumps(to_json(found, now), indent=1))
        return
    if not found and not quiet:
        click.echo("no deadline runs; --start lets one run, --presets shows which there are")
    for one in found:
        click.echo(f"{one.rule.id}: {visible(line(one, now))}")
        if one.doubt:
            click.echo(f"  NOT SURE: {visible(one.doubt)}")
        if not quiet:
            click.echo(f"  {visible(one.rule.title)}: {visible(one.rule.to or one.rule.source)}")
