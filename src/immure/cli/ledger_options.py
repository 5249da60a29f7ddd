"""Options and words that the commands of ``immure ledger`` share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from immure.cli.keygen import KEY_HELP

if TYPE_CHECKING:
    from immure.auditlog import AuditLog
    from immure.custody import Signer

EXIT_CODES = """
\b
Exit codes:
  0    done; the ledger is what its log says; the token is in it
  1    the ledger, or the log, was altered; the token is not in it
  2    the command cannot be done as it was given
  3    it could not be carried out: a database, log or key that cannot be used
  130  interrupted
"""

PLACE = click.argument("place", metavar="PLACE")
LOG = click.option("--log", "log_path", metavar="DIR", required=True, type=click.Path(file_okay=False),
                    help="The ledger's log.")  # fmt: skip
KEY = click.option("--key", "uri", metavar="URI", required=True, help=f"Signs the log. {KEY_HELP}")
FORMAT = click.option(
    "-f", "--format", "form", type=click.Choice(["terminal", "json"]), default="terminal", show_default=True
)
QUIET = click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")


def time_words(seconds: int) -> str:
    """Seconds since 1970 as RFC 3339; a hyphen for none."""
    from datetime import UTC, datetime

    from immure.clock import to_rfc3339

    return to_rfc3339(datetime.fromtimestamp(seconds, UTC)) if seconds else "-"


def open_log(path: str, signer: Signer) -> AuditLog:
    """The ledger's log, to write to; its end only is held against its checkpoint."""
    from immure.auditlog import AuditLog
    from immure.custody.note_signer import NoteSigner

    origin = AuditLog.open(path, check=False).origin
    return AuditLog.open(path, signer=NoteSigner(origin, signer), check=False)
