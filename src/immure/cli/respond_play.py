"""``immure respond play``: follow a playbook; the program does its steps, and says which are whose."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from immure.cli.exit_codes import ExitCode
from immure.cli.messages import say
from immure.cli.respond_options import BY, FORMAT, QUIET, reading, writing
from immure.errors import UsageError

if TYPE_CHECKING:
    from immure.response.playbooks.playbook import Playbook
    from immure.response.playbooks.playing import Line

_EPILOG = """
NAME is one of --list, or a file *.toml of your own. Without --go nothing is done: where it stands is printed.
Whoever has done a step that is for people says so with --done, and with --outcome where there are several.

\b
Examples:
  immure respond play --list
  immure respond play key-left-the-room
  immure respond play key-left-the-room incident
  immure respond play key-left-the-room incident -c contain.toml --go --by ann --key file:incident.key
  immure respond play key-left-the-room incident --done holders --note "both deleted it" \\
    --by bo --key file:incident.key

\b
Exit codes:
  0    nothing is left to do; or it was only printed
  2    it cannot be done as it was asked for: no such playbook or step, or one for another kind of finding
  3    something waits: a step for a person, or one that failed
  130  interrupted
"""


@click.command("play", epilog=_EPILOG)
@click.argument("name", metavar="[NAME]", required=False)
@click.argument("folder", metavar="[INCIDENT]", required=False, type=click.Path(path_type=Path))
@click.option("--list", "listing", is_flag=True, help="Print the playbooks that there are.")
@click.option("-c", "--config", metavar="FILE", type=click.Path(), help="Settings of the containment (TOML).")
@click.option("--go", is_flag=True, help="Do the steps that the program can do now.")
@click.option("--done", "step", metavar="STEP", help="Say that a person has done a step.")
@click.option("--outcome", metavar="WORD", default="", help="What came of it, where there are several.")
@click.option("--note", metavar="TEXT", default="", help="More to be written down about it.")
@click.option("--key", "uri", metavar="URI", envvar="IMMURE_INCIDENT_KEY", show_envvar=True,
              help="The incident's key, Ed25519; for --go and --done.")  # fmt: skip
@BY
@FORMAT
@QUIET
def play(**given: Any) -> int:
    """Follow a playbook: what is done about a finding, in which order, and by whom.

    Steps that the program does are carried out with --go: containment and proof. The others are shown to
    people. Where it stands is in the incident's timeline, so that anybody can go on with it.
    """
    from immure.response.playbooks.playbook import find

    if given["listing"]:
        return _list(given["form"])
    if given["name"] is None:
        raise UsageError("NAME is needed; --list prints the playbooks that there are")
    playbook = find(given["name"])
    if given["folder"] is None:
        return _show(playbook, given["form"])
    return _follow(playbook, given)


def _follow(playbook: Playbook, given: dict[str, Any]) -> int:
    from immure.response.containment.settings_file import read_containment
    from immure.response.playbooks.playing import Player

    config, form, quiet = given["config"], given["form"], given["quiet"]
    settings = None if config is None else read_containment(config)

    def told(line: Line) -> None:
        if not quiet:
            say(f"{line.step.id}: {line.standing}{f': {line.words}' if line.words else ''}")

    named = {"actor": given["actor"], "config": config or "", "told": told}
    if not given["go"] and given["step"] is None:
        player = Player(playbook, reading(given["folder"]), settings, **named)
        _print(player.lines(), form, quiet=quiet)
        return ExitCode.CLEAN
    if given["uri"] is None:
        raise UsageError("--key is needed")
    with writing(given["folder"], given["uri"], quiet) as incident:
        player = Player(playbook, incident, settings, **named)
        if given["step"] is not None:
            player.say(given["step"], outcome=given["outcome"], note=given["note"])
        lines = player.go_on() if given["go"] else player.lines()
        over = player.is_over
    _print(lines, form, quiet=quiet)
    return ExitCode.CLEAN if over else ExitCode.INCOMPLETE


def _list(form: str) -> int:
    from immure.response.playbooks.playbook import find, names

    found = [find(name) for name in names()]
    if form == "json":
        rows = [{"name": one.name, "title": one.title, "findings": list(one.findings)} for one in found]
        click.echo(json.dumps({"playbooks": rows}, indent=1))
    else:
        for one in found:
            click.echo(f"{one.name:<28} {one.title}")
    return ExitCode.CLEAN


def _show(playbook: Playbook, form: str) -> int:
    if form == "json":
        steps = [{"id": one.id, "do": one.do, "title": one.title} for one in playbook.steps]
        click.echo(json.dumps({"name": playbook.name, "title": playbook.title, "steps": steps}, indent=1))
        return ExitCode.CLEAN
    from immure.scanning.report.words import visible

    click.echo(visible(playbook.title))
    for line in playbook.text.splitlines():
        click.echo(f"  {visible(line)}")
    for one in playbook.steps:
        who = "the program" if one.do != "ask" else one.role or "anybody"
        when = "".join(f", if {name} is {outcome}" for name, outcome in one.when.items())
        click.echo(visible(f"{one.id}: {one.title} ({who}{when})"))
    return ExitCode.CLEAN


def _print(lines: list[Line], form: str, *, quiet: bool) -> None:
    from immure.scanning.report.words import visible

    if form == "json":
        rows = [
            {"id": one.step.id, "title": one.step.title, "standing": one.standing, "words": one.words}
            for one in lines
        ]
        click.echo(json.dumps({"steps": rows}, indent=1))
        return
    if quiet:
        return
    for one in lines:
        click.echo(visible(f"{one.standing:<17}{one.step.id}: {one.step.title}"))
        if one.standing in ("waits for you", "failed", "waits for a step") and one.words:
            for text in one.words.splitlines():
                click.echo(f"                 {visible(text)}")
