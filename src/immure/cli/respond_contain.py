"""``immure respond contain``: stop a key everywhere, step by step; again where it was broken off."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from immure.cli.exit_codes import ExitCode
from immure.cli.messages import say
from immure.cli.respond_options import BY, FORMAT, QUIET, reading, writing
from immure.errors import UsageError

if TYPE_CHECKING:
    from immure.response.containment.running import Line
    from immure.response.containment.settings import Containment, DenyListSettings
    from immure.response.incident import Incident

_EPILOG = """
Steps, in this order: witness, stop-signing, compromise, key-set, deny-list, publish, push, sessions, events,
deliver, rotate, caches. Each is written into the timeline before and after. Run it again after an error, a
crash or a kill: what is done stays done, and the rest is done.

\b
Examples:
  immure respond contain incident -c contain.toml --dry-run
  immure respond contain incident -c contain.toml --by ann --key file:incident.key
  immure respond contain incident -c contain.toml --key file:incident.key --only push,deliver
  immure respond contain incident -c contain.toml --key file:incident.key --again events,deliver
  immure respond contain --first-list -c contain.toml
  immure respond contain --renew -c contain.toml

\b
Exit codes:
  0    all steps are done; for --dry-run: the plan was printed; for --renew and --first-list: the
       list is everywhere
  2    it cannot be done as it was asked for: settings, an unknown step, a key that the registry does not have
  3    a step failed, or the record cannot be written; run it again
  130  interrupted
"""


@click.command("contain", epilog=_EPILOG)
@click.argument("folder", metavar="[INCIDENT]", required=False, type=click.Path(path_type=Path))
@click.option("-c", "--config", metavar="FILE", required=True, type=click.Path(), help="The settings (TOML).")
@click.option("--dry-run", is_flag=True, help="Print what would be done, and do nothing.")
@click.option("--only", metavar="STEP,...", default="", help="Only these steps.")
@click.option("--again", metavar="STEP,...", default="",
              help="Do these steps once more, though they were done.")  # fmt: skip
@click.option("--renew", is_flag=True,
              help="Sign the deny-list anew as it is, and push it, so that it does not run out.")  # fmt: skip
@click.option("--first-list", "first", is_flag=True,
              help="Sign a list with no key on it, and push it, where there was never one.")  # fmt: skip
@click.option("--key", "uri", metavar="URI", envvar="IMMURE_INCIDENT_KEY", show_envvar=True,
              help="The incident's key, Ed25519; not for --dry-run, --renew and --first-list.")  # fmt: skip
@BY
@FORMAT
@QUIET
def contain(
    folder: Path | None,
    config: str,
    dry_run: bool,
    only: str,
    again: str,
    renew: bool,
    first: bool,
    uri: str | None,
    actor: str,
    form: str,
    quiet: bool,
) -> int:
    """Stop a key everywhere: signing, registry, key sets, relying parties, sessions, receivers, caches.

    The incident says which key. Relying parties get a signed deny-list, receivers get security events (RFC
    8417). A step that fails keeps back no other; what failed is tried once more at the end, and by the next
    run. "immure respond prove" shows who refuses the key by now.
    """
    from immure.response.containment.settings_file import read_containment

    settings = read_containment(config)
    if renew and first:
        raise UsageError("--renew or --first-list, not both")
    if renew or first:
        return _renew(settings, form, first=first, quiet=quiet)
    if folder is None:
        raise UsageError("INCIDENT is needed")
    names, more = _names(only), _names(again)
    if dry_run:
        return _plan(reading(folder), settings, actor, names, form)
    if uri is None:
        raise UsageError("--key is needed")
    with writing(folder, uri, quiet) as incident:
        return _carry_out(incident, settings, actor, (names, more), form, quiet=quiet)


def _names(text: str) -> list[str]:
    from immure.response.containment.running import ACTIONS

    names = [one.strip() for one in text.split(",") if one.strip()]
    known = [one.name for one in ACTIONS]
    for one in names:
        if one not in known:
            raise UsageError(f"no step: {one[:40]!a}; steps are {', '.join(known)}")
    return names


def _plan(incident: Incident, settings: Containment, actor: str, names: list[str], form: str) -> int:
    from immure.response.containment.running import ContainmentRun

    lines = list(ContainmentRun(incident, settings, actor=actor, only=names).plan())
    if form == "json":
        click.echo(json.dumps({"planned": [_plain(one) for one in lines]}, indent=1))
    else:
        for one in lines:
            click.echo(_words(one))
    return ExitCode.CLEAN


def _carry_out(
    incident: Incident,
    settings: Containment,
    actor: str,
    names: tuple[list[str], list[str]],
    form: str,
    *,
    quiet: bool,
) -> int:
    from immure.response.containment.running import ContainmentRun

    def told(line: Line) -> None:
        if not quiet and form != "json":
            click.echo(_words(line))

    only, again = names
    run = ContainmentRun(incident, settings, actor=actor, told=told, only=only, again=again)
    outcome = run.carry_out()
    if form == "json":
        plain = {"done": outcome.is_done, "steps": [_plain(one) for one in outcome.lines]}
        click.echo(json.dumps(plain, indent=1))
    for one in outcome.failed:
        say(f"{one.step} {one.target}: {one.words}")
    if not outcome.is_done:
        say(f"{len(outcome.failed)} steps failed; run it again")
    return ExitCode.CLEAN if outcome.is_done else ExitCode.INCOMPLETE


def _renew(settings: Containment, form: str, *, first: bool, quiet: bool) -> int:
    from immure.errors import ImmureError
    from immure.response.containment.list_steps import publisher_of, push_list
    from immure.response.containment.publisher import copy_list

    if settings.deny_list is None:
        raise UsageError("the settings have no deny_list")
    if first:
        _check_first(settings.deny_list)
    with publisher_of(settings.deny_list) as publisher:
        text, made = publisher.begin() if first else publisher.renew()
    failed: dict[str, str] = {}
    parties = [one for one in settings.parties.values() if one.push]
    work: list[tuple[str, Callable[[], object]]] = [
        *((str(path), partial(copy_list, text, path)) for path in settings.deny_list.copies),
        *((one.name, partial(push_list, one, text, made.sequence)) for one in parties),
    ]
    for name, act in work:
        try:
            act()
        except ImmureError as error:
            failed[name] = str(error)
            say(f"{name}: {error}")
    if form == "json":
        plain = {"sequence": made.sequence, "expires": made.expires, "failed": failed}
        click.echo(json.dumps(plain, indent=1))
    elif not quiet:
        click.echo(f"list {made.sequence}: {len(made.keys)} keys, in {len(work) - len(failed)} places")
    return ExitCode.INCOMPLETE if failed else ExitCode.CLEAN


def _check_first(settings: DenyListSettings) -> None:
    """Raises UsageError if a copy shows that there was a list before: an empty one would take its place."""
    from immure.response.containment.publisher import FILE

    for path in settings.copies:
        if path.exists():
            words = f"there is a list already; if {settings.directory / FILE} was lost, put this one there"
            raise UsageError(words, path=str(path))


def _plain(line: Line) -> dict[str, str]:
    return {"step": line.step, "target": line.target, "state": line.state, "words": line.words}


def _words(line: Line) -> str:
    from immure.scanning.report.words import visible

    return visible(f"{line.state:<8}{line.step:<13}{line.target}: {line.words}")
