"""``immure mail``: a mail server that takes scoped tokens only, its check, and the log of who read what."""

from __future__ import annotations

import click

from immure.cli.mail_check import check
from immure.cli.mail_log import log
from immure.cli.mail_setup import setup

_EPILOG = """
\b
Examples:
  immure mail setup /etc/immure/dovecot --settings mail.toml --dry-run
  immure mail check mail.example --user ada@contoso.example --kit kit/kit.toml --i-own-this mail.example
  immure mail log /var/log/immure/dovecot-events.jsonl --output access.jsonl --follow
"""


@click.group(epilog=_EPILOG)
def mail() -> None:
    """Set up and check a mail server that takes scoped tokens only, and log who read what with which
    token.
    """


mail.add_command(setup)
mail.add_command(check)
mail.add_command(log)
