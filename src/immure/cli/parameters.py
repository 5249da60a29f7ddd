"""Types of command-line parameters."""

from __future__ import annotations

import os
import re
import sys
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from immure.scanning.options import DETECTORS

if TYPE_CHECKING:
    TextType = click.ParamType[str]
    NamesType = click.ParamType[tuple[str, ...]]
else:  # older releases of click know no type arguments
    TextType = NamesType = click.ParamType

_PID = re.compile(r"pid:[0-9]+")


class Target(TextType):
    """Something to scan: a file or directory, ``pid:N``, or ``-`` for standard input.

    Whether it exists is not asked here: of several, the others are to be scanned (:func:`absence`)."""

    name = "target"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """``value``; a usage error if it is standard input and nobody pipes anything in."""
        if value == "-" and sys.stdin is not None and sys.stdin.isatty():
            self.fail("standard input is a terminal; pipe an image into it", param, ctx)
        return value

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Let the shell complete file names."""
        return [CompletionItem(incomplete, type="file")]


class KeySource(TextType):
    """A source of public keys: a path or a URL."""

    name = "source"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """``value``: what is wrong with it is found out when it is read."""
        return value

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Let the shell complete file names."""
        return [CompletionItem(incomplete, type="file")]


def absence(target: str) -> str | None:
    """What to say of a target that does not exist; None if it does, as far as can be told."""
    if target == "-":
        return None
    if _PID.fullmatch(target):
        number = target.removeprefix("pid:")
        return None if os.path.exists(f"/proc/{number}") else f"there is no process {number}"
    try:
        os.stat(target)
    except (FileNotFoundError, NotADirectoryError):
        return f"{_quoted(target)} does not exist"
    except (OSError, ValueError):  # it may exist: whoever opens it says what is wrong
        return None
    return None


class DetectorNames(NamesType):
    """Names of detectors with commas between them."""

    name = "names"

    def convert(
        self, value: str | tuple[str, ...], param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        """The names, each once, in the order in which reports list them."""
        if isinstance(value, tuple):
            return value
        names = {name.strip() for name in value.split(",") if name.strip()}
        unknown = sorted(names.difference(DETECTORS))
        if unknown or not names:
            wrong = f"unknown detector {_quoted(unknown[0])}" if unknown else "name at least one"
            self.fail(f"{wrong}; there are {', '.join(DETECTORS)}", param, ctx)
        return tuple(name for name in DETECTORS if name in names)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Complete the last name of the list."""
        before, comma, begun = incomplete.rpartition(",")
        return [CompletionItem(f"{before}{comma}{name}") for name in DETECTORS if name.startswith(begun)]


def _quoted(text: str) -> str:
    from immure.scanning.report.words import visible

    return f"'{visible(text)}'"
