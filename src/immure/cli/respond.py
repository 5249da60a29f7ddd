"""``immure respond``: an incident, from what was found to every affected customer told the truth."""

from __future__ import annotations

import click

from immure.cli.lazy import Entry, LazyGroup

COMMANDS = {
    "open": Entry("immure.cli.respond_open", "open_", "Open an incident on something that was found."),
    "status": Entry(
        "immure.cli.respond_status", "status", "Show where an incident stands, and its timeline."
    ),
    "add": Entry("immure.cli.respond_add", "add", "Write a fact into the timeline, or close the incident."),
    "correct": Entry("immure.cli.respond_correct", "correct", "Correct an entry, which stays where it is."),
    "role": Entry("immure.cli.respond_role", "role", "Give somebody a role, or take it away."),
    "evidence": Entry(
        "immure.cli.respond_evidence", "evidence", "Collect files, with digests and timestamps."
    ),
    "blast-radius": Entry(
        "immure.cli.respond_blast_radius",
        "blast_radius",
        "Work out whom the key reached, and what is unknown.",
    ),
    "contain": Entry("immure.cli.respond_contain", "contain", "Stop the key, step by step, everywhere."),
    "prove": Entry("immure.cli.respond_prove", "prove", "Show which relying parties refuse the key by now."),
    "play": Entry("immure.cli.respond_play", "play", "Follow a playbook."),
    "notify": Entry("immure.cli.respond_notify", "notify", "Send each affected tenant its letter and list."),
    "letters": Entry("immure.cli.respond_letters", "letters", "Write the letters, to be read and approved."),
    "approve": Entry("immure.cli.respond_approve", "approve", "Approve what is to leave the house."),
    "deadlines": Entry("immure.cli.respond_deadlines", "deadlines", "Count down to what the law asks for."),
    "advisory": Entry("immure.cli.respond_advisory", "advisory", "Write the advisory: CSAF, STIX, a page."),
    "export": Entry("immure.cli.respond_export", "export", "Write the whole incident as one bundle."),
    "verify": Entry("immure.cli.respond_verify", "verify", "Check a bundle, or an incident, offline."),
}

_EPILOG = """
INCIDENT is the incident's directory. Whatever writes into it needs the key that it was opened with.

\b
Examples:
  immure respond open incident --kind key-in-dump --kid k1 --by ann --key file:incident.key
  immure respond add incident 'the dump left the room' --source ticket-7 --by bo --key file:incident.key
  immure respond blast-radius incident --accepted acceptance/ --registry keys.db --key file:incident.key
  immure respond export incident -o incident.tar --key file:incident.key
  immure respond verify incident.tar --log-key incident.vkey
"""


@click.group(cls=LazyGroup, entries=COMMANDS, epilog=_EPILOG)
def respond() -> None:
    """Answer an incident: an ordered, resumable record, from what was found to everybody told.

    Entries are only ever added; what was wrong is corrected by an entry that names it.
    """
