"""``immure detect sigma``: rules into Sigma, and out of it."""

from __future__ import annotations

from pathlib import Path

import click

from immure.cli.detect_extra import need_extra
from immure.cli.exit_codes import ExitCode
from immure.cli.messages import say
from immure.errors import UsageError

_EPILOG = """
Only rules with a condition over single records ("where") can be brought over; what the other side cannot say
is refused. Needs the extra immure[sigma] for import.

\b
Examples:
  immure detect sigma export mail-throttled > mail-throttled.yml
  immure detect sigma import suspicious.yml --field ClientAppId=client_app > my-rules/suspicious.yaml

\b
Exit codes:
  0    done
  2    the rule cannot be read, or cannot be said on the other side
"""


@click.group(epilog=_EPILOG)
def sigma() -> None:
    """Bring rules into Sigma, or out of it."""


@sigma.command(epilog=_EPILOG)
@click.argument("name", metavar="ID")
@click.option(
    "--rules", "paths", metavar="PATH", multiple=True, type=click.Path(path_type=Path), help="More rules."
)
def export(name: str, paths: tuple[Path, ...]) -> int:
    """Print a rule as a document of Sigma."""
    need_extra()
    from immure.detections.rule_files import all_rules
    from immure.detections.rule_out import to_yaml
    from immure.detections.sigma_rules import to_sigma

    rule = next((one for one in all_rules(paths) if one.id == name), None)
    if rule is None:
        raise UsageError(f"there is no rule {name[:80]!a}")
    click.echo(to_yaml(to_sigma(rule)).rstrip())
    return ExitCode.CLEAN


@sigma.command("import", epilog=_EPILOG)
@click.argument("path", metavar="FILE", type=click.Path(path_type=Path))
@click.option(
    "--field", "fields", metavar="THEIRS=OURS", multiple=True, help="Our column for a field of theirs."
)
def import_(path: Path, fields: tuple[str, ...]) -> int:
    """Print a rule of Sigma as one of ours; its examples are yours to write."""
    need_extra()
    from immure.detections.rule_files import MOST_BYTES
    from immure.detections.rule_out import plain_rule, to_yaml
    from immure.detections.sigma_rules import from_sigma

    names = dict(_pair(one) for one in fields)
    try:
        with path.open("rb") as stream:
            text = stream.read(MOST_BYTES).decode("utf-8")
    except (OSError, ValueError) as error:
        raise UsageError(getattr(error, "strerror", None) or "is not UTF-8", path=str(path)) from error
    click.echo(to_yaml(plain_rule(from_sigma(text, str(path), names))).rstrip())
    say("write an example and a counter-example into it: a rule without them is not taken")
    return ExitCode.CLEAN


def _pair(text: str) -> tuple[str, str]:
    theirs, equals, ours = text.partition("=")
    if not equals or not theirs or not ours:
        raise UsageError("--field is THEIRS=OURS")
    return theirs, ours
