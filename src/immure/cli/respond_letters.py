"""``immure respond letters``: what each affected tenant is to be told, to be read and approved."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from immure.cli.exit_codes import ExitCode
from immure.cli.respond_options import BY, FORMAT, INCIDENT, KEY, QUIET, writing

if TYPE_CHECKING:
    from immure.response.notification.letter_set import LetterSet

_EPILOG = """
FILE are the settings (TOML): who writes, the mail server, and where each tenant is reached. The letters are
put into INCIDENT/work/letters-0001, for each the list (.json), the text (.txt) and the page (.html). Read
them; who approves them approves these bytes and these recipients:

\b
Examples:
  immure respond letters incident --settings notify.toml --by ann --key file:incident.key
  immure respond letters incident --settings notify.toml --templates ours/ --key file:incident.key
  immure respond approve incident 4f0c…9e21 --by bo --key file:incident.key
  immure respond notify incident --settings notify.toml --key file:incident.key

Run it again when the blast radius was corrected: whoever was told something else gets a correction. If there
is nothing new to say, the newest letters stay as they are.

\b
Exit codes:
  0  the letters are there
  2  it cannot be done as it was asked for: no blast radius, or two; settings or a template that is wrong
  3  a tenant cannot be told: no address is known, or its list is too long for mail; or the record cannot be
     read or written
"""


@click.command(epilog=_EPILOG)
@INCIDENT
@click.option("--settings", "settings_path", metavar="FILE", required=True, type=click.Path(),
              help="Who writes, how, and to whom.")  # fmt: skip
@click.option("--templates", "folder_of_templates", metavar="DIR", type=click.Path(path_type=Path),
              help="Your own: DIR/LANGUAGE/subject.j2, letter.txt.j2, letter.html.j2.")  # fmt: skip
@KEY
@BY
@FORMAT
@QUIET
def letters(
    folder: Path,
    settings_path: str,
    folder_of_templates: Path | None,
    uri: str,
    actor: str,
    form: str,
    quiet: bool,
) -> int:
    """Write a list and a letter for each tenant that the key reached, or of which that is unknown."""
    from immure.response.notification.preparing import prepare_letters
    from immure.response.notification.rendering import Templates
    from immure.response.notification.settings_file import read_settings

    settings = read_settings(settings_path)
    templates = Templates(folder_of_templates)
    with writing(folder, uri, quiet) as incident:
        made = prepare_letters(incident, settings, templates, actor=actor)
    if form == "json":
        whole = json.loads(made.letters.manifest())
        click.echo(json.dumps({**whole, "digest": made.letters.digest, "new": made.new}, indent=1))
    else:
        _show(made.letters, made.new, quiet)
    return ExitCode.INCOMPLETE if made.letters.untold else ExitCode.CLEAN


def _show(letters: LetterSet, new: bool, quiet: bool) -> None:
    from immure.scanning.report.words import count_words, visible

    corrections = sum(bool(one.answers) for one in letters.deliveries)
    if not quiet:
        words = f"letters {letters.number}" + ("" if new else ", as before")
        count, to = (
            count_words(len(letters.deliveries), "letter"),
            count_words(len(letters.tenants), "tenant"),
        )
        of_them = f", {corrections} of them corrections" if corrections else ""
        click.echo(f"{words}: {count} to {to}{of_them}")
        for one in letters.deliveries:
            kind = f"correction, version {one.edition}" if one.answers else one.language
            click.echo(f"  {one.stem}: {visible(one.tenant)} by {one.channel} to {visible(one.to)} ({kind})")
    for untold in letters.untold:
        click.echo(f"NOT TOLD: {visible(untold.tenant) or 'no tenant named'}: {untold.reason}", err=quiet)
    if not quiet:
        click.echo(f"in {letters.folder}")
    click.echo(f"digest {letters.digest}" if not quiet else letters.digest)
