"""The settings of ``immure capture``: from the file, and from options, which come before it."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from immure.capture.settings import Settings


def read_config(path: str | None) -> Settings:
    """The settings in a file, or in the usual place."""
    from immure.capture.settings import CONFIG, read_settings

    return read_settings(CONFIG) if path is None else read_settings(Path(path), must_exist=True)


config_option = click.option(
    "-c",
    "--config",
    metavar="FILE",
    type=click.Path(dir_okay=False),
    help="The settings.  [default: /etc/immure/capture.toml, if there is one]",
)


def settings_options(command: Any) -> Any:
    """Options that come before what the file says."""
    for option in reversed(
        (
            click.option(
                "--keep",
                type=click.Choice(("sealed", "redacted", "nothing")),
                help="What stays: the core as it is, a redacted one, or what a scan says.  [default: sealed]",
            ),
            click.option(
                "-k", "--keys", metavar="SRC", multiple=True, help="Public keys to look for; repeatable."
            ),
            click.option("--vault", metavar="DIR", help="Where cores are sealed."),
            click.option(
                "--memory", metavar="SIZE", help="Memory for cores that come in.  [default: an eighth of all]"
            ),
            click.option("--disk", metavar="SIZE", help="Disk for cores that come in, encrypted."),
            click.option(
                "--vault-limit",
                metavar="SIZE",
                help="What captures may take of the vault.  [default: no bound]",
            ),
            click.option(
                "--rotate", is_flag=True, default=None, help="Destroy the oldest captures to make room."
            ),
        )
    ):
        command = option(command)
    return command


def settings_with(config: str | None, given: dict[str, Any]) -> Settings:
    """The settings in a file, and what options say instead."""
    from immure.capture.settings import parse_size

    settings = read_config(config)
    changes = {name: value for name, value in given.items() if value not in (None, ())}
    for name in ("memory", "disk", "vault_limit"):
        if name in changes:
            changes[name] = parse_size(changes[name])
    if "vault" in changes:
        changes["vault"] = os.path.abspath(changes["vault"])
    if "keys" in changes:
        changes["keys"] = tuple(_absolute(source) for source in changes["keys"])
    settings = replace(settings, **changes)
    settings.check()
    return settings


def _absolute(source: str) -> str:
    """A path as the service sees it, which starts in another directory; URLs as they are."""
    return source if "://" in source else os.path.abspath(source)
