"""``immure detect``: find tokens that were accepted and never issued.

An entry of :data:`PARTS` is all that the group knows of a command.
"""

from __future__ import annotations

from importlib import import_module
from typing import NamedTuple

import click


class Entry(NamedTuple):
    """Where a command is, and what it does in one line."""

    module: str
    name: str
    summary: str


PARTS = {
    "run": Entry(
        "immure.cli.detect_run", "run", "Hold accepted tokens against issued ones, and ask the rules."
    ),
    "test": Entry("immure.cli.detect_rules", "test", "Try rules on their own examples."),
    "rules": Entry("immure.cli.detect_rules", "rules", "List rules, or print one."),
    "sql": Entry("immure.cli.detect_sql", "sql", "Print the reconciliation as SQL for another engine."),
    "sigma": Entry("immure.cli.detect_sigma", "sigma", "Bring rules into Sigma, or out of it."),
    "scenario": Entry(
        "immure.cli.detect_scenario", "scenario", "Make up a day with an attack in it, to try."
    ),
}

_EPILOG = """
\b
Examples:
  immure detect scenario stolen-key day
  immure detect run --accepted day/accepted --issued day/segments --log day/log --log-key day/log.vkey \\
      --registry day/keys.toml
  immure detect test
"""


class _Parts(click.Group):
    """Imports a command only when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of all commands."""
        return list(PARTS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, imported now."""
        entry = PARTS.get(cmd_name)
        if entry is None:
            return None
        command = getattr(import_module(entry.module), entry.name)
        if not isinstance(command, click.Command):
            raise TypeError(f"{entry.module}.{entry.name} is not a command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table of commands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.summary) for name, entry in PARTS.items()])


@click.group(cls=_Parts, epilog=_EPILOG)
def detect() -> None:
    """Find tokens that were accepted and never issued. Needs the extra immure[detect]."""
