"""The options that name sketches and a token, and what they load."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from immure.errors import InputError, UsageError

if TYPE_CHECKING:
    from immure.keymaterial.sketch import Sketch
    from immure.scanning.hmac_token import HmacToken

#: As which detector records name the search by sketches.
SKETCH_DETECTOR = "sketches"

SKETCHES = click.option(
    "--sketches", metavar="FILE", multiple=True, type=click.Path(dir_okay=False),
    help="Look for the secrets of a sketch, too (immure sketch make); repeatable.",
)  # fmt: skip

TOKEN = click.option(
    "--token", metavar="FILE", type=click.Path(dir_okay=False),
    help="Look for the key of the HS256, HS384 or HS512 token in FILE, too.",
)  # fmt: skip


def load_sketches(paths: Sequence[str]) -> tuple[Sketch, ...]:
    """The sketches of these files; without one of them the search would not be what was asked for.

    Raises:
        UsageError: one cannot be read, or is none.
    """
    if not paths:
        return ()
    from immure.keymaterial.sketch_file import read_sketch

    try:
        return tuple(map(read_sketch, paths))
    except InputError as error:
        raise UsageError(str(error)) from error


def load_token(path: str | None) -> HmacToken | None:
    """The token in a file.

    Raises:
        UsageError: it cannot be read, or is none that a symmetric key made.
    """
    if path is None:
        return None
    from immure.scanning.hmac_token import MOST_TOKEN, parse_token

    try:
        with Path(path).open("rb") as stream:
            return parse_token(stream.read(MOST_TOKEN + 1), path)
    except OSError as error:
        raise UsageError(f"cannot be read: {error.strerror}", path=path) from error
    except InputError as error:
        raise UsageError(str(error)) from error
