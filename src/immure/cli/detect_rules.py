"""``immure detect test`` and ``immure detect rules``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from immure.cli.detect_extra import need_extra
from immure.cli.exit_codes import ExitCode
from immure.errors import UsageError

if TYPE_CHECKING:
    from immure.detections.rule import Rule
    from immure.detections.rule_test import Tried

_EPILOG = """
\b
Examples:
  immure detect test
  immure detect test my-rules/ --format json
  immure detect rules
  immure detect rules token-forged

\b
Exit codes:
  0    every rule finds its examples, and none of its counter-examples
  1    one does not
  2    a rule cannot be read or understood
"""
_PATHS = click.argument("paths", metavar="[PATH]...", nargs=-1, type=click.Path(path_type=Path))
_FORMAT = click.option(
    "-f", "--format", "form", type=click.Choice(["terminal", "json"]), default="terminal", show_default=True
)


@click.command(epilog=_EPILOG)
@_PATHS
@_FORMAT
@click.option("-q", "--quiet", is_flag=True, help="Print only what does not hold.")
def test(paths: tuple[Path, ...], form: str, quiet: bool) -> int:
    """Try rules on their own examples: those in PATHs (files or directories), or those of Immure."""
    need_extra()
    from immure.detections.rule_files import built_in, read_rules
    from immure.detections.rule_test import try_rules

    rules = read_rules(paths) if paths else built_in()
    tried = list(try_rules(rules))
    failed = [one for one in tried if not one.holds]
    if form == "json":
        names = ("rule", "name", "wanted", "found", "holds", "words")
        plain = [{name: getattr(one, name) for name in names} for one in tried]
        click.echo(json.dumps({"rules": len(rules), "failed": len(failed), "examples": plain}, indent=1))
    else:
        for one in failed:
            click.echo(_words(one))
        if not quiet:
            click.echo(f"{len(rules)} rules, {len(tried)} examples: {len(failed) or 'none'} failed")
    return ExitCode.FINDINGS if failed else ExitCode.CLEAN


def _words(one: Tried) -> str:
    from immure.scanning.report.words import visible

    why = one.words or ("is not found" if one.wanted else "is found, and must not be")
    return visible(f"{one.rule}: {one.name}: {why}")


@click.command(epilog=_EPILOG)
@click.argument("name", metavar="[ID]", required=False)
@click.option(
    "--rules", "paths", metavar="PATH", multiple=True, type=click.Path(path_type=Path), help="More rules."
)
@_FORMAT
def rules(name: str | None, paths: tuple[Path, ...], form: str) -> int:
    """List rules, or print the one with this ID as YAML."""
    need_extra()
    from immure.detections.rule_files import all_rules
    from immure.detections.rule_out import plain_rule, to_yaml

    found = all_rules(paths)
    if name is None:
        _list(found, form)
        return ExitCode.CLEAN
    rule = next((one for one in found if one.id == name), None)
    if rule is None:
        raise UsageError(f"there is no rule {name[:80]!a}")
    plain = plain_rule(rule)
    click.echo(json.dumps(plain, indent=1) if form == "json" else to_yaml(plain).rstrip())
    return ExitCode.CLEAN


def _list(found: list[Rule], form: str) -> None:
    if form == "json":
        shown: list[dict[str, Any]] = [
            {"id": one.id, "kind": one.kind, "about": one.about, "severity": one.severity, "title": one.title}
            for one in found
        ]
        click.echo(json.dumps(shown, indent=1))
        return
    for one in found:
        click.echo(f"{one.id:<26} {one.severity:<9} {one.kind:<15} {one.title}")
