"""``immure detect scenario``: a day with an attack in it."""

from __future__ import annotations

from pathlib import Path

import click

from immure.cli.detect_extra import need_extra
from immure.cli.exit_codes import ExitCode
from immure.errors import UsageError

_EPILOG = """
Keys and tokens are real and made for the purpose; the ledger, its log and the log of acceptances are as the
signing service and relying parties write them. truth.json says what is true of each token that was used.

\b
Examples:
  immure detect scenario --list
  immure detect scenario stolen-key day
  immure detect scenario in-a-gap day --seed 7 --tokens 1000

\b
Exit codes:
  0    written
  2    there is no such scenario
  3    it could not be written
"""


@click.command(epilog=_EPILOG)
@click.argument("name", metavar="[NAME]", required=False)
@click.argument("out", metavar="[OUT]", required=False, type=click.Path(path_type=Path))
@click.option(
    "--seed", metavar="N", type=click.IntRange(0), default=1, show_default=True, help="Of all that is drawn."
)
@click.option("--tokens", metavar="N", type=click.IntRange(1, 100_000), default=200, show_default=True,
              help="That are issued.")  # fmt: skip
@click.option("--list", "listing", is_flag=True, help="Print the names of all scenarios.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
def scenario(name: str | None, out: Path | None, seed: int, tokens: int, listing: bool, quiet: bool) -> int:
    """Make up a day of an issuer with the attack NAME in it, in the new directory OUT."""
    need_extra()
    from immure.synth.scenarios.attackers import SCENARIOS
    from immure.synth.scenarios.attackers import scenario as make

    if listing:
        for one, attack in SCENARIOS.items():
            words = (attack.__doc__ or "").strip().partition("\n")[0]
            click.echo(f"{one:<18} {words}")
        return ExitCode.CLEAN
    if name not in SCENARIOS:
        raise UsageError(f"a scenario is one of {', '.join(SCENARIOS)}")
    if out is None:
        raise UsageError("OUT is needed")
    from immure.detections.scenario_files import write_scenario

    made = make(name, seed, tokens=tokens)
    write_scenario(made, out)
    if not quiet:
        forged = sum(verdict == "forged" for verdict in made.truth.values())
        click.echo(f"{out}: {len(made.uses):,} acceptances of {len(made.truth):,} tokens, {forged} forged")
    return ExitCode.CLEAN
