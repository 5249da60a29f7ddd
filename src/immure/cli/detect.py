"""``immure detect``: find tokens that were accepted and never issued.

An entry of :data:`PARTS` is all that the group knows of a command.
"""

from __future__ import annotations

import click

from immure.cli.lazy import Entry, LazyGroup

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


@click.group(cls=LazyGroup, entries=PARTS, epilog=_EPILOG)
def detect() -> None:
    """Find tokens that were accepted and never issued. Needs the extra immure[detect]."""
