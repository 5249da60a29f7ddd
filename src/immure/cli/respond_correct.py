"""``immure respond correct``: what was wrong, and what is so."""

from __future__ import annotations

from pathlib import Path

import click

from immure.cli.exit_codes import ExitCode
from immure.cli.respond_add import CONFIDENCES, fact
from immure.cli.respond_options import BY, EXIT_CODES, FORMAT, INCIDENT, KEY, QUIET, say_entry, writing

_EPILOG = f"""
\b
Examples:
  immure respond correct incident 3 'it was not in that dump' --source 'second scan' --key file:incident.key
  immure respond correct incident 5 'taken in May 2021' --about taken --value 2021-05 --key file:incident.key
{EXIT_CODES}"""


@click.command(epilog=_EPILOG)
@INCIDENT
@click.argument("sequence", metavar="ENTRY", type=click.IntRange(min=0))
@click.argument("says", metavar="TEXT")
@click.option("--source", help="From where it is known.")
@click.option("--confidence", type=click.Choice(CONFIDENCES), default="confirmed", show_default=True,
              help="How sure it is.")  # fmt: skip
@click.option("--about", help="What it is about, in a word.")
@click.option("--value", help="What is so of that.")
@KEY
@BY
@FORMAT
@QUIET
def correct(
    folder: Path,
    sequence: int,
    says: str,
    source: str | None,
    confidence: str,
    about: str | None,
    value: str | None,
    uri: str,
    actor: str,
    form: str,
    quiet: bool,
) -> int:
    """Correct entry number ENTRY. It stays where it is; what stands is the correction.

    An entry is corrected once. If the correction was wrong as well, correct that one: so everybody sees what
    was said when. Correcting an approval withdraws it, and correcting the entry that closed an incident opens
    it again.
    """
    from immure.response.timeline import Confidence

    body = fact(says, about, value)
    with writing(folder, uri, quiet) as incident:
        entry = incident.add(
            "correction",
            body,
            actor=actor,
            source=source,
            confidence=Confidence(confidence),
            corrects=sequence,
        )
        say_entry(incident, entry, form, quiet)
    return ExitCode.CLEAN
