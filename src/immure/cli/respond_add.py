"""``immure respond add``: a fact for the timeline."""

from __future__ import annotations

from pathlib import Path

import click

from immure.cli.exit_codes import ExitCode
from immure.cli.respond_options import BY, EXIT_CODES, FORMAT, INCIDENT, KEY, QUIET, say_entry, writing
from immure.errors import UsageError

CONFIDENCES = ("confirmed", "likely", "possible", "unknown")

_EPILOG = f"""
\b
Examples:
  immure respond add incident 'the dump left the room on 12 April' --source ticket-7 --key file:incident.key
  immure respond add incident 'taken in April 2021' --about taken --value 2021-04 --confidence likely \\
      --key file:incident.key
  immure respond add incident 'all relying parties refuse the key' --close --key file:incident.key
{EXIT_CODES}"""


@click.command(epilog=_EPILOG)
@INCIDENT
@click.argument("says", metavar="TEXT")
@click.option("--source", help="From where it is known.")
@click.option("--confidence", type=click.Choice(CONFIDENCES), default="confirmed", show_default=True,
              help="How sure it is.")  # fmt: skip
@click.option("--about", help="What it is about, in a word: other facts about it must agree.")
@click.option("--value", help="What is so of that, in a form that can be compared.")
@click.option("--close", is_flag=True, help="Close the incident with this.")
@KEY
@BY
@FORMAT
@QUIET
def add(
    folder: Path,
    says: str,
    source: str | None,
    confidence: str,
    about: str | None,
    value: str | None,
    close: bool,
    uri: str,
    actor: str,
    form: str,
    quiet: bool,
) -> int:
    """Write a fact into the timeline, with where it is from and how sure it is; or close the incident."""
    from immure.response.timeline import Confidence

    body = fact(says, about, value)
    with writing(folder, uri, quiet) as incident:
        kind = "closed" if close else "fact"
        entry = incident.add(kind, body, actor=actor, source=source, confidence=Confidence(confidence))
        say_entry(incident, entry, form, quiet)
    return ExitCode.CLEAN


def fact(says: str, about: str | None, value: str | None) -> dict[str, str]:
    """The body of a fact.

    Raises:
        UsageError: only one of ``about`` and ``value`` is given.
    """
    if (about is None) != (value is None):
        raise UsageError("--about and --value are given together")
    if about is None or value is None:
        return {"says": says}
    return {"says": says, "about": about, "value": value}
