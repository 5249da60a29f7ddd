"""What the commands of ``immure signing`` have in common."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import click

from immure.errors import UsageError

if TYPE_CHECKING:
    from immure.registry.record import KeyRecord
    from immure.signing.settings import Settings

EXIT_CODES = """
\b
Exit codes:
  0    done
  2    the command, or the settings, cannot be understood
  3    it could not be carried out: a key, a registry, a ledger that cannot be used
"""

CONFIG = click.option(
    "-c", "--config", metavar="FILE", required=True, type=click.Path(), help="The settings (TOML)."
)
FORMAT = click.option(
    "-f", "--format", "form", type=click.Choice(["terminal", "json"]), default="terminal", show_default=True
)
QUIET = click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
ACCEPTED = click.option(
    "--accepted", metavar="LOG", multiple=True, type=click.Path(),
    help="What a relying party accepted: the directory of its log of acceptances; repeatable.",
)  # fmt: skip


def key_of(settings: Settings, config: str, issuer: str, kid: str) -> KeyRecord:
    """The record of an issuer's key; raises UsageError or RegistryError."""
    from immure.registry.opening import open_store

    if issuer not in settings.issuers:
        raise UsageError(f"there is no issuer {issuer[:80]!a} in {config}")
    with open_store(settings.registry) as store:
        return store.find(kid, settings.issuers[issuer].url)


def moment(time: datetime | None) -> str | None:
    """For people and JSON, in whole seconds."""
    from immure.clock import to_rfc3339

    return None if time is None else to_rfc3339(time.replace(microsecond=0))
