"""``immure respond notify``: send what two people have approved, and say who has it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from immure.cli.exit_codes import ExitCode
from immure.cli.respond_options import BY, FORMAT, INCIDENT, QUIET, reading, writing
from immure.errors import UsageError

if TYPE_CHECKING:
    from immure.response.notification.status import Sent

_EPILOG = """
Only the newest letters are sent, after two approvers have approved them (immure respond approve). What was
sent is never sent again. If it breaks off, run it again: it goes on. A letter of which nobody knows whether
the server has it is sent once more, with the same Message-ID; a server that knows it by that drops it.

A server that takes a letter has not delivered it. If it comes back, say so with --bounced, and write letters
to another address.

\b
Examples:
  immure respond notify incident --settings notify.toml --by ann --key file:incident.key
  immure respond notify incident --status
  immure respond notify incident --bounced 8f2c…01aa --reference 'mailbox unknown' --key file:incident.key

\b
Exit codes:
  0  everybody has been told
  1  not approved by two people: nothing was sent
  2  it cannot be done as it was asked for; nothing was sent
  3  somebody is not told yet: a server that cannot be reached or does not take it, a tenant without an
     address; or the record, or a letter, is not what it should be
"""


@click.command(epilog=_EPILOG)
@INCIDENT
@click.option(
    "--settings", "settings_path", metavar="FILE", type=click.Path(), help="Servers, and how often."
)
@click.option("--again", is_flag=True, help="Also try what was refused for good.")
@click.option("--status", is_flag=True, help="Send nothing; show who has been told.")
@click.option("--bounced", metavar="DELIVERY", help="This letter came back after a server had taken it.")
@click.option("--reference", metavar="TEXT", default="", help="What the bounce says.")
@click.option("--key", "uri", metavar="URI", envvar="IMMURE_INCIDENT_KEY", show_envvar=True,
              help="The incident's key; not for --status.")  # fmt: skip
@BY
@FORMAT
@QUIET
def notify(
    folder: Path,
    settings_path: str | None,
    again: bool,
    status: bool,
    bounced: str | None,
    reference: str,
    uri: str | None,
    actor: str,
    form: str,
    quiet: bool,
) -> int:
    """Send the newest letters, each once, and write down what came of each."""
    from immure.response.notification.status import newest_letters, standing_of

    if status:
        incident = reading(folder)
        found = standing_of(incident, newest_letters(incident))
    elif uri is None:
        raise UsageError("writing into the record needs the incident's key (--key)")
    elif bounced is not None:
        from immure.response.notification.bouncing import bounce

        with writing(folder, uri, quiet) as incident:
            bounce(incident, bounced, reference=reference, actor=actor)
            found = standing_of(incident, newest_letters(incident))
    else:
        from immure.response.notification.sending import send_letters
        from immure.response.notification.settings_file import read_settings

        if settings_path is None:
            raise UsageError("by what servers? (--settings)")
        settings = read_settings(settings_path)
        with writing(folder, uri, quiet) as incident:
            told = None if quiet or form == "json" else _progress()
            found = send_letters(incident, settings, actor=actor, again=again, told=told)
    _show(found, form, quiet)
    return ExitCode.CLEAN if found.complete else ExitCode.INCOMPLETE


def _show(found: Sent, form: str, quiet: bool) -> None:
    from immure.scanning.report.words import visible

    if form == "json":
        click.echo(json.dumps(_plain(found), indent=1))
        return
    letters = found.letters
    if not quiet:
        who = visible(", ".join(found.approved_by)) or "nobody"
        click.echo(f"letters {letters.number}, approved by {who}")
    for one in found.deliveries:
        delivery = one.delivery
        words = f"  {one.state.value}: {visible(delivery.tenant)}, {visible(delivery.to)}"
        if not quiet or one.state.value != "sent":
            click.echo(words + (f" ({visible(one.detail)})" if one.detail else ""))
    for untold in found.untold:
        click.echo(f"  NOT TOLD: {visible(untold.tenant) or 'no tenant named'}: {untold.reason}")
    if not quiet:
        sent = sum(one.state.value == "sent" for one in found.deliveries)
        click.echo(f"{sent} of {len(found.deliveries)} letters are sent")


def _plain(found: Sent) -> dict[str, object]:
    return {
        "schema": "https://immure.example/schemas/notified-1.json",
        "letters": found.letters.number,
        "digest": found.letters.digest,
        "approved_by": list(found.approved_by),
        "complete": found.complete,
        "deliveries": [
            {
                "delivery": one.delivery.id,
                "tenant": one.delivery.tenant,
                "channel": one.delivery.channel,
                "to": one.delivery.to,
                "edition": one.delivery.edition,
                "message_id": one.delivery.message_id,
                "state": one.state.value,
                "attempts": 0 if one.told is None else one.told.attempts,
                "detail": one.detail,
            }
            for one in found.deliveries
        ],
        "untold": [{"tenant": one.tenant, "reason": one.reason} for one in found.untold],
    }


def _progress() -> Callable[[int, int], None] | None:
    if not sys.stderr.isatty():
        return None

    def told(done: int, of: int) -> None:
        click.echo(f"\r{done} of {of} letters" + ("\n" if done == of else ""), err=True, nl=False)

    return told
