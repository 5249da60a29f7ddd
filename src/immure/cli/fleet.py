"""``immure fleet``: the scan over more than one machine holds.

An entry of :data:`PARTS` is all that the group knows of a command.
"""

from __future__ import annotations

import click

from immure.cli.lazy import Entry, LazyGroup

PARTS = {
    "scan": Entry("immure.cli.fleet_scan", "scan", "Find private keys in buckets and stores of images."),
    "cost": Entry("immure.cli.fleet_cost", "cost", "Say how long a scan will take, what it costs, and why."),
}

_EPILOG = """
\b
Examples:
  immure fleet scan s3://dumps/2026/ --keys jwks.json
  immure fleet scan s3://dumps/ --engine dask://scheduler:8786 \\
      --tls-ca ca.pem --tls-cert me.pem --tls-key me.key -o report.json
  immure fleet cost --bytes 1PB --workers 200
"""


@click.group(cls=LazyGroup, entries=PARTS, epilog=_EPILOG)
def fleet() -> None:
    """Scan buckets and stores of images, on processes here or on a Dask cluster."""
