"""``immure respond advisory``: what the public is told, in versions."""

from __future__ import annotations

import json
from pathlib import Path

import click

from immure.cli.exit_codes import ExitCode
from immure.cli.respond_options import BY, FORMAT, INCIDENT, KEY, QUIET, writing

_EPILOG = """
DRAFT (TOML) has the texts. Each finding in it names the entry of the timeline that it rests on; how sure it
is stands there. Written are CSAF 2.0 (profile security incident response), STIX 2.1, Markdown and a page.

A version in which a finding is another one is a correction, and is written only with the words for it. What
was said, and what is said now, then stands in the advisory. A finding that rests on a corrected entry, or on
one that another fact contradicts, is refused.

\b
Examples:
  immure respond advisory incident draft.toml -o out/ --by ann --key file:incident.key
  immure respond advisory incident draft.toml -o out/ --summary 'indicators added' --key file:incident.key
  immure respond advisory incident draft.toml -o out/ --correction 'no dump with the key was found' \\
      --key file:incident.key

\b
Exit codes:
  0  the version is written, or was there before
  1  refused: it says something new, or takes something back, and not why
  2  it cannot be done as it was asked for: the draft does not fit the timeline
  3  the record or the files cannot be read or written
"""


@click.command(epilog=_EPILOG)
@INCIDENT
@click.argument("draft_path", metavar="DRAFT", type=click.Path())
@click.option("-o", "--output", "output", metavar="DIR", type=click.Path(path_type=Path),
              help="Put the files there, too.")  # fmt: skip
@click.option("--summary", metavar="TEXT", default="", help="What is new; from the second version on.")
@click.option("--correction", metavar="TEXT", default="", help="What was wrong in the version before.")
@KEY
@BY
@FORMAT
@QUIET
def advisory(
    folder: Path,
    draft_path: str,
    output: Path | None,
    summary: str,
    correction: str,
    uri: str,
    actor: str,
    form: str,
    quiet: bool,
) -> int:
    """Write the advisory of an incident, or its next version."""
    from immure.response.advisory.draft import read_draft
    from immure.response.advisory.publishing import put_out, write_advisory

    draft = read_draft(draft_path)
    with writing(folder, uri, quiet) as incident:
        made = write_advisory(incident, draft, actor=actor, summary=summary, correction=correction)
    written = [] if output is None else put_out(made.files, output)
    revision = made.revision
    if form == "json":
        plain = {
            "advisory": draft.id,
            "version": revision.number,
            "new": made.new,
            "content": revision.content,
            "correction": revision.correction,
            "changes": list(revision.changes),
            "entry": revision.entry,
            "files": [str(path) for path in written],
        }
        click.echo(json.dumps(plain, indent=1))
    elif not quiet:
        from immure.scanning.report.words import visible

        words = "is written" if made.new else "is as it was"
        click.echo(f"{visible(draft.id)}, version {revision.number}, {words}: {visible(revision.words)}")
        for path in written:
            click.echo(f"  {visible(str(path))}")
    return ExitCode.CLEAN
