"""``immure respond prove``: ask relying parties until each refuses the key, and write down who does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from immure.cli.exit_codes import ExitCode
from immure.cli.messages import say
from immure.cli.respond_options import BY, FORMAT, INCIDENT, KEY, QUIET, writing

if TYPE_CHECKING:
    from immure.response.proof import Proof
    from immure.response.proof_asking import Seen

_EPILOG = """
Each relying party of the settings is asked with a good token, with junk, with a genuine token of the key, and
with the good token again. What it does with the third counts only if it does the right thing with the others.

\b
Examples:
  immure respond prove incident -c contain.toml --by ann --key file:incident.key
  immure respond prove incident -c contain.toml --by ann --key file:incident.key --wait 300 --format json

\b
Exit codes:
  0    every relying party was seen to refuse the key
  1    one accepts it, or a forged token was accepted since
  2    it cannot be done as it was asked for
  3    of one it cannot be told, or the record cannot be written
  130  interrupted
"""


@click.command("prove", epilog=_EPILOG)
@INCIDENT
@click.option("-c", "--config", metavar="FILE", required=True, type=click.Path(), help="The settings (TOML).")
@click.option("--wait", "seconds", metavar="SECONDS", type=click.FloatRange(0, 86_400), default=30.0,
              show_default=True, help="Ask again for so long those that do not refuse yet.")  # fmt: skip
@KEY
@BY
@FORMAT
@QUIET
def prove(folder: Path, config: str, seconds: float, uri: str, actor: str, form: str, quiet: bool) -> int:
    """Show which relying parties refuse the key by now, and list those that do not.

    The witness, a genuine token of the key, was taken by "immure respond contain" before the key stopped
    signing. Logs of acceptances and the ledger, where the settings name them, must not contradict what was
    seen. All of it is written into the timeline.
    """
    from immure.response.containment.action import Scene
    from immure.response.containment.settings_file import read_containment
    from immure.response.proof import Prover, seen_before, write_down

    settings = read_containment(config)

    def told(one: Seen) -> None:
        if not quiet:
            say(f"{one.party}: {one.verdict}: {one.why}")

    with writing(folder, uri, quiet) as incident, incident.alone("prove"):
        scene = Scene.of(settings, incident, actor=actor)
        proof = Prover(scene, told=told, before=seen_before(incident)).run(seconds=seconds)
        write_down(proof, incident, scene)
    _print(proof, form, quiet=quiet)
    if proof.accepting or proof.forged:
        return ExitCode.FINDINGS
    return ExitCode.CLEAN if proof.holds else ExitCode.INCOMPLETE


def _print(proof: Proof, form: str, *, quiet: bool) -> None:
    from immure.response.moments import to_text
    from immure.scanning.report.words import visible

    if form == "json":
        click.echo(json.dumps(proof.plain(), indent=1))
        return
    if quiet:
        return
    for one in proof.seen:
        click.echo(visible(f"{one.verdict:<12} {one.party}: {one.why}"))
    if proof.why:
        click.echo(visible(proof.why))
    if not proof.seen:
        click.echo("the settings name no relying party: nothing was shown")
    elif proof.refused_at is not None:
        since = to_text(int(proof.refused_at))
        click.echo(f"all {len(proof.seen)} relying parties refuse {visible(proof.kid)} since {since}")
    else:
        click.echo(
            f"{len(proof.holding)} of {len(proof.seen)} relying parties were not seen to refuse the key"
        )
