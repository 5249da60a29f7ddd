"""``immure detect sql``: the reconciliation for engines that exist."""

from __future__ import annotations

from typing import Any

import click

from immure.cli.exit_codes import ExitCode

_EPILOG = """
The query after the views is the one that "immure detect run" carries out, letter by letter. It believes the
segments: hold them against the log before ("immure ledger verify --segments").

\b
Examples:
  immure detect sql --engine duckdb
  immure detect sql --engine clickhouse --from 1793491200 --to 1793577600
  immure detect sql --engine spark --accepted 's3a://logs/accepted/*.parquet'

\b
Exit codes:
  0    printed
  2    the command cannot be done as it was given
"""


@click.command(epilog=_EPILOG)
@click.option(
    "--engine", type=click.Choice(["duckdb", "clickhouse", "spark"]), default="duckdb", show_default=True
)
@click.option(
    "--from", "low", metavar="SECONDS", type=int, help="First iat of the window, seconds since 1970."
)
@click.option("--to", "high", metavar="SECONDS", type=int, help="The second after its last.")
@click.option("--accepted", metavar="PATH", help="Parquet of acceptances.")
@click.option("--issued", metavar="PATH", help="Parquet of segments.")
@click.option("--watermarks", metavar="PATH", help="Parquet of watermarks.")
@click.option("--gaps", metavar="PATH", help="Parquet of gaps.")
def sql(engine: Any, low: int | None, high: int | None, **paths: str | None) -> int:
    """Print the reconciliation as SQL for another engine."""
    from immure.detections.export_sql import ALWAYS, export_sql

    given = {name: path for name, path in paths.items() if path is not None}
    low, high = ALWAYS[0] if low is None else low, ALWAYS[1] if high is None else high
    click.echo(export_sql(engine, low=low, high=high, paths=given), nl=False)
    return ExitCode.CLEAN
