"""Lines on standard error, and what to do when nobody reads standard output."""

from __future__ import annotations

import os
import sys

import click


def say(message: str) -> None:
    """One line on standard error, with foreign text in it made visible."""
    from immure.scanning.report.words import visible

    click.echo(f"immure: {visible(message)}", err=True)


def silence_stdout() -> None:
    """Let nobody write to the broken pipe again, not even Python's own flush when it leaves."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
