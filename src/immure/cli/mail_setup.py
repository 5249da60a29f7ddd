"""``immure mail setup``: write and check the configuration of a Dovecot that takes scoped tokens only."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from immure.cli.exit_codes import ExitCode
from immure.mail.errors import MailSettingsError

if TYPE_CHECKING:
    from immure.mail.settings import MailSettings
    from immure.mail.setup import Plan

_EPILOG = """
Nothing is started. Dovecot itself checks the configuration (doveconf) before a file is written. A file that
was changed by hand is not written over without --force; one that is as it should be is left alone.

\b
Examples:
  immure mail setup /etc/immure/dovecot --settings mail.toml --dry-run
  immure mail setup /etc/immure/dovecot --settings mail.toml
  immure mail setup DIR --settings mail.toml --introspection introspection.toml
  dovecot -F -c /etc/immure/dovecot/dovecot.conf

\b
Exit codes:
  0    written, or there already (--dry-run: it could be written)
  1    --dry-run: something would be written
  2    the settings cannot be understood, do not agree with --introspection, or a file was changed by hand
  3    Dovecot 2.4 is not there or does not take the configuration, or a file cannot be written
"""


@click.command(epilog=_EPILOG)
@click.argument("directory", metavar="DIR", type=click.Path(file_okay=False))
@click.option("-s", "--settings", "path", metavar="FILE", required=True, type=click.Path(),
              help="What is said of the server (TOML).")  # fmt: skip
@click.option("--introspection", metavar="FILE", type=click.Path(),
              help="Settings of the introspection server, to see whether they agree.")  # fmt: skip
@click.option("-n", "--dry-run", is_flag=True, help="Check, say what would be written, and write nothing.")
@click.option("--force", is_flag=True, help="Write over files that were changed by hand.")
@click.option("-f", "--format", "form", type=click.Choice(["terminal", "json"]), default="terminal",
              show_default=True)  # fmt: skip
@click.option("-q", "--quiet", is_flag=True, help="Print nothing when all is well.")
def setup(
    directory: str,
    path: str,
    introspection: str | None,
    dry_run: bool,
    force: bool,
    form: str,
    quiet: bool,
) -> int:
    """Write the configuration of a Dovecot 2.4 that lets in nobody but by a token that our introspection
    takes.

    IMAP and submission, by OAUTHBEARER and XOAUTH2 only, over TLS only; a token opens the mailbox that its
    issuer, tenant and subject name, and no other. Its events are written, so that immure mail log can say
    what was read.
    """
    from immure.mail.places import missing_places
    from immure.mail.settings_file import read_mail_settings
    from immure.mail.setup import apply_setup, plan_setup

    settings = read_mail_settings(path)
    if introspection is not None:
        _check_agreement(settings, introspection)
    plan = plan_setup(settings, directory)
    if not dry_run:
        apply_setup(plan, force=force)
    missing = missing_places(settings)
    if form == "json":
        click.echo(json.dumps(_json(plan, missing, written=not dry_run), indent=1))
    elif not quiet:
        _print(plan, missing, dry_run=dry_run)
    return ExitCode.FINDINGS if dry_run and not plan.is_done else ExitCode.CLEAN


def _check_agreement(settings: MailSettings, path: str) -> None:
    from immure.introspection.settings_file import read_settings
    from immure.mail.agreement import disagreements

    found = disagreements(settings, read_settings(path))
    if found:
        raise MailSettingsError("; ".join(found), path=path)


def _print(plan: Plan, missing: list[str], *, dry_run: bool) -> None:
    from immure.scanning.report.words import visible

    click.echo(f"{visible(str(plan.directory))}: Dovecot {plan.version} takes the configuration")
    would = "would be " if dry_run else ""
    words = {
        "new": f"{would}written",
        "changed": f"{would}replaced",
        "edited": "written over",
        "same": "there",
    }
    if dry_run:
        words["edited"] = "changed by hand (--force writes over it)"
    for step in plan.steps:
        click.echo(f"  {step.file.name:<16} {words[step.state]}: {step.file.about}")
    if missing:
        click.echo("still to be done before Dovecot is started:")
        for line in missing:
            click.echo(f"  {visible(line)}")


def _json(plan: Plan, missing: list[str], *, written: bool) -> dict[str, object]:
    return {
        "directory": str(plan.directory),
        "dovecot": plan.version,
        "written": written,
        "files": [
            {
                "name": step.file.name,
                "state": step.state,
                "mode": f"{step.file.mode:04o}",
                "about": step.file.about,
            }
            for step in plan.steps
        ],
        "to_do": missing,
    }
