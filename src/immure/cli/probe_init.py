"""``immure probe init``: make a kit of test keys."""

from __future__ import annotations

import click

from immure.cli.exit_codes import ExitCode

_EPILOG = """
DIR must not exist, or be empty. It gets the kit (kit.toml), private keys (keys/), the public keys in one set
as the relying party must be told of them (jwks.json) and in one set for each scope (jwks/), those of the
attacker (attacker.json), and a policy for Immure's own validator (policy.toml).

\b
Examples:
  immure probe init kit
  immure probe init kit --audience api://mail --algorithm ES256

\b
Exit codes:
  0    made
  2    the directory is not empty, or cannot be written
"""


@click.command("init", epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("directory", metavar="DIR", type=click.Path())
@click.option(
    "--audience",
    metavar="AUD",
    default="https://mail.immure-probe.test",
    show_default=True,
    help="What the relying party calls itself.",
)
@click.option(
    "--algorithm",
    "algorithms",
    type=click.Choice(["RS256", "ES256", "EdDSA"]),
    multiple=True,
    default=("RS256", "ES256"),
    show_default=True,
    help="That the relying party takes.",
)
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
def init(directory: str, audience: str, algorithms: tuple[str, ...], quiet: bool) -> int:
    """Make a kit of test keys for "immure probe". Nothing but tests may ever depend on them."""
    from immure.probe.kit_init import make_kit
    from immure.scanning.report.words import visible

    kit = make_kit(directory, audience=audience, algorithms=algorithms)
    if not quiet:
        click.echo(f"{visible(directory)}: {len(kit.keys)} keys in {len(kit.scopes)} scopes")
        click.echo("tell the relying party in staging")
        click.echo(f"  issuer    {visible(kit.target.issuer)}")
        click.echo(f"  audience  {visible(kit.target.audience)}")
        click.echo(f"  keys      {visible(directory)}/jwks.json")
    return ExitCode.CLEAN
