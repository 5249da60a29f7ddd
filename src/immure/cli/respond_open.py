"""``immure respond open``: an incident begins."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from immure.cli.exit_codes import ExitCode
from immure.cli.keygen import open_key
from immure.cli.respond_options import BY, EXIT_CODES, FORMAT, INCIDENT, KEY, QUIET
from immure.errors import UsageError

if TYPE_CHECKING:
    from immure.auditlog import JSON
    from immure.response.finding import Finding

#: The longest report that a finding is taken from.
_MOST_REPORT = 256 << 20

_EPILOG = f"""
INCIDENT is a directory that is made; keep it where only those who answer the incident can read it. The key
signs its log: whoever verifies the record needs its public half, which this command prints.

\b
Examples:
  immure respond open incident --kind key-in-dump --kid k1 --issuer https://login.example \\
      --summary 'found in app.core' --source scan.json --key file:incident.key
  immure respond open incident --finding detect.json --key file:incident.key --by ann
  immure respond open incident --kind report --kid k1 --summary 'mail by a stranger' --key file:incident.key
{EXIT_CODES}"""


@click.command("open", epilog=_EPILOG)
@INCIDENT
@click.option("--kind", metavar="KIND",
              help="key-in-dump, forged-token, hsm-counter, report, relying-party, suspected.")  # fmt: skip
@click.option("--kid", help="The key, as its issuer's key set calls it.")
@click.option("--issuer", default="", help="Whose tokens it signs.")
@click.option("--summary", default="", help="What was found, in a line.")
@click.option("--source", default="", help="From where it is known.")
@click.option("--finding", "report", metavar="FILE", type=click.Path(path_type=Path),
              help="Take the rest from a report: immure detect (JSON) or immure scan (JSON).")  # fmt: skip
@click.option("--name", default="", help="Of the incident.  [default: the day and some letters]")
@KEY
@BY
@FORMAT
@QUIET
def open_(
    folder: Path,
    kind: str | None,
    kid: str | None,
    issuer: str,
    summary: str,
    source: str,
    report: Path | None,
    name: str,
    uri: str,
    actor: str,
    form: str,
    quiet: bool,
) -> int:
    """Open an incident on something that was found: a key in a dump, a forged token, a stranger's report.

    Whoever opens it leads it. Roles, facts, evidence and all that is done are added to it one by one, and
    nothing is ever taken out.
    """
    from immure.response.bundle import log_key
    from immure.response.incident import Incident

    finding = _finding(report, kind, kid, issuer, summary, source)
    with open_key(uri, quiet) as signer:
        incident = Incident.open_new(folder, finding=finding, actor=actor, key=signer, name=name)
        vkey = log_key(incident, signer)
    if form == "json":
        click.echo(json.dumps({"incident": incident.name, "folder": str(folder), "log_key": vkey}))
    elif not quiet:
        click.echo(f"incident {incident.name} is open in {folder}")
        click.echo(f"public key of its log: {vkey}")
    return ExitCode.CLEAN


def _finding(
    report: Path | None, kind: str | None, kid: str | None, issuer: str, summary: str, source: str
) -> Finding:
    from immure.response.finding import Finding

    if report is None:
        if kind is None or kid is None:
            raise UsageError("give --kind and --kid, or --finding")
        return Finding(kind, kid, issuer, summary, source=source)
    from immure.response.finding_files import read_finding

    found = read_finding(report, most=_MOST_REPORT, kid=kid)
    details: dict[str, JSON] = dict(found.details)
    return Finding(
        kind or found.kind,
        kid or found.kid,
        issuer or found.issuer,
        summary or found.summary,
        details,
        source or found.source,
    )
